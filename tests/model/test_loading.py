"""Opening a backbone and its adapter by name, and what each unusable name is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dmem_agents.errors import AdapterError, ConfigError, ModelLoadError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model import loading
from dmem_agents.model.adapter import save_adapter
from dmem_agents.model.attach import attach
from dmem_agents.model.embedded import EMBEDDED_MODEL_ID, embedded_model_folder
from dmem_agents.model.loading import load_model, packaged_adapter_folder
from dmem_agents.testing.tiny_model import save_tiny_model, tiny_model


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny-backbone"))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-adapter")
    save_adapter(attach(tiny_model(), DeltaMemConfig(rank=4, delta_heads=("q", "o"))), folder)
    return folder


def test_a_folder_and_its_adapter_open_as_one_model(backbone: Path, adapter: Path) -> None:
    loaded = load_model(backbone, adapter)
    ids = torch.tensor([loaded.tokenizer.encode("hello")])
    output = loaded.model(ids)
    assert output.logits.shape[:2] == ids.shape
    assert output.state.abs().sum() > 0
    assert loaded.model.backbone_id == str(backbone)
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.backbone.get_submodule("model.embed_tokens").parameters())


def test_names_may_be_strings_or_paths(backbone: Path, adapter: Path) -> None:
    assert load_model(str(backbone), str(adapter)).model.fingerprint == load_model(backbone, adapter).model.fingerprint


@pytest.mark.parametrize(
    ("dtype", "expected"), [("auto", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)]
)
def test_the_backbone_gets_the_asked_dtype_and_the_memory_stays_float32(
    backbone: Path, adapter: Path, dtype: str, expected: torch.dtype
) -> None:
    model = load_model(backbone, adapter, dtype=dtype).model
    assert model.backbone.dtype == expected
    assert {p.dtype for p in model.adapter_parameters().values()} == {torch.float32}


def test_the_attention_implementation_is_passed_on(backbone: Path, adapter: Path) -> None:
    model = load_model(backbone, adapter, attn_implementation="eager").model
    assert model.backbone.config._attn_implementation == "eager"


def test_an_unknown_attention_implementation_is_named_as_the_possible_cause(backbone: Path, adapter: Path) -> None:
    with pytest.raises(ModelLoadError, match="leave out attn_implementation='telepathy'"):
        load_model(backbone, adapter, attn_implementation="telepathy")


def test_an_unknown_hub_id_says_what_was_tried_and_what_to_do_offline(adapter: Path) -> None:
    with pytest.raises(ModelLoadError) as caught:
        load_model("nobody/no-such-model", adapter)
    text = str(caught.value)
    assert "'nobody/no-such-model'" in text
    assert "HF_HUB_OFFLINE is set" in text
    assert "hf download nobody/no-such-model" in text
    assert "embedded" in text


def test_without_a_connection_an_unknown_hub_id_says_so_too(adapter: Path, tmp_path: Path) -> None:
    code = f"from dmem_agents import load_model; load_model('nobody/no-such-model', {str(adapter)!r})"
    # Port 9 of this machine answers nothing: a hub that can't be reached, without waiting for one.
    nowhere = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | nowhere, capture_output=True, text=True, check=False
    )
    assert "ModelLoadError" in result.stderr
    assert "http://127.0.0.1:9" in result.stderr
    assert "Check the spelling and the connection" in result.stderr


@pytest.mark.parametrize("name", ["./no/such/folder", "~/no-such-folder", "a/b/c", Path("nowhere")])
def test_a_path_that_is_not_there_is_not_looked_up_on_the_hub(name: str | Path, adapter: Path) -> None:
    with pytest.raises(ModelLoadError, match="does not exist"):
        load_model(name, adapter)


def test_a_folder_without_a_config_is_no_model(tmp_path: Path, adapter: Path) -> None:
    with pytest.raises(ModelLoadError, match="no config"):
        load_model(tmp_path, adapter)


def test_damaged_weights_are_reported_with_their_folder(tmp_path: Path, adapter: Path) -> None:
    folder = save_tiny_model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0no json!")
    with pytest.raises(ModelLoadError, match="weight files are damaged") as caught:
        load_model(folder, adapter)
    assert str(folder) in str(caught.value)


def test_code_that_a_model_folder_brings_along_is_never_run(tmp_path: Path, adapter: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "config.json").write_text(
        '{"model_type": "trap", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}}'
    )
    (tmp_path / "code.py").write_text(f"open({str(trap)!r}, 'w')\nC = M = object\n")
    with pytest.raises(ModelLoadError):
        load_model(tmp_path, adapter)
    assert not trap.exists()


def test_a_model_without_an_adapter_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="'some/model' needs an adapter"):
        load_model("some/model")


def test_an_adapter_folder_that_is_not_there_is_refused_before_the_model_is_read(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="nowhere"):
        load_model("some/model", tmp_path / "nowhere")


def test_a_folder_that_is_no_adapter_is_refused(backbone: Path, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"delta_mem_config\.json"):
        load_model(backbone, tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path, adapter: Path) -> None:
    other = save_tiny_model(tmp_path / "wider", hidden_size=64)
    with pytest.raises(AdapterError):
        load_model(other, adapter)


@pytest.mark.parametrize("dtype", ["float64", "int8", "half", ""])
def test_an_unknown_dtype_is_refused_with_the_known_ones(dtype: str) -> None:
    with pytest.raises(ConfigError, match="float32, bfloat16, float16"):
        load_model("some/model", dtype=dtype)


@pytest.mark.parametrize("device", ["toaster", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=repr(device)):
        load_model("some/model", device=device)


def test_the_embedded_model_wants_an_adapter_when_the_wheel_ships_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_PACKAGED_ADAPTER", tmp_path)
    assert packaged_adapter_folder() is None
    with pytest.raises(AdapterError, match="DMEM_ADAPTER"):
        load_model()


def test_the_embedded_model_opens_with_the_adapter_in_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also: it opens fast, says nothing, and its name tells no cache path."""
    from transformers import AutoModelForCausalLM

    config = DeltaMemConfig(rank=2, delta_heads=("o",), target_layers=(3,))
    fresh = attach(AutoModelForCausalLM.from_pretrained(embedded_model_folder()), config)
    save_adapter(fresh, tmp_path)
    monkeypatch.setattr(loading, "_PACKAGED_ADAPTER", tmp_path)
    capfd.readouterr()
    started = time.perf_counter()
    loaded = load_model()
    seconds = time.perf_counter() - started
    assert capfd.readouterr() == ("", "")
    assert loaded.model.backbone_id == EMBEDDED_MODEL_ID
    assert loaded.model.fingerprint == fresh.fingerprint
    assert seconds < 10  # 0.5 s on two idle cores
