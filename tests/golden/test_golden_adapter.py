"""An adapter folder as the reference writes it (`.pt`), and the same adapter written and read by us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.adapter import load_adapter, save_adapter
from dmem_agents.model.attach import DeltaMemModel

Case = dict[str, Any]


def _check(golden: Any, case: Case, model: DeltaMemModel) -> None:
    tensors = golden.tensors(case)
    recorded = golden.parameters(tensors)
    parameters = model.adapter_parameters()
    assert set(parameters) == set(recorded)
    for name, value in recorded.items():
        assert torch.equal(parameters[name].detach(), value), name
    with torch.no_grad():
        out = model.forward(tensors["input_ids"], attention_mask=tensors["attention_mask"])
    torch.testing.assert_close(out.logits, tensors["logits"], **case["tolerance"])
    torch.testing.assert_close(out.state, golden.states(tensors, "state."), **case["tolerance"])


def test_the_published_folder_opens_with_its_configuration_weights_and_results(golden: Any, adapter_case: Case) -> None:
    model = load_adapter(golden.backbone(adapter_case["backbone"]), golden.folder / adapter_case["dir"])
    assert model.config == DeltaMemConfig.from_dict(adapter_case["delta_config"])
    _check(golden, adapter_case, model)


def test_saved_as_safetensors_and_opened_again_it_is_the_same_adapter(
    golden: Any, adapter_case: Case, tmp_path: Path
) -> None:
    model = load_adapter(golden.backbone(adapter_case["backbone"]), golden.folder / adapter_case["dir"])
    save_adapter(model, tmp_path / "adapter")
    names = {file.name for file in (tmp_path / "adapter").iterdir()}
    assert names == {"delta_mem_config.json", "delta_mem_adapter.safetensors"}
    again = load_adapter(golden.backbone(adapter_case["backbone"]), tmp_path / "adapter")
    assert again.config == model.config
    assert again.fingerprint == model.fingerprint
    _check(golden, adapter_case, again)
