"""Where reads look: what was written as an attention distribution, and a loss that wants it on the asked value.

A read of the delta rule's state weighs each written value by its gate and by how well its key fits the query
(`delta-mem.md` §1.2, §1.3). Nothing in the answer's cross-entropy asks for keys that differ, and training by it alone
leaves them nearly equal: then what was told last hides what was told before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from dmem_agents.layers.memory import LayerMemory
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.train.batching import TrainingBatch

TEMPERATURE = 0.25
"""Of the cosines between queries and keys: a fitting key weighs up to e⁸ as much as an opposite one."""

Inputs = list[list[Tensor]]
"""Attention inputs `[B, T, d]` of every layer, one per forward pass."""


@contextmanager
def attention_inputs(model: DeltaMemModel, *, collect: bool) -> Iterator[Inputs]:
    """Collects, if wanted, what every layer's memory is given while the block runs, without gradients."""
    seen: Inputs = [[] for _ in model.memories]
    hooks = [
        memory.register_forward_pre_hook(partial(_keep, into))
        for memory, into in zip(model.memories, seen, strict=True)
        if collect
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _keep(into: list[Tensor], memory: nn.Module, arguments: tuple[Any, ...]) -> None:
    into.append(arguments[0].detach())


def addressing(model: DeltaMemModel, batch: TrainingBatch, told: Inputs, asked: Inputs) -> Tensor:
    """−log of the share of a read that falls on the asked value's tokens, in nats; mean over layers, heads and places.

    A place is one from which an answer's first word or a token of its value is predicted.

    Args:
        model: the memories, each trained on its own layer's inputs alone.
        batch: the conversations and questions.
        told: attention inputs of the write passes.
        asked: those of the questions' read pass.

    Returns:
        A scalar; 0 where no question's value was found in what was told.
    """
    found = batch.told.any(dim=1)
    question, label = (batch.decisive & found.unsqueeze(1)).nonzero(as_tuple=True)
    if not len(question):
        return torch.zeros((), device=batch.told.device)
    # Labels are the last K tokens; each is predicted one place before it.
    place = batch.read_ids.shape[1] - batch.labels.shape[1] + label - 1
    conversation = batch.conversation[question]
    wanted = batch.told[question].unsqueeze(1)
    written = torch.cat([one.write_mask for one in batch.writes], dim=1)[conversation].unsqueeze(1)
    losses = []
    memories = cast(Iterable[LayerMemory], model.memories)
    for memory, before, now in zip(memories, told, asked, strict=True):
        hidden = torch.cat(before, dim=1)
        keys = memory.keys(hidden)[conversation]  # [N, T, H, r]
        queries = memory.queries(now[0][question, place].unsqueeze(1)).squeeze(1)  # [N, H, r]
        gate = memory.gates(hidden)[2].mean(dim=-1)[conversation].transpose(1, 2)  # [N, H, T]
        weights = torch.einsum("nhr,nthr->nht", queries, keys) / TEMPERATURE + gate.clamp_min(1e-6).log()
        share = weights.masked_fill(~wanted, -torch.inf).logsumexp(dim=-1) - weights.masked_fill(
            ~written, -torch.inf
        ).logsumexp(dim=-1)
        losses.append(-share.mean())
    return torch.stack(losses).mean()
