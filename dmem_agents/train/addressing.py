"""Where reads look: how much of each written token a read holds, and a loss that wants the asked value's.

A read of the delta rule's state weighs each written value by its gate, by how well its key fits the query and by what
was written over it (`delta-mem.md` §1.2, §1.3). Nothing in the answer's cross-entropy asks for keys that differ, and
training by it alone leaves them nearly equal: then what was told last hides what was told before.
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

    A place is one from which a token of an answer's value, or the "..." in its stead, is predicted
    (`TrainingBatch.asks`). Before the first, the whole value is wanted: its later tokens have seen the earlier ones.
    From then on it is the very token that comes next, which in a number nothing else tells. What a read holds is
    averaged over all layers and heads (`read_weights`): each head may confuse what others tell apart. What an update
    replaced counts with the others. Only shares count, so that closing the gates gains nothing by itself. Gradients
    run on into what the layers below add to the inputs, since a value's token knows little of whose it is.

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
    question, label = batch.asks.nonzero(as_tuple=True)
    token, told_token = batch.asks[question, label], batch.told[question]
    begins = token == batch.asks.amax(dim=1)[question]
    wanted = torch.where(begins.unsqueeze(1), told_token > 0, told_token == token.unsqueeze(1))
    named = wanted.any(dim=1)
    if not bool(named.any()):
        return torch.zeros((), device=batch.told.device)
    counts = named | batch.untold[question]
    question, label, wanted, named = (one[counts] for one in (question, label, wanted, named))
    # Labels are the last K tokens; each is predicted one place before it.
    place = batch.read_ids.shape[1] - batch.labels.shape[1] + label - 1
    queried = [now[-1][question, place].unsqueeze(1) for now in asked]
    written = end_to_end([one.write_mask for one in batch.writes], batch.writes, batch.conversations)
    pasts = [end_to_end(before, batch.writes, batch.conversations) for before in told]
    weight = read_weights(model, pasts, written, queried, batch.conversation[question])
    own = (weight * wanted).sum(dim=1)[named]
    others = (weight * ~wanted).square().sum(dim=1)
    ratio = own / others[named].clamp_min(_NO_ENERGY).sqrt()
    held = F.softplus((ratio / SOFTNESS).clamp_min(_LEAST)) * SOFTNESS
    term = torch.log1p(held.square().reciprocal()).mean()
    if not bool(named.all()):
        usual = own.clamp_min(0).square().mean().clamp_min(_NO_ENERGY)
        term = term + torch.log1p(others[~named] / usual).mean()
    return term


def read_weights(
    model: DeltaMemModel, pasts: list[Tensor], written: Tensor, queried: list[Tensor], whose: Tensor
) -> Tensor:
    """What reads after everything was told hold of each token's written value, on the mean over layers and heads.

    S_t = λ_t S_{t−1} − β_t (S_{t−1} k_t) k_tᵀ + β_t v_t k_tᵀ makes the read S_T q a sum of w_t v_t. With u_T = q and
    u_{t−1} = λ_t u_t − β_t (k_tᵀ u_t) k_t, w_t is β_t k_tᵀ u_t: what came later has overwritten what was alike
    (`delta-mem.md` §1.2, with each mode's own coefficients, averaged over a head's channels; every token written).

    Args:
        model: the memories.
        pasts: attention inputs `[B, T, d]` of each layer, of what was told.
        written: `[B, T]` bool.
        queried: attention inputs `[N, 1, d]` of each layer, of the places that read.
        whose: `[N]`, the conversation each place reads.

    Returns:
        `[N, T]` float32.
    """
    columns = written.any(dim=0).nonzero().squeeze(1)
    kept = written[:, columns].unsqueeze(-1)  # [B, t, 1]
    layers = []
    with torch.autocast(written.device.type, enabled=False):
        for memory, past, now in zip(cast(Iterable[LayerMemory], model.memories), pasts, queried, strict=True):
            hidden = past[:, columns].float()
            keep, erase, write = (gate.mean(dim=-1) for gate in memory.gates(hidden))  # [B, t, H]
            coefficients = (torch.where(kept, keep, 1.0), erase * kept, write * kept)
            layers.append((memory.queries(now).squeeze(1), memory.keys(hidden), *coefficients))
        query, *steps = (torch.stack(parts) for parts in zip(*layers, strict=True))
        weights = []
        for told_key, keep, erase, write in reversed(list(zip(*(one.unbind(dim=2) for one in steps), strict=True))):
            key = told_key[:, whose]
            fits = (query * key).sum(dim=-1)  # [L, N, H]
            weights.append((write[:, whose] * fits).mean(dim=(0, 2)))
            loses = (erase[:, whose] * fits).unsqueeze(-1) * key
            query = keep[:, whose].unsqueeze(-1) * query - loses
        found = torch.stack(weights[::-1], dim=1)
    return found.new_zeros(len(whose), written.shape[1]).index_copy(1, columns, found)
