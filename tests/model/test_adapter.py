"""Adapter folders: what is written, what is refused, and what the fingerprint of a model depends on."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dmem_agents.errors import AdapterError, DmemError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.adapter import load_adapter, save_adapter
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.testing.tiny_model import tiny_model

CONFIG, WEIGHTS, PUBLISHED = "delta_mem_config.json", "delta_mem_adapter.safetensors", "delta_mem_adapter.pt"
FIELDS = DeltaMemConfig(output_init="random", online_gain=2.0, couple_lambda=False, delta_heads=("q", "o"))
FORMS = pytest.mark.parametrize("form", [WEIGHTS, PUBLISHED])


def _model(config: DeltaMemConfig = FIELDS, *, seed: int = 0, family: str = "llama", **options: Any) -> DeltaMemModel:
    torch.manual_seed(seed)
    return attach(tiny_model(family, **options), config)


def _folder(path: Path, model: DeltaMemModel, form: str = WEIGHTS) -> Path:
    save_adapter(model, path)
    if form == PUBLISHED:
        torch.save(load_file(path / WEIGHTS), path / PUBLISHED)
        (path / WEIGHTS).unlink()
    return path


def _edit_weights(folder: Path, form: str, edit: Callable[[dict[str, Tensor]], Any]) -> None:
    file = folder / form
    tensors = load_file(file) if form == WEIGHTS else torch.load(file, weights_only=True)
    edit(tensors)
    save_file(tensors, file) if form == WEIGHTS else torch.save(tensors, file)


def _edit_config(folder: Path, **fields: Any) -> None:
    stored = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(stored | fields))


@torch.no_grad()
def _logits(model: DeltaMemModel) -> Tensor:
    ids = torch.randint(3, 259, (2, 7), generator=torch.Generator().manual_seed(0))
    return model.forward(ids).logits


@FORMS
@pytest.mark.parametrize(
    "config",
    [
        FIELDS,
        DeltaMemConfig(num_state_heads=4, target_layers=(1,), rankwise_gates=False, state_update_mode="no_lambda"),
        DeltaMemConfig(delta_o_rmsnorm=True, trainable_delta_scale=True, delta_scale_granularity="head"),
        DeltaMemConfig(memory_write_granularity="token", delta_heads=("o", "q"), alpha=12, rank=3),
    ],
    ids=["uncoupled", "heads", "options", "unordered"],
)
def test_a_saved_adapter_opens_as_the_same_adapter(tmp_path: Path, form: str, config: DeltaMemConfig) -> None:
    model = _model(config)
    again = load_adapter(tiny_model("llama"), _folder(tmp_path, model, form))
    assert again.config.to_dict() | {"delta_heads": 0} == model.config.to_dict() | {"delta_heads": 0}
    assert set(again.config.delta_heads) == set(model.config.delta_heads)
    assert again.fingerprint == model.fingerprint
    assert again.layout == model.layout
    assert torch.equal(_logits(again), _logits(model))
    trained = [name for name, p in model.adapter_parameters().items() if p.requires_grad]
    assert [name for name, p in again.adapter_parameters().items() if p.requires_grad] == trained


def test_saving_holds_every_parameter_and_nothing_of_the_backbone(tmp_path: Path) -> None:
    model = _model()
    save_adapter(model, tmp_path / "new" / "folder")
    stored = load_file(tmp_path / "new" / "folder" / WEIGHTS)
    assert set(stored) == set(model.adapter_parameters())
    assert all(tensor.dtype == torch.float32 for tensor in stored.values())
    assert not stored["model.layers.0.self_attn.delta_k_proj"].any(), "inactive heads are stored too, as zeros"


def test_saving_again_replaces_the_older_adapter_and_leaves_no_scraps(tmp_path: Path) -> None:
    save_adapter(_model(seed=1), tmp_path)
    model = _model(seed=2)
    save_adapter(model, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([CONFIG, WEIGHTS])
    assert load_adapter(tiny_model("llama"), tmp_path).fingerprint == model.fingerprint


def test_a_folder_that_cannot_be_written_is_an_adapter_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(AdapterError, match="taken"):
        save_adapter(_model(), tmp_path / "taken")


@FORMS
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda t: t.pop("model.layers.1.self_attn.lambda_bias"), "lambda_bias"),
        (lambda t: t.update({"model.layers.7.self_attn.beta_bias": torch.zeros(8)}), r"layers\.7"),
        (lambda t: t.update({"model.layers.0.self_attn.extra": torch.zeros(8)}), "extra"),
        (lambda t: t.update({"model.layers.0.self_attn.beta_bias": torch.zeros(1)}), r"\[1\]"),
        (lambda t: t.update({"model.layers.0.self_attn.beta_bias": torch.zeros(1, 8)}), r"\[1, 8\]"),
        (lambda t: t.update({"model.layers.0.self_attn.beta_bias": torch.tensor(0.5)}), r"\[\]"),
        (lambda t: t.update({"model.layers.0.self_attn.delta_q_proj": torch.zeros(8, 32)}), r"\[8, 32\]"),
        (lambda t: t.update({"model.layers.0.self_attn.beta_bias": torch.full((8,), torch.inf)}), "finite"),
        (lambda t: t.update({"model.layers.0.self_attn.beta_bias": torch.zeros(8).int()}), "int32"),
        (lambda t: t.clear(), "missing"),
    ],
    ids=["missing", "unknown_layer", "unknown_name", "broadcastable", "one_more_axis", "scalar", "transposed",
         "infinite", "integer", "empty"],
)  # fmt: skip
def test_weights_that_do_not_fit_exactly_are_refused_and_the_backbone_stays_plain(
    tmp_path: Path, form: str, edit: Callable[[dict[str, Tensor]], Any], says: str
) -> None:
    folder, backbone = _folder(tmp_path, _model(), form), tiny_model("llama")
    modules = dict(backbone.named_modules())
    _edit_weights(folder, form, edit)
    with pytest.raises(AdapterError, match=says):
        load_adapter(backbone, folder)
    assert dict(backbone.named_modules()) == modules
    assert all(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_stored_in_another_precision_are_read_into_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    model, folder = _model(), tmp_path
    _folder(folder, model)
    _edit_weights(folder, WEIGHTS, lambda t: t.update({name: value.to(dtype) for name, value in t.items()}))
    loaded = load_adapter(tiny_model("llama"), folder).adapter_parameters()
    for name, parameter in model.adapter_parameters().items():
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], parameter.to(dtype).float())


class _Bomb:
    """Pickles as a call; opening it would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (_explode, (str(self.target),))


def _explode(target: str) -> None:
    Path(target).write_text("executed")


def test_a_pt_file_that_would_execute_code_is_refused_and_executes_nothing(tmp_path: Path) -> None:
    folder, mark = _folder(tmp_path, _model(), PUBLISHED), tmp_path / "mark"
    torch.save({"model.layers.0.self_attn.beta_bias": _Bomb(mark)}, folder / PUBLISHED)
    with pytest.raises(AdapterError):
        load_adapter(tiny_model("llama"), folder)
    assert not mark.exists()


@FORMS
@pytest.mark.parametrize(
    "content", [b"", b"not a file of tensors", b"PK\x03\x04 truncated", b"\x08" + b"\x00" * 7 + b"{}"]
)
def test_damaged_weight_files_are_an_adapter_error_with_their_place(tmp_path: Path, form: str, content: bytes) -> None:
    folder = _folder(tmp_path, _model(), form)
    (folder / form).write_bytes(content)
    with pytest.raises(AdapterError, match=tmp_path.name):
        load_adapter(tiny_model("llama"), folder)


@FORMS
def test_a_truncated_weight_file_is_an_adapter_error(tmp_path: Path, form: str) -> None:
    folder = _folder(tmp_path, _model(), form)
    data = (folder / form).read_bytes()
    (folder / form).write_bytes(data[: len(data) // 2])
    with pytest.raises(AdapterError):
        load_adapter(tiny_model("llama"), folder)


@pytest.mark.parametrize("stored", [[torch.zeros(2)], {"a": 1}, {"a": {"b": torch.zeros(2)}}, torch.zeros(2)])
def test_a_pt_file_that_is_not_a_flat_dict_of_tensors_is_refused(tmp_path: Path, stored: Any) -> None:
    folder = _folder(tmp_path, _model(), PUBLISHED)
    torch.save(stored, folder / PUBLISHED)
    with pytest.raises(AdapterError):
        load_adapter(tiny_model("llama"), folder)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    backbone = tiny_model("llama")
    with pytest.raises(AdapterError, match="nowhere"):
        load_adapter(backbone, tmp_path / "nowhere")
    with pytest.raises(AdapterError, match=CONFIG):
        load_adapter(backbone, tmp_path)
    folder = _folder(tmp_path / "adapter", _model())
    (folder / WEIGHTS).unlink()
    with pytest.raises(AdapterError, match=WEIGHTS):
        load_adapter(backbone, folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"rank"', '{"rank": 0}', '{"rank": "8"}', '{"alpha": NaN}'])
def test_a_damaged_configuration_is_an_adapter_error_with_its_place(tmp_path: Path, text: str) -> None:
    folder = _folder(tmp_path, _model())
    (folder / CONFIG).write_text(text)
    with pytest.raises(AdapterError, match=tmp_path.name):
        load_adapter(tiny_model("llama"), folder)


def test_a_configuration_with_fields_of_a_later_release_opens_with_a_warning(tmp_path: Path) -> None:
    model = _model()
    _edit_config(_folder(tmp_path, model), invented_next_year=[1, 2])
    with pytest.warns(UserWarning, match="invented_next_year"):
        again = load_adapter(tiny_model("llama"), tmp_path)
    assert again.fingerprint == model.fingerprint


def test_a_configuration_that_asks_for_an_unsupported_mechanism_is_refused_by_field(tmp_path: Path) -> None:
    _edit_config(_folder(tmp_path, _model()), num_memory_partitions=2)
    with pytest.raises(DmemError, match="num_memory_partitions"):
        load_adapter(tiny_model("llama"), tmp_path)


def test_an_adapter_for_another_backbone_is_refused_with_what_differs(tmp_path: Path) -> None:
    _folder(tmp_path, _model())
    for backbone in (
        tiny_model("llama", hidden_size=64),
        tiny_model("llama", layers=3),
        tiny_model("llama", layers=1),
    ):
        with pytest.raises(AdapterError, match=r"layers|shape"):
            load_adapter(backbone, tmp_path)


def test_the_fingerprint_changes_with_every_single_weight_of_the_adapter() -> None:
    seen = {_model().fingerprint}
    for name in _model().adapter_parameters():
        model = _model()
        with torch.no_grad():
            model.adapter_parameters()[name].view(-1)[-1] += 1e-3
        seen.add(model.fingerprint)
    assert len(seen) == 1 + len(_model().adapter_parameters())


def test_the_fingerprint_follows_weights_that_change_after_it_was_asked_for() -> None:
    for change in ("in place", "data"):
        model = _model()
        before = model.fingerprint
        parameter = next(iter(model.adapter_parameters().values()))
        with torch.no_grad():
            (parameter if change == "in place" else parameter.data).add_(1.0)
        assert model.fingerprint != before, change


def test_the_fingerprint_changes_with_each_tensor_of_the_backbone() -> None:
    seen = {_model(family="qwen2").fingerprint}
    names = [name for name, _ in tiny_model("qwen2").named_parameters()]
    for name in names:
        backbone = tiny_model("qwen2")
        with torch.no_grad():
            backbone.get_parameter(name).mul_(1.01)
        torch.manual_seed(0)
        seen.add(attach(backbone, FIELDS).fingerprint)
    assert len(seen) == 1 + len(names)


@pytest.mark.parametrize(
    ("family", "option"),
    [
        ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}),
        ("llama", {"rms_norm_eps": 1e-3}),
        ("llama", {"hidden_act": "gelu"}),
        ("llama", {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 4}),
        ("mistral", {"sliding_window": 4}),
        ("smollm3", {"no_rope_layers": [0, 1]}),
    ],
    ids=str,
)
def test_the_fingerprint_changes_when_the_backbones_configuration_changes_its_results(
    family: str, option: dict[str, Any]
) -> None:
    """Such a model has equal weights and other hidden states, so states of one mean nothing to the other."""
    other = _model(family=family, **option)
    assert not torch.equal(_logits(other), _logits(_model(family=family)))
    assert other.fingerprint != _model(family=family).fingerprint


@pytest.mark.parametrize("attn", ["eager", "sdpa"])
def test_the_fingerprint_does_not_depend_on_how_attention_is_computed(attn: str) -> None:
    assert _model(attn_implementation=attn).fingerprint == _model().fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {"alpha": 8.0}, {"normalize_qk": False}, {"state_update_mode": "no_lambda"},
        {"memory_write_granularity": "message_mean"}, {"delta_heads": ("q",)}, {"target_layers": (0,)},
        {"num_state_heads": 2}, {"rank": 4}, {"delta_o_rmsnorm": True}, {"rankwise_gates": False},
    ],
    ids=str,
)  # fmt: skip
def test_the_fingerprint_changes_with_each_rule_of_the_adapter(fields: dict[str, Any]) -> None:
    base = {"output_init": "zero", "couple_lambda": False, "delta_heads": ("q", "o")}
    assert _model(DeltaMemConfig(**(base | fields))).fingerprint != _model(DeltaMemConfig(**base)).fingerprint


def test_equal_configurations_have_equal_fingerprints_however_they_were_written() -> None:
    zero = {"output_init": "zero"}
    assert DeltaMemConfig(alpha=16, **zero) == DeltaMemConfig(alpha=16.0, **zero)
    one, two = (_model(DeltaMemConfig(alpha=alpha, **zero)) for alpha in (16, 16.0))
    assert one.fingerprint == two.fingerprint


def test_the_fingerprint_is_the_same_in_another_process_and_before_and_after_use() -> None:
    model = _model()
    before = model.fingerprint
    _logits(model)
    assert model.fingerprint == before
    assert len(bytes.fromhex(before)) >= 16
    script = """
        import torch
        from dmem_agents.layers.config import DeltaMemConfig
        from dmem_agents.model.attach import attach
        from dmem_agents.testing.tiny_model import tiny_model
        torch.manual_seed(0)
        fields = {"output_init": "random", "online_gain": 2.0, "couple_lambda": False}
        config = DeltaMemConfig(delta_heads=("q", "o"), **fields)
        print(attach(tiny_model("llama"), config).fingerprint)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, check=True, timeout=120,
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout.strip().splitlines()[-1] == before
