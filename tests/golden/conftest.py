"""Reads the golden data of the reference implementation (its format: `manifest.json`, key `doc`).

`DMEM_GOLDEN` names another folder of the same format; the default is the copy beside this file. A test asks
for a case by an argument called `<kind>_case`, e.g. `forward_case`, and runs once for each float32 case of
that kind. Cases in half precision and recorded mistakes of the reference ("QUIRK") have tests of their own.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

Case = dict[str, Any]
KINDS = ("forward", "trace", "scan", "init", "train", "adapter")


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One folder of golden data."""

    folder: Path
    manifest: dict[str, Any]

    def cases(self, kind: str) -> list[Case]:
        """All cases of one kind, in the manifest's order."""
        return [case for case in self.manifest["cases"] if case["kind"] == kind]

    def tensors(self, case: Case) -> dict[str, Tensor]:
        """Every tensor of a case."""
        return load_file(self.folder / case["file"])

    def backbone(
        self, name: str, *, attn_implementation: str = "eager", dtype: torch.dtype = torch.float32
    ) -> PreTrainedModel:
        """A fresh plain transformers model with the stored weights."""
        fields = dict(self.manifest["backbones"][name]["config"])
        config = AutoConfig.for_model(fields.pop("model_type"), **fields)
        model = AutoModelForCausalLM.from_config(config, attn_implementation=attn_implementation)
        stored = load_file(self.folder / self.manifest["backbones"][name]["file"])
        missing, unexpected = model.load_state_dict(stored, strict=False)
        assert not unexpected
        assert set(missing) <= {"lm_head.weight"}, missing
        model.tie_weights()
        return model.to(dtype).eval()

    def states(self, tensors: dict[str, Tensor], prefix: str) -> Tensor:
        """The states under a prefix as `[L, B, H, r, r]`, in layer order (H = 1 is stored without axis)."""
        names = sorted(
            (name for name in tensors if name.startswith(prefix)),
            key=lambda n: int(n.split(".layers.")[1].split(".")[0]),
        )
        rows = [tensors[name] if tensors[name].dim() == 4 else tensors[name].unsqueeze(1) for name in names]
        return torch.stack(rows)

    def parameters(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The adapter of a case, `"<module path>.<parameter>"` → tensor."""
        return {name.removeprefix("delta."): value for name, value in tensors.items() if name.startswith("delta.")}


@functools.cache
def _golden() -> Golden:
    folder = Path(os.environ.get("DMEM_GOLDEN") or Path(__file__).parent)
    return Golden(folder=folder, manifest=json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def golden() -> Golden:
    return _golden()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in KINDS:
        if f"{kind}_case" in metafunc.fixturenames:
            cases = [c for c in _golden().cases(kind) if c["dtype"] == "float32" and "QUIRK" not in c["name"]]
            metafunc.parametrize(f"{kind}_case", cases, ids=[case["name"] for case in cases])
