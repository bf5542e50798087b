"""A memory on a backbone: an empty one, cuts and padding, detaching, what is refused, threads."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from dmem_agents.errors import AdapterError, ConfigError, DmemError, StateError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.layers.fused import FusedPass
from dmem_agents.layers.projection import DeltaLinear
from dmem_agents.model import attach as attach_module
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.state import MemoryState
from dmem_agents.testing.tiny_model import TINY_FAMILIES, tiny_model

EVERYTHING = DeltaMemConfig(
    output_init="random", online_gain=2.0, couple_lambda=False, num_state_heads=2, delta_o_rmsnorm=True,
    trainable_delta_scale=True, delta_scale_granularity="head",
)  # fmt: skip
STRONG = DeltaMemConfig(output_init="random", online_gain=2.0)
ATTENTION = pytest.mark.parametrize("attn", ["eager", "sdpa"])
FAMILY = pytest.mark.parametrize("family", TINY_FAMILIES)


def _attached(
    family: str = "llama", attn: str = "sdpa", config: DeltaMemConfig = STRONG, **options: Any
) -> DeltaMemModel:
    torch.manual_seed(0)
    return attach(tiny_model(family, attn_implementation=attn, **options), config)


def _ids(batch: int, tokens: int, seed: int = 0) -> Tensor:
    return torch.randint(3, 259, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def _random_state(model: DeltaMemModel, batch: int, seed: int = 0) -> Tensor:
    layers, *matrix = model.layout.shape
    return torch.randn(layers, batch, *matrix, generator=torch.Generator().manual_seed(seed))


def _plain_turns(backbone: PreTrainedModel, ids: Tensor, mask: Tensor, cuts: list[int]) -> list[Tensor]:
    cache, logits, start = DynamicCache(config=backbone.config), [], 0
    for end in cuts:
        out = backbone(input_ids=ids[:, start:end], attention_mask=mask[:, :end], past_key_values=cache, use_cache=True)
        logits.append(out.logits)
        start = end
    return logits


@pytest.mark.parametrize(
    ("family", "options"),
    [*((family, {}) for family in TINY_FAMILIES), ("mistral", {"sliding_window": 4})],
    ids=str,
)
@ATTENTION
@torch.no_grad()
def test_an_empty_memory_that_only_reads_leaves_every_bit_of_the_logits(
    family: str, options: dict[str, Any], attn: str
) -> None:
    plain = tiny_model(family, attn_implementation=attn, **options)
    model = _attached(family, attn, EVERYTHING, **options)
    ids = _ids(3, 12)
    mask = (torch.arange(12) >= torch.tensor([[0], [2], [5]])).long()
    assert torch.equal(model.forward(ids, write=False).logits, plain(input_ids=ids).logits)
    cache, start, state = DynamicCache(config=plain.config), 0, None
    for end, expected in zip((7, 11, 12), _plain_turns(plain, ids, mask, [7, 11, 12]), strict=True):
        out = model.forward(ids[:, start:end], state=state, attention_mask=mask[:, :end], cache=cache, write=False)
        assert torch.equal(out.logits, expected)
        assert not out.state.any()
        start, state = end, out.state


@pytest.mark.parametrize("tokens", [12, 40])  # compiled steps, and products in place
@torch.no_grad()
def test_an_empty_memory_of_frozen_weights_leaves_every_bit_too(tokens: int) -> None:
    plain, model = tiny_model(attn_implementation="sdpa"), _attached().requires_grad_(False)
    ids, mask = _ids(2, tokens + 1), torch.ones(2, tokens + 1, dtype=torch.long)
    out = model.forward(ids[:, :tokens], write=False, use_cache=True)
    later = model.forward(ids[:, tokens:], state=out.state, cache=out.cache)
    first, second = _plain_turns(plain, ids, mask, [tokens, tokens + 1])
    assert torch.equal(out.logits, first)
    assert torch.equal(later.logits, second)


def _prompt_and_answer(model: DeltaMemModel) -> list[Tensor]:
    """Logits and states of a padded prompt and three more tokens of two rows, one of which stops writing."""
    ids, mask = _ids(2, 9), torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1, 1], [1] * 9])
    state, cache, found, start = _random_state(model, 2), None, [], 0
    for end in (6, 7, 8, 9):
        out = model.forward(
            ids[:, start:end],
            state=state,
            attention_mask=mask[:, :end],
            write_mask=torch.tensor([[True], [end < 8]]).expand(2, end - start),
            message_ids=torch.arange(start, end).expand(2, -1) // 4,
            cache=cache,
            use_cache=True,
        )
        found += [out.logits[mask[:, start:end] == 1], out.state]
        state, cache, start = out.state, out.cache, end
    return found


@FAMILY
@pytest.mark.parametrize("granularity", ["token", "message_mean"])
@torch.no_grad()
def test_compiled_steps_of_frozen_weights_give_what_tensor_operations_give(
    family: str, granularity: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = DeltaMemConfig(
        output_init="random", online_gain=2.0, num_state_heads=2, memory_write_granularity=granularity
    )
    passes: list[int] = []

    class Counted(FusedPass):
        def __init__(self, *arguments: Any, tokens: int, **options: Any) -> None:
            passes.append(tokens)
            super().__init__(*arguments, tokens=tokens, **options)

    monkeypatch.setattr(attach_module, "FusedPass", Counted)
    expected = _prompt_and_answer(_attached(family, config=config))
    assert passes == []
    found = _prompt_and_answer(_attached(family, config=config).requires_grad_(False))
    assert passes == ([6, 1, 1, 1] if granularity == "token" else [1, 1, 1])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("heads", [("o",), ("k", "v"), ("q", "k", "v", "o")], ids="".join)
@torch.no_grad()
def test_compiled_steps_steer_any_projections(heads: tuple[Any, ...]) -> None:
    config = DeltaMemConfig(output_init="random", online_gain=2.0, delta_heads=heads)
    expected = _prompt_and_answer(_attached(config=config))
    found = _prompt_and_answer(_attached(config=config).requires_grad_(False))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_what_hooks_into_a_wrapped_linear_acts_in_compiled_steps_too() -> None:
    def doubled(_: object, __: object, output: Tensor) -> Tensor:
        return 2 * output

    def answer(*, frozen: bool) -> list[Tensor]:
        model = _attached().requires_grad_(not frozen)
        for wrapper in (m for m in model.modules() if isinstance(m, DeltaLinear)):
            wrapper.base.register_forward_hook(doubled)
        return _prompt_and_answer(model)

    without = _prompt_and_answer(_attached())
    for ours, theirs, other in zip(answer(frozen=True), answer(frozen=False), without, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)
        assert not torch.allclose(ours, other, atol=1e-3)


@torch.no_grad()
def test_a_copy_of_a_frozen_model_decodes_with_weights_of_its_own() -> None:
    model = _attached().requires_grad_(False)
    out = model.forward(_ids(1, 6), state=_random_state(model, 1), use_cache=True)
    kept, copied = copy.deepcopy(out.cache), copy.deepcopy(model)
    expected = model.forward(_ids(1, 1), state=out.state, cache=out.cache)
    for weights in model._packed or []:
        weights.projection.fill_(9.0)
    found = copied.forward(_ids(1, 1), state=out.state, cache=kept)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.state, expected.state)


@torch.no_grad()
def test_new_weights_within_an_answer_are_used_at_once() -> None:
    model, other = _attached().requires_grad_(False), _attached(config=DeltaMemConfig(output_init="random"))
    out = model.forward(_ids(1, 6), use_cache=True)
    before = model.forward(_ids(1, 1), state=out.state, cache=copy.deepcopy(out.cache)).state
    new = {name: p + 1 for name, p in other.adapter_parameters().items()}
    model.load_adapter_parameters(new)
    after = model.forward(_ids(1, 1), state=out.state, cache=copy.deepcopy(out.cache)).state
    other.load_adapter_parameters(new)
    expected = other.forward(_ids(1, 1), state=out.state, cache=out.cache).state
    assert not torch.allclose(after, before, atol=1e-3)
    torch.testing.assert_close(after[0], expected[0], atol=2e-5, rtol=1e-4)


@FAMILY
@ATTENTION
@torch.no_grad()
def test_the_first_token_of_all_is_the_plain_models_and_later_ones_are_not(family: str, attn: str) -> None:
    plain, model = tiny_model(family, attn_implementation=attn), _attached(family, attn)
    out = model.forward(_ids(2, 9))
    expected = plain(input_ids=_ids(2, 9)).logits
    assert torch.equal(out.logits[:, 0], expected[:, 0])
    assert (out.logits[:, 1:] - expected[:, 1:]).abs().amax(dim=-1).min() > 1e-4


@torch.no_grad()
def test_from_an_empty_state_a_pass_that_writes_pooled_messages_is_the_plain_backbone() -> None:
    plain = tiny_model("llama", attn_implementation="sdpa")
    config = DeltaMemConfig(output_init="random", memory_write_granularity="message_mean")
    out = _attached(config=config).forward(_ids(2, 9), message_ids=torch.arange(9).expand(2, 9) // 4)
    assert torch.equal(out.logits, plain(input_ids=_ids(2, 9)).logits)
    assert out.state.any()


@FAMILY
@ATTENTION
@settings(deadline=None, max_examples=8)
@given(cuts=st.lists(st.integers(1, 13), max_size=4, unique=True), pad=st.integers(0, 5), seed=st.integers(0, 99))
def test_a_sequence_may_be_cut_into_calls_anywhere_and_padded_on_the_left(
    family: str, attn: str, cuts: list[int], pad: int, seed: int
) -> None:
    model = _attached(family, attn)
    ids, start_state = _ids(1, 14, seed), 0.5 * _random_state(model, 1, seed)
    with torch.no_grad():
        whole = model.forward(ids, state=start_state)
        padded = torch.cat([_ids(1, pad, seed + 1), ids], dim=1)
        mask = (torch.arange(14 + pad) >= pad).long()[None]
        cache, state, start, logits = DynamicCache(config=model.backbone.config), start_state, 0, []
        for end in [*(cut + pad for cut in sorted(cuts)), 14 + pad]:
            out = model.forward(padded[:, start:end], state=state, attention_mask=mask[:, :end], cache=cache)
            state, start = out.state, end
            logits.append(out.logits)
    torch.testing.assert_close(state, whole.state, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cat(logits, dim=1)[:, pad:], whole.logits, atol=5e-5, rtol=1e-4)


@FAMILY
@ATTENTION
@torch.no_grad()
def test_agents_in_one_batch_get_what_each_would_get_alone_in_any_order_and_padding(family: str, attn: str) -> None:
    model = _attached(family, attn)
    lengths, states = [9, 4, 6], _random_state(model, 3)
    alone = [model.forward(_ids(1, length, row), state=states[:, row : row + 1]) for row, length in enumerate(lengths)]
    for order in ([0, 1, 2], [2, 0, 1]):
        for side in ("left", "right"):
            ids, mask = torch.zeros(3, 9, dtype=torch.long), torch.zeros(3, 9, dtype=torch.long)
            spans = [slice(9 - lengths[r], 9) if side == "left" else slice(0, lengths[r]) for r in order]
            for row, (agent, span) in enumerate(zip(order, spans, strict=True)):
                ids[row, span], mask[row, span] = _ids(1, lengths[agent], agent)[0], 1
            out = model.forward(ids, state=states[:, order], attention_mask=mask)
            for row, (agent, span) in enumerate(zip(order, spans, strict=True)):
                torch.testing.assert_close(out.logits[row, span], alone[agent].logits[0], atol=5e-5, rtol=1e-4)
                torch.testing.assert_close(out.state[:, row], alone[agent].state[:, 0], atol=2e-5, rtol=1e-4)


@ATTENTION
@torch.no_grad()
def test_another_agent_in_the_batch_changes_nothing_whatever_it_says_or_remembers(attn: str) -> None:
    model = _attached(attn=attn)
    ids, states = _ids(2, 8), _random_state(model, 2)
    one = model.forward(ids, state=states)
    ids[1], states[:, 1] = _ids(1, 8, seed=5)[0], 50 * states[:, 1]
    other = model.forward(ids, state=states)
    assert torch.equal(one.logits[0], other.logits[0])
    assert torch.equal(one.state[:, 0], other.state[:, 0])
    assert not torch.equal(one.logits[1], other.logits[1])


@torch.no_grad()
def test_a_row_of_padding_alone_keeps_its_state_to_the_bit() -> None:
    model = _attached()
    states = _random_state(model, 2)
    mask = torch.tensor([[1] * 6, [0] * 6])
    out = model.forward(_ids(2, 6), state=states, attention_mask=mask)
    assert torch.equal(out.state[:, 1], states[:, 1])
    assert not torch.equal(out.state[:, 0], states[:, 0])


@torch.no_grad()
def test_the_state_is_a_value_the_incoming_one_stays_and_no_call_remembers_another() -> None:
    model = _attached()
    state = _random_state(model, 1)
    before = state.clone()
    first = model.forward(_ids(1, 6), state=state)
    again = model.forward(_ids(1, 6), state=state)
    assert torch.equal(state, before)
    assert torch.equal(first.state, again.state)
    assert torch.equal(first.logits, again.logits)
    assert not torch.equal(first.state, state)
    assert not model.forward(_ids(1, 6), write=False).state.any()


@torch.no_grad()
def test_reading_only_returns_the_state_to_the_bit_and_ignores_ids() -> None:
    model = _attached(config=DeltaMemConfig(output_init="random", memory_write_granularity="sentence_mean"))
    state = _random_state(model, 2)
    out = model.forward(_ids(2, 6), state=state, write=False, message_ids=torch.zeros(2, 6, dtype=torch.long))
    assert torch.equal(out.state, state)


@torch.no_grad()
def test_only_the_asked_for_logits_come_back_and_a_cache_only_on_request() -> None:
    model = _attached()
    whole = model.forward(_ids(2, 6))
    last = model.forward(_ids(2, 6), logits_to_keep=1, use_cache=True)
    assert last.logits.shape == (2, 1, 259)
    torch.testing.assert_close(last.logits[:, 0], whole.logits[:, -1])
    assert whole.cache is None
    assert last.cache is not None
    assert last.cache.get_seq_length() == 6


@torch.no_grad()
def test_positions_are_the_callers_when_given() -> None:
    model, plain = _attached(), tiny_model("llama", attn_implementation="sdpa")
    positions = torch.tensor([[3, 5, 6, 9, 20, 21]])
    ours = model.forward(_ids(1, 6), position_ids=positions, write=False).logits
    assert torch.equal(ours, plain(input_ids=_ids(1, 6), position_ids=positions, use_cache=False).logits)


@FAMILY
def test_detaching_gives_back_the_very_modules_parameters_and_bits(family: str) -> None:
    backbone = tiny_model(family, attn_implementation="sdpa")
    backbone.get_parameter("model.embed_tokens.weight").requires_grad_(False)
    modules = dict(backbone.named_modules())
    parameters = dict(backbone.named_parameters())
    bits = {name: p.detach().clone() for name, p in parameters.items()}
    wanted = {name: p.requires_grad for name, p in parameters.items()}
    hooks = {name: (len(m._forward_hooks), len(m._forward_pre_hooks)) for name, m in modules.items()}
    names = list(backbone.state_dict())
    with torch.no_grad():
        expected = backbone(input_ids=_ids(2, 7)).logits
        model = attach(backbone, EVERYTHING)
        model.forward(_ids(2, 7))
    assert list(backbone.state_dict()) == names, "saving the backbone while attached stores the plain model"

    assert model.detach() is backbone
    after = dict(backbone.named_modules())
    assert list(after) == list(modules)
    assert all(after[name] is module for name, module in modules.items())
    assert [name for name, _ in backbone.named_parameters()] == list(parameters)
    for name, parameter in backbone.named_parameters():
        assert parameter is parameters[name]
        assert torch.equal(parameter, bits[name])
        assert parameter.requires_grad == wanted[name], name
        assert parameter.grad is None
    assert {n: (len(m._forward_hooks), len(m._forward_pre_hooks)) for n, m in after.items()} == hooks
    assert not any(m.training for m in after.values())
    with torch.no_grad():
        assert torch.equal(backbone(input_ids=_ids(2, 7)).logits, expected)


@FAMILY
@ATTENTION
@torch.no_grad()
def test_calling_the_backbone_itself_while_attached_is_the_frozen_model(family: str, attn: str) -> None:
    plain, model = tiny_model(family, attn_implementation=attn), _attached(family, attn)
    expected = plain(input_ids=_ids(2, 7)).logits
    assert torch.equal(model.backbone(input_ids=_ids(2, 7)).logits, expected)
    model.forward(_ids(2, 7), state=_random_state(model, 2))
    assert torch.equal(model.backbone(input_ids=_ids(2, 7)).logits, expected)


@torch.no_grad()
def test_after_a_forward_that_failed_the_backbone_is_still_the_frozen_model() -> None:
    plain, model = tiny_model("llama", attn_implementation="sdpa"), _attached()
    with pytest.raises(IndexError):
        model.forward(torch.full((1, 4), 10_000), state=_random_state(model, 1))
    assert torch.equal(model.backbone(input_ids=_ids(1, 4)).logits, plain(input_ids=_ids(1, 4)).logits)


def test_a_backbone_is_frozen_while_attached_and_only_the_adapter_trains() -> None:
    model = _attached()
    own = {id(p) for p in model.adapter_parameters().values() if p.requires_grad}
    assert {id(p) for p in model.parameters() if p.requires_grad} == own


def test_attaching_inside_inference_mode_is_refused_and_leaves_the_backbone_plain() -> None:
    backbone = tiny_model("llama")
    with torch.inference_mode(), pytest.raises(ConfigError, match="Attach first"):
        attach(backbone, DeltaMemConfig())
    attach(backbone, DeltaMemConfig()).detach()


def test_a_second_memory_on_one_backbone_is_refused_and_the_first_keeps_working() -> None:
    model = _attached()
    with torch.no_grad():
        before = model.forward(_ids(1, 5))
        with pytest.raises(ConfigError, match="detach"):
            attach(model.backbone, STRONG)
        after = model.forward(_ids(1, 5))
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.state, after.state)


def test_a_detached_model_refuses_to_run_instead_of_answering_without_memory() -> None:
    model = _attached()
    model.detach()
    with torch.no_grad(), pytest.raises(DmemError, match="detach"):
        model.forward(_ids(1, 5), state=_random_state(model, 1), write=False)


def test_detaching_twice_does_not_touch_the_memory_that_came_later() -> None:
    old = _attached()
    new = attach(old.detach(), STRONG)
    with torch.no_grad():
        expected = new.forward(_ids(1, 5), state=_random_state(new, 1)).logits
        try:
            old.detach()
        except DmemError:
            pass  # refusing is as good as doing nothing
        assert torch.equal(new.forward(_ids(1, 5), state=_random_state(new, 1)).logits, expected)


def test_a_backbone_can_be_given_another_memory_after_detaching() -> None:
    first = _attached()
    second = attach(first.detach(), DeltaMemConfig(rank=4, num_state_heads=2, delta_heads=("v",)))
    assert second.layout.shape == (2, 2, 4, 4)
    with torch.no_grad():
        assert second.forward(_ids(1, 5)).state.shape == (2, 1, 2, 4, 4)


def test_an_attach_that_fails_leaves_the_backbone_plain() -> None:
    backbone = tiny_model("llama")
    modules = dict(backbone.named_modules())
    with pytest.raises(ConfigError):
        attach(backbone, DeltaMemConfig(target_layers=(0, 5)))
    assert dict(backbone.named_modules()) == modules
    assert all(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize(
    "state",
    [
        torch.zeros(2, 1, 1, 8, 8),
        torch.zeros(2, 3, 1, 8, 8),
        torch.zeros(3, 2, 1, 8, 8),
        torch.zeros(2, 2, 2, 8, 8),
        torch.zeros(2, 2, 1, 4, 4),
        torch.zeros(2, 2, 8, 8),
        torch.zeros(2, 2, 1, 8, 8, dtype=torch.float64),
        torch.zeros(2, 2, 1, 8, 8, dtype=torch.bfloat16),
        torch.zeros(2, 2, 1, 8, 8, dtype=torch.int64),
    ],
    ids=lambda state: f"{list(state.shape)} {state.dtype}",
)
@pytest.mark.parametrize("write", [True, False])
def test_a_state_that_does_not_fit_is_refused_with_both_shapes_and_never_reset(state: Tensor, write: bool) -> None:
    with pytest.raises(StateError, match=r"\[2, 2, 1, 8, 8\]") as caught:
        _attached().forward(_ids(2, 5), state=state, write=write)
    assert str(list(state.shape)) in str(caught.value)
    assert str(state.dtype) in str(caught.value)


@pytest.mark.parametrize(
    "write_mask",
    [
        torch.ones(2, 4, dtype=torch.bool),
        torch.ones(1, 5, dtype=torch.bool),
        torch.ones(2, 5, dtype=torch.long),
    ],
)
def test_a_write_mask_that_does_not_fit_is_refused(write_mask: Tensor) -> None:
    with pytest.raises(ConfigError, match="write_mask"):
        _attached().forward(_ids(2, 5), write_mask=write_mask)


@pytest.mark.parametrize("granularity", ["message_mean", "sentence_mean"])
@pytest.mark.parametrize("shape", [None, (2, 4), (1, 5), (5,)])
def test_pooled_writes_without_fitting_ids_are_refused_and_never_become_token_writes(
    granularity: str, shape: tuple[int, ...] | None
) -> None:
    model = _attached(config=DeltaMemConfig(memory_write_granularity=granularity))  # type: ignore[arg-type]
    wrong = None if shape is None else torch.zeros(shape, dtype=torch.long)
    good = torch.zeros(2, 5, dtype=torch.long)
    calls = [{"message_ids": wrong, "sentence_ids": good}]
    if granularity == "sentence_mean":
        calls.append({"message_ids": good, "sentence_ids": wrong})
    for ids in calls:
        with pytest.raises(ConfigError, match="_ids"):
            model.forward(_ids(2, 5), **ids)


def test_parameters_must_be_complete_known_shaped_and_finite_and_a_refusal_changes_nothing() -> None:
    model = _attached()
    good = {name: p.detach().clone() for name, p in model.adapter_parameters().items()}
    name = "model.layers.1.self_attn.beta_bias"
    broken = {
        "missing": {k: v for k, v in good.items() if k != name},
        "unknown": good | {"model.layers.9.self_attn.beta_bias": torch.zeros(8)},
        "beta_bias": good | {name: torch.zeros(1)},
        "finite": good | {name: torch.full((8,), torch.nan)},
        "floating": good | {name: torch.zeros(8, dtype=torch.int64)},
    }
    for word, tensors in broken.items():
        changed = {k: v + 1 if v.is_floating_point() and v.numel() else v for k, v in tensors.items()}
        with pytest.raises(AdapterError, match=word):
            model.load_adapter_parameters(changed)
        for key, parameter in model.adapter_parameters().items():
            assert torch.equal(parameter, good[key]), f"{word}: {key} was changed"


@torch.no_grad()
def test_new_weights_are_used_at_once_however_they_were_set() -> None:
    """Packed copies of the weights must not outlive them."""
    ids = _ids(1, 6)
    for change in ("copy_", "data", "load_adapter_parameters", "load_state_dict"):
        model, fresh = _attached(), _attached()
        model.forward(ids)
        new = {name: p.detach() * 1.5 + 0.1 for name, p in model.adapter_parameters().items()}
        fresh.load_adapter_parameters(new)
        if change == "load_adapter_parameters":
            model.load_adapter_parameters(new)
        elif change == "load_state_dict":
            model.load_state_dict(fresh.state_dict())
        else:
            for name, parameter in model.adapter_parameters().items():
                (parameter if change == "copy_" else parameter.data).copy_(new[name])
        assert torch.equal(model.forward(ids).state, fresh.forward(ids).state), change


def test_weights_after_a_fused_optimiser_step_are_used_at_once_and_change_the_fingerprint() -> None:
    """The paper trains with fused AdamW, whose step leaves torch's version counters where they were."""
    model, fresh, ids = _attached(), _attached(), _ids(1, 6)
    with torch.no_grad():
        before, fingerprint = model.forward(ids).state, model.fingerprint
    trained = [p for p in model.adapter_parameters().values() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=0.1, fused=True)
    model.forward(ids).logits.square().sum().backward()
    optimiser.step()
    fresh.load_adapter_parameters({name: p.detach().clone() for name, p in model.adapter_parameters().items()})
    with torch.no_grad():
        after, expected = model.forward(ids).state, fresh.forward(ids).state
    assert not torch.equal(expected, before)
    assert torch.equal(after, expected)
    assert model.fingerprint == fresh.fingerprint != fingerprint


def test_a_model_frozen_after_a_fused_optimiser_step_has_a_new_fingerprint() -> None:
    model = _attached()
    before = model.fingerprint
    trained = [p for p in model.adapter_parameters().values() if p.requires_grad]
    model.forward(_ids(1, 6)).logits.square().sum().backward()
    torch.optim.AdamW(trained, lr=0.1, fused=True).step()
    fresh = _attached()
    fresh.load_adapter_parameters({name: p.detach().clone() for name, p in model.adapter_parameters().items()})
    assert model.requires_grad_(False).fingerprint == fresh.fingerprint != before
    assert model.fingerprint == fresh.fingerprint


@torch.no_grad()
def test_weights_set_before_a_long_prompt_serve_its_answer() -> None:
    model, fresh = _attached().requires_grad_(False), _attached().requires_grad_(False)
    out = model.forward(_ids(1, 40), use_cache=True)
    before = model.forward(_ids(1, 1), state=out.state, cache=out.cache).state
    for name, parameter in model.adapter_parameters().items():
        parameter.mul_(1.5)
        fresh.adapter_parameters()[name].copy_(parameter)
    states = []
    for changed in (model, fresh):
        out = changed.forward(_ids(1, 40), use_cache=True)
        states.append(changed.forward(_ids(1, 1), state=out.state, cache=out.cache).state)
    assert torch.equal(*states)
    assert not torch.equal(states[0], before)


@pytest.mark.parametrize(
    ("rope", "expected"),
    [
        ({"rope_type": "default"}, 131072),
        ({"rope_type": "longrope", "original_max_position_embeddings": 4096}, 4096),
        ({"rope_type": "dynamic", "factor": 2.0}, 131072),
        ({"rope_type": "llama3", "original_max_position_embeddings": 8192}, 131072),
    ],
)
def test_the_context_ends_where_positions_would_change_with_the_neighbours(rope: dict[str, Any], expected: int) -> None:
    model = _attached()
    model.backbone.config.max_position_embeddings = 131072
    model.backbone.config.rope_parameters = rope
    assert model.max_context == expected


def test_another_default_dtype_changes_nothing() -> None:
    model, ids = _attached().requires_grad_(False), _ids(1, 3)
    with torch.no_grad():
        expected = model.forward(ids, state=model.forward(ids).state).state
        for dtype in (torch.bfloat16, torch.float64):
            torch.set_default_dtype(dtype)
            try:
                state = MemoryState.zeros(model.layout)
                again = model.forward(ids, state=model.forward(ids).state).state
            finally:
                torch.set_default_dtype(torch.float32)
            assert state.values.dtype == again.dtype == torch.float32
            assert torch.equal(again, expected)


def test_inference_mode_first_does_not_spoil_training_later() -> None:
    model = _attached()
    with torch.inference_mode():
        state = model.forward(_ids(1, 6)).state
    state = model.forward(_ids(1, 6), state=state.clone()).state
    model.forward(_ids(1, 6), state=state, write=False).logits.sum().backward()
    assert model.layers["model.layers.0.self_attn"].memory_k_proj.grad.abs().sum() > 0


def test_a_step_of_training_can_be_repeated_with_the_returned_state() -> None:
    """The research code keeps the graph in the module, so that a second backward crashes."""
    model, state = _attached(), None
    for _ in range(3):
        out = model.forward(_ids(1, 6), state=state)
        out.logits.sum().backward()
        state = out.state.detach()


@torch.no_grad()
def test_half_precision_backbones_keep_a_float32_memory() -> None:
    backbone = tiny_model("llama", attn_implementation="sdpa").to(torch.bfloat16)
    model = attach(backbone, STRONG)
    out = model.forward(_ids(1, 6))
    assert out.logits.dtype == torch.bfloat16
    assert out.state.dtype == torch.float32
    assert {p.dtype for p in model.adapter_parameters().values()} == {torch.float32}
    assert model.forward(_ids(1, 6), state=out.state, write=False).logits.dtype == torch.bfloat16


@ATTENTION
def test_threads_with_different_states_never_mix_and_the_plain_backbone_stays_plain_beside_them(
    attn: str,
) -> None:
    model, plain = _attached(attn=attn), tiny_model("llama", attn_implementation=attn)
    ids = [_ids(1, 5 + row, row) for row in range(2)]
    states = [_random_state(model, 1, row) for row in range(2)]
    with torch.no_grad():
        expected = [model.forward(i, state=s) for i, s in zip(ids, states, strict=True)]
        frozen = plain(input_ids=ids[0]).logits
    barrier, failures = threading.Barrier(3), []

    def with_memory(row: int) -> None:
        barrier.wait(timeout=30)
        for _ in range(40):
            with torch.no_grad():
                out = model.forward(ids[row], state=states[row])
            if not (torch.equal(out.logits, expected[row].logits) and torch.equal(out.state, expected[row].state)):
                failures.append(row)

    def without_memory() -> None:
        barrier.wait(timeout=30)
        for _ in range(40):
            with torch.no_grad():
                if not torch.equal(model.backbone(input_ids=ids[0]).logits, frozen):
                    failures.append(-1)

    threads = [threading.Thread(target=with_memory, args=(row,)) for row in range(2)]
    threads.append(threading.Thread(target=without_memory))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
