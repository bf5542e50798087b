"""Where reads look: how much of each written token a read holds, and a loss that wants the asked value's.

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
from torch.nn import functional as F

from dmem_agents.layers.memory import LayerMemory
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.train.batching import TrainingBatch
from dmem_agents.train.write_passes import end_to_end

SOFTNESS = 0.3
"""Below some such share of the others' root, what a read holds of the asked value is little, and not negative."""
_NO_ENERGY = 1e-8
"""Less than this is divided by as if it were this much."""
_LEAST = -20.0
"""Further down a softplus leaves float32."""

Inputs = list[list[Tensor]]
"""Attention inputs `[B, T, d]` of every layer, one per forward pass."""


@contextmanager
def attention_inputs(model: DeltaMemModel, *, collect: bool) -> Iterator[Inputs]:
    """Collects, if wanted, what every layer's memory is given while the block runs."""
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
    into.append(arguments[0])


def addressing(model: DeltaMemModel, batch: TrainingBatch, told: Inputs, asked: Inputs) -> Tensor:
    """−log of the share of a read's energy that comes from the asked value's tokens, in nats; mean over places.

    A read weighs a written token by its gate times the cosine between its key and the query, averaged over all
    layers and heads: each head may confuse what others tell apart. A place is one from which the first token of an
    answer's value, or the "..." in its stead, is predicted (`TrainingBatch.asks`): later ones follow from the first.
    Only shares count, so that writing less gains nothing. Gradients run on into what the layers below add to the
    inputs, since a value's token knows little of whose it is.

    Added to it, where something was asked that was never said: log(1 + the read's energy over what the others' reads
    hold of their values, on the mean). Nothing should fit such a question.

    Args:
        model: the memories.
        batch: the conversations and questions.
        told: attention inputs of the write passes.
        asked: those of the questions' read pass, the last of them.

    Returns:
        A scalar; 0 where no question's value was found in what was told.
    """
    found = batch.told.any(dim=1)
    question, label = (batch.asks & (found | batch.untold).unsqueeze(1)).nonzero(as_tuple=True)
    named = found[question]
    if not bool(named.any()):
        return torch.zeros((), device=batch.told.device)
    # Labels are the last K tokens; each is predicted one place before it.
    place = batch.read_ids.shape[1] - batch.labels.shape[1] + label - 1
    conversation = batch.conversation[question]
    weights = []
    for memory, before, now in zip(cast(Iterable[LayerMemory], model.memories), told, asked, strict=True):
        hidden = end_to_end(before, batch.writes, batch.conversations)
        gated = memory.keys(hidden) * memory.gates(hidden)[2].mean(dim=-1, keepdim=True)  # [B, T, H, r]
        queries = memory.queries(now[-1][question, place].unsqueeze(1)).squeeze(1)  # [N, H, r]
        weights.append(torch.einsum("nhr,nthr->nt", queries, gated[conversation]) / memory.config.num_state_heads)
    written = end_to_end([one.write_mask for one in batch.writes], batch.writes, batch.conversations)[conversation]
    weight = torch.stack(weights).mean(dim=0) * written
    wanted = batch.told[question]
    own = (weight * wanted).sum(dim=1)[named]
    others = (weight * ~wanted).square().sum(dim=1)
    ratio = own / others[named].clamp_min(_NO_ENERGY).sqrt()
    held = F.softplus((ratio / SOFTNESS).clamp_min(_LEAST)) * SOFTNESS
    term = torch.log1p(held.square().reciprocal()).mean()
    if not bool(named.all()):
        usual = own.clamp_min(0).square().mean().clamp_min(_NO_ENERGY)
        term = term + torch.log1p(others[~named] / usual).mean()
    return term
