"""Which tokens count as real, for every form of attention mask: seen in whole forwards, and alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, StaticCache

from dmem_agents.backbones import valid_tokens
from dmem_agents.errors import ConfigError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.testing.tiny_model import tiny_model

PADDED = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]])


def _four_dimensional(mask: Tensor, tokens: int, *, additive: bool) -> Tensor:
    """Causal over all columns of a 2-D mask, for the last `tokens` rows; True or 0 = attend."""
    total = mask.shape[1]
    causal = torch.arange(total) <= torch.arange(total - tokens, total)[:, None]
    allowed = causal[None, None] & mask[:, None, None, :].bool()
    lowest = torch.finfo(torch.float32).min
    return torch.zeros(allowed.shape).masked_fill(~allowed, lowest) if additive else allowed


def _model(attn: str) -> DeltaMemModel:
    torch.manual_seed(0)
    return attach(tiny_model("qwen3", attn_implementation=attn), DeltaMemConfig(output_init="random", online_gain=2.0))


def _ids(tokens: int = 7) -> Tensor:
    return torch.randint(3, 259, (3, tokens), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def _two_calls(model: DeltaMemModel, form: Any, cache: Any) -> tuple[Tensor, Tensor]:
    """Logits of the second call and the state after it."""
    ids, state = _ids(), None
    for start, end in ((0, 4), (4, 7)):
        out = model.forward(
            ids[:, start:end], state=state, attention_mask=form(PADDED[:, :end], end - start), cache=cache
        )
        state = out.state
    return out.logits, out.state


def _two_dimensional(mask: Tensor, _tokens: int) -> Tensor:
    return mask


def _additive(mask: Tensor, tokens: int) -> Tensor:
    return _four_dimensional(mask, tokens, additive=True)


def _boolean(mask: Tensor, tokens: int) -> Tensor:
    return _four_dimensional(mask, tokens, additive=False)


@pytest.mark.parametrize(("attn", "form"), [("eager", _additive), ("sdpa", _additive), ("sdpa", _boolean)])
def test_a_four_dimensional_mask_means_what_the_two_dimensional_one_means(attn: str, form: Any) -> None:
    model = _model(attn)
    logits, state = _two_calls(model, form, DynamicCache())
    expected_logits, expected_state = _two_calls(model, _two_dimensional, DynamicCache())
    torch.testing.assert_close(state, expected_state, atol=1e-5, rtol=1e-4)
    valid = PADDED[:, 4:] == 1
    torch.testing.assert_close(logits[valid], expected_logits[valid], atol=2e-5, rtol=1e-4)


def test_eager_attention_with_a_boolean_mask_is_right_or_refused_but_never_silently_wrong() -> None:
    """Eager attention adds its mask to the scores, so True would mean +1 and False nothing."""
    model = _model("eager")
    _, expected_state = _two_calls(model, _two_dimensional, DynamicCache())
    try:
        _, state = _two_calls(model, _boolean, DynamicCache())
    except ConfigError:
        return
    torch.testing.assert_close(state, expected_state, atol=1e-5, rtol=1e-4)


def test_sdpa_and_eager_write_the_same_state_for_every_padding_and_on_later_calls() -> None:
    """The research code misreads sdpa's boolean masks and writes no valid token at all."""
    eager, sdpa = (_two_calls(_model(attn), _two_dimensional, DynamicCache()) for attn in ("eager", "sdpa"))
    torch.testing.assert_close(sdpa[1], eager[1], atol=1e-5, rtol=1e-4)
    assert (sdpa[1].norm(dim=(-1, -2)) > 0.1).all(), "every row of every layer holds something"


@pytest.mark.parametrize("attn", ["eager", "sdpa"])
def test_a_static_cache_gives_the_state_of_a_growing_one(attn: str) -> None:
    model = _model(attn)
    static = StaticCache(config=model.backbone.config, max_cache_len=16)
    logits, state = _two_calls(model, _two_dimensional, static)
    expected_logits, expected_state = _two_calls(model, _two_dimensional, DynamicCache())
    torch.testing.assert_close(state, expected_state, atol=1e-5, rtol=1e-4)
    valid = PADDED[:, 4:] == 1
    torch.testing.assert_close(logits[valid], expected_logits[valid], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("attn", ["eager", "sdpa"])
def test_no_mask_means_that_every_token_is_real(attn: str) -> None:
    model = _model(attn)
    with torch.no_grad():
        bare = model.forward(_ids())
        ones = model.forward(_ids(), attention_mask=torch.ones(3, 7, dtype=torch.long))
    torch.testing.assert_close(bare.state, ones.state, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(bare.logits, ones.logits, atol=1e-5, rtol=1e-5)


def test_every_form_names_the_same_tokens() -> None:
    for past, tokens in ((0, 7), (4, 3), (6, 1)):
        expected = PADDED[:, past:] == 1
        for mask in (
            PADDED,
            PADDED.bool(),
            PADDED.float(),
            _four_dimensional(PADDED, tokens, additive=True),
            _four_dimensional(PADDED, tokens, additive=False),
        ):
            valid = valid_tokens(mask, batch=3, tokens=tokens, past=past)
            assert valid is not None
            assert valid.dtype == torch.bool
            assert torch.equal(valid, expected)
    assert valid_tokens(None, batch=3, tokens=7, past=0) is None


@pytest.mark.parametrize(
    "mask",
    [
        torch.ones(3, 6),
        torch.ones(2, 7),
        torch.ones(7),
        torch.ones(3, 7, 7),
        torch.ones(3, 1, 6, 7, dtype=torch.bool),
        torch.ones(2, 1, 7, 7, dtype=torch.bool),
        torch.ones(3, 1, 7, 6, dtype=torch.bool),
    ],
    ids=lambda mask: str(list(mask.shape)),
)
def test_a_mask_of_another_shape_is_refused_with_both_shapes(mask: Tensor) -> None:
    with pytest.raises(ConfigError, match="mask") as caught:
        valid_tokens(mask, batch=3, tokens=7, past=0)
    assert str(list(mask.shape)) in str(caught.value)


def test_a_mask_that_leaves_out_the_cached_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match="mask"):
        valid_tokens(torch.ones(3, 3), batch=3, tokens=3, past=4)


def test_a_four_dimensional_integer_mask_is_refused_since_one_could_mean_either() -> None:
    with pytest.raises(ConfigError, match="mask"):
        valid_tokens(torch.ones(3, 1, 7, 7, dtype=torch.int64), batch=3, tokens=7, past=0)
