"""Whole models against a second δ-mem, written token by token from delta-mem.md §1-§3, sharing no code.

The second model is the plain backbone whose projections are replaced by `_Projection`s below. They run the
memory as python loops in float64 and add its corrections; attention itself stays the backbone's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.attach import DeltaMemModel, attach
from dmem_agents.testing.tiny_model import TINY_FAMILIES, tiny_model

CLOSE = {"atol": 5e-5, "rtol": 1e-4}


@dataclass
class _Call:
    """What the loops know about one forward call."""

    valid: Tensor
    write: bool = True
    write_mask: Tensor | None = None
    message_ids: Tensor | None = None
    sentence_ids: Tensor | None = None


@dataclass
class _LoopMemory:
    """One layer's memory as loops over rows, tokens and heads."""

    config: DeltaMemConfig
    weights: dict[str, Tensor]
    states: list[list[Tensor]]
    call: _Call | None = None
    reads: Tensor = field(default_factory=lambda: torch.empty(0))

    def _vector(self, kind: str, head: int, hidden: Tensor) -> Tensor:
        rank = self.config.rank
        x = (self.weights[f"memory_{kind}_proj"] @ hidden)[head * rank : (head + 1) * rank]
        if kind == "v" or not self.config.normalize_qk:
            return x
        x = torch.tanh(x)
        return x / max(float(x.norm()), 1e-6)

    def _gate(self, name: str, head: int, hidden: Tensor) -> Tensor:
        rows = self.config.rank if self.config.rankwise_gates else 1
        logits = self.weights[f"{name}_proj"] @ hidden + self.weights[f"{name}_bias"]
        return torch.sigmoid(logits[head * rows : (head + 1) * rows]).expand(self.config.rank)

    def _write(self, row: int, hidden: Tensor) -> None:
        for head in range(self.config.num_state_heads):
            state = self.states[row][head]
            beta = self._gate("beta", head, hidden)
            decay = 1 - beta if self.config.couple_lambda else self._gate("lambda", head, hidden)
            keep = torch.ones_like(beta) if self.config.state_update_mode == "no_lambda" else decay
            erase = decay * beta if self.config.state_update_mode == "lambda_outside" else beta
            k, v = self._vector("k", head, hidden), self._vector("v", head, hidden)
            found = state @ k
            self.states[row][head] = keep[:, None] * state - torch.outer(erase * found, k) + torch.outer(beta * v, k)

    def _read(self, row: int, hidden: Tensor) -> Tensor:
        heads = range(self.config.num_state_heads)
        return torch.cat([self.states[row][h] @ self._vector("q", h, hidden) for h in heads])

    def _written(self, row: int, token: int) -> bool:
        call = self.call
        return bool(call.write and call.valid[row, token] and (call.write_mask is None or call.write_mask[row, token]))

    def _segments(self, row: int) -> list[list[int]]:
        """Tokens of each pooled write of a row, in ascending id order."""
        by_message = self.config.memory_write_granularity == "message_mean"
        groups: dict[int, list[int]] = {}
        for token in range(self.call.valid.shape[1]):
            message = int(self.call.message_ids[row, token])
            key = message if by_message else int(self.call.sentence_ids[row, token])
            if message >= 0 and key >= 0 and self._written(row, token):
                groups.setdefault(key, []).append(token)
        return [groups[key] for key in sorted(groups)]

    def run(self, hidden: Tensor) -> None:
        """Fill `reads` `[B, T, R]` and move the states on."""
        hidden = hidden.double()
        by_token = self.config.memory_write_granularity == "token"
        self.reads = torch.zeros(*hidden.shape[:2], self.config.rank * self.config.num_state_heads).double()
        for row in range(hidden.shape[0]):
            for token in range(hidden.shape[1]):
                if self.call.valid[row, token]:
                    self.reads[row, token] = self._read(row, hidden[row, token])
                if by_token and self._written(row, token):
                    self._write(row, hidden[row, token])
            if not by_token and self.call.write:
                for tokens in self._segments(row):
                    self._write(row, hidden[row, tokens].mean(dim=0))

    def correction(self, head: str) -> Tensor:
        """Δ of one projection for the reads of this call."""
        config = self.config
        scale = config.alpha / config.rank
        if config.trainable_delta_scale:
            index = "qkvo".index(head) if config.delta_scale_granularity == "head" else 0
            raw = float(self.weights["delta_scale_raw"][index])
            scale *= config.delta_scale_max / (1 + math.exp(-raw))
        change = scale * (self.reads @ self.weights[f"delta_{head}_proj"].T)
        if head not in config.delta_heads:
            change = torch.zeros_like(change)
        if head == "o" and config.delta_o_rmsnorm:
            size = (change.square().mean(dim=-1, keepdim=True) + config.delta_o_rmsnorm_eps).sqrt()
            change = change / size * self.weights["delta_o_rmsnorm_weight"]
        return change


class _Projection(nn.Module):
    """A linear of the plain model plus the corrections of the heads that it computes."""

    def __init__(self, base: nn.Module, memory: _LoopMemory, heads: str) -> None:
        super().__init__()
        self.base, self.memory, self.heads = base, memory, heads

    def forward(self, x: Tensor) -> Tensor:
        if "q" in self.heads:
            self.memory.run(x)
        changes = [self.memory.correction(head) for head in self.heads]
        return self.base(x) + torch.cat(changes, dim=-1).to(x.dtype)


class _LoopModel:
    """A plain backbone with the loops inside; the interface the tests need of `DeltaMemModel`."""

    def __init__(self, backbone: PreTrainedModel, like: DeltaMemModel, batch: int) -> None:
        self.backbone, config = backbone, like.config
        zeros = torch.zeros(config.rank, config.rank, dtype=torch.float64)
        self.memories: dict[str, _LoopMemory] = {}
        for path, layer in like.layers.items():
            weights = {name: p.detach().double() for name, p in layer.named_parameters()}
            memory = _LoopMemory(config, weights, [[zeros] * config.num_state_heads for _ in range(batch)])
            attention = backbone.get_submodule(path)
            for name, heads in (
                ("q_proj", "q"),
                ("k_proj", "k"),
                ("v_proj", "v"),
                ("qkv_proj", "qkv"),
                ("o_proj", "o"),
            ):
                if hasattr(attention, name):
                    setattr(attention, name, _Projection(attention.get_submodule(name), memory, heads))
            self.memories[path] = memory

    @property
    def state(self) -> Tensor:
        """`[L, B, H, r, r]`."""
        return torch.stack([torch.stack([torch.stack(row) for row in m.states]) for m in self.memories.values()])

    def set_state(self, state: Tensor) -> None:
        for memory, rows in zip(self.memories.values(), state.double(), strict=True):
            memory.states = [list(row) for row in rows]

    @torch.no_grad()
    def forward(self, input_ids: Tensor, call: _Call, **arguments: Any) -> Any:
        for memory in self.memories.values():
            memory.call = call
        return self.backbone(input_ids=input_ids, **arguments)


def randomised(model: DeltaMemModel, seed: int = 0) -> DeltaMemModel:
    """Adapter weights that make every part of the mechanism show in the logits."""
    generator = torch.Generator().manual_seed(seed)
    new = {}
    for name, parameter in model.adapter_parameters().items():
        noise = torch.randn(parameter.shape, generator=generator)
        short = name.rsplit(".", 1)[1]
        start = {"beta_bias": -1.0, "lambda_bias": 1.0, "delta_o_rmsnorm_weight": 0.3}.get(short, 0.0)
        size = {"beta_bias": 0.5, "lambda_bias": 0.5, "delta_o_rmsnorm_weight": 0.1, "delta_scale_raw": 1.0}
        spread = size.get(short, 0.15 if short.startswith("delta") else 1.0 / parameter.shape[-1] ** 0.5)
        new[name] = start + spread * noise
    model.load_adapter_parameters(new)
    return model


def _pair(
    family: str, attn: str, config: DeltaMemConfig, batch: int, **options: Any
) -> tuple[DeltaMemModel, _LoopModel]:
    ours = randomised(attach(tiny_model(family, attn_implementation=attn, **options), config))
    return ours, _LoopModel(tiny_model(family, attn_implementation=attn, **options), ours, batch)


def _ids(batch: int, tokens: int, seed: int = 0) -> Tensor:
    return torch.randint(3, 259, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def _left_padded(batch: int, tokens: int) -> Tensor:
    """Row i has 3·i padding tokens on the left."""
    return (torch.arange(tokens) >= 3 * torch.arange(batch)[:, None]).long()


def _agree(ours: Any, loops: _LoopModel, theirs: Any, valid: Tensor) -> None:
    torch.testing.assert_close(ours.state.double(), loops.state, **CLOSE)
    torch.testing.assert_close(ours.logits[valid], theirs.logits[valid], **CLOSE)


FAMILY_OPTIONS: list[tuple[str, dict[str, Any]]] = [(family, {}) for family in TINY_FAMILIES]
FAMILY_OPTIONS += [
    ("mistral", {"sliding_window": 5}),
    ("qwen3", {"head_dim": 16}),
    ("llama", {"attention_bias": True}),
]


@pytest.mark.parametrize("attn", ["eager", "sdpa"])
@pytest.mark.parametrize(("family", "options"), FAMILY_OPTIONS, ids=lambda value: str(value))
def test_each_family_equals_the_loop_in_one_padded_pass_then_in_cached_turns(
    family: str, options: dict[str, Any], attn: str
) -> None:
    ours, loops = _pair(family, attn, DeltaMemConfig(), batch=2, **options)
    mask, ids = _left_padded(2, 16), _ids(2, 16)
    cache, their_cache = DynamicCache(config=ours.backbone.config), DynamicCache(config=ours.backbone.config)
    state = None
    for start, end in ((0, 9), (9, 13), (13, 14), (14, 16)):
        part, valid = ids[:, start:end], mask[:, start:end] == 1
        with torch.no_grad():
            out = ours.forward(part, state=state, attention_mask=mask[:, :end], cache=cache)
        theirs = loops.forward(
            part, _Call(valid), attention_mask=mask[:, :end], past_key_values=their_cache, use_cache=True
        )
        _agree(out, loops, theirs, valid)
        state = out.state
    assert state is not None
    assert state.abs().amax() > 0.1, "the memory must hold something for this test to mean anything"


MECHANISMS: dict[str, dict[str, Any]] = {
    "published": {"delta_heads": ("q", "o")},
    "lambda_outside": {"state_update_mode": "lambda_outside"},
    "no_lambda": {"state_update_mode": "no_lambda"},
    "uncoupled": {"couple_lambda": False},
    "uncoupled_outside": {"couple_lambda": False, "state_update_mode": "lambda_outside"},
    "uncoupled_no_lambda": {"couple_lambda": False, "state_update_mode": "no_lambda"},
    "scalar_gates": {"rankwise_gates": False},
    "scalar_uncoupled_heads": {
        "rankwise_gates": False,
        "couple_lambda": False,
        "num_state_heads": 3,
        "rank": 4,
    },
    "four_heads": {"num_state_heads": 4, "delta_heads": ("q", "o")},
    "two_heads_uncoupled": {"num_state_heads": 2, "couple_lambda": False, "rank": 3},
    "odd_rank_and_alpha": {"rank": 5, "alpha": 3.0},
    "not_normalised": {"normalize_qk": False, "rank": 2},
    "rmsnorm": {"delta_o_rmsnorm": True, "delta_o_rmsnorm_eps": 1e-3},
    "rmsnorm_without_o": {"delta_o_rmsnorm": True, "delta_heads": ("k",)},
    "scale_of_layer": {"trainable_delta_scale": True, "delta_scale_max": 3.0},
    "scale_of_head": {"trainable_delta_scale": True, "delta_scale_granularity": "head"},
    "only_k": {"delta_heads": ("k",)},
    "only_v": {"delta_heads": ("v",)},
    "only_o": {"delta_heads": ("o",)},
    "nothing_steered": {"delta_heads": ()},
    "second_layer": {"target_layers": (1,)},
}


@pytest.mark.parametrize("family", ["qwen3", "phi3"])
@pytest.mark.parametrize("fields", MECHANISMS.values(), ids=MECHANISMS.keys())
def test_each_variant_of_the_mechanism_equals_the_loop(family: str, fields: dict[str, Any]) -> None:
    ours, loops = _pair(family, "sdpa", DeltaMemConfig(**fields), batch=2)
    mask, ids = _left_padded(2, 11), _ids(2, 11, seed=1)
    initial = 0.3 * torch.randn(loops.state.shape, generator=torch.Generator().manual_seed(2))
    loops.set_state(initial)
    with torch.no_grad():
        out = ours.forward(ids, state=initial, attention_mask=mask)
    theirs = loops.forward(ids, _Call(mask == 1), attention_mask=mask)
    _agree(out, loops, theirs, mask == 1)


@pytest.mark.parametrize("granularity", ["message_mean", "sentence_mean"])
@pytest.mark.parametrize("heads", [1, 2])
def test_pooled_writes_equal_the_loop(granularity: str, heads: int) -> None:
    config = DeltaMemConfig(memory_write_granularity=granularity, num_state_heads=heads, couple_lambda=False)  # type: ignore[arg-type]
    ours, loops = _pair("llama", "sdpa", config, batch=3)
    mask, ids = _left_padded(3, 12), _ids(3, 12)
    generator = torch.Generator().manual_seed(7)
    messages, sentences = (torch.randint(-1, 5, (3, 12), generator=generator) * 3 for _ in range(2))
    messages, sentences = messages.clamp_min(-1), sentences.clamp_min(-1)
    messages[2] = -1
    write_mask = torch.rand(3, 12, generator=generator) < 0.8
    initial = 0.3 * torch.randn(loops.state.shape, generator=generator)
    loops.set_state(initial)
    with torch.no_grad():
        out = ours.forward(
            ids,
            state=initial,
            attention_mask=mask,
            message_ids=messages,
            sentence_ids=sentences,
            write_mask=write_mask,
        )
    call = _Call(mask == 1, write_mask=write_mask, message_ids=messages, sentence_ids=sentences)
    _agree(out, loops, loops.forward(ids, call, attention_mask=mask), mask == 1)
    assert torch.equal(out.state[:, 2], initial[:, 2]), "a row without a segment keeps its state to the bit"
    assert not torch.equal(out.state[:, 0], initial[:, 0])


@pytest.mark.parametrize("write", [True, False])
def test_tokens_that_are_shown_but_not_written_read_and_leave_no_trace(write: bool) -> None:
    ours, loops = _pair("qwen2", "sdpa", DeltaMemConfig(), batch=2)
    ids, mask = _ids(2, 12), _left_padded(2, 12)
    write_mask = torch.rand(2, 12, generator=torch.Generator().manual_seed(3)) < 0.5
    initial = 0.5 * torch.randn(loops.state.shape, generator=torch.Generator().manual_seed(2))
    loops.set_state(initial)
    with torch.no_grad():
        out = ours.forward(ids, state=initial, attention_mask=mask, write_mask=write_mask, write=write)
    theirs = loops.forward(ids, _Call(mask == 1, write=write, write_mask=write_mask), attention_mask=mask)
    _agree(out, loops, theirs, mask == 1)
    assert torch.equal(out.state, initial) is not write
