"""The losses, each a small named term over one batch. Terms with weight 0 are not computed.

`delta-mem.md` §6.2 has the published loss; of its many terms only the answer's cross-entropy was alive. Ours: the
answer, reconstruction, contrast against a stranger's state, distillation from the frozen model that sees everything,
retention of its ways on ordinary text, sparsity of the gates where they write, and reads that look where the asked
value was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.train.addressing import Inputs, addressing, attention_inputs
from dmem_agents.train.batching import IGNORE, TrainingBatch

_ROWS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectiveWeights:
    """How much each term counts."""

    answer: float = 1.0
    """Cross-entropy of the answer, mean over its tokens."""
    reconstruct: float = 0.5
    """The same where the task is to repeat what was told."""
    contrast: float = 0.0
    """softplus(margin − (NLL under a stranger's state − NLL under the own)), in nats per token."""
    contrast_margin: float = 1.0
    """That margin."""
    distillation: float = 0.0
    """KL(frozen model with all that was told in its prompt ‖ model with the state alone) on answers, nats per token."""
    retention: float = 0.0
    """KL(frozen model ‖ model with a state that knows nothing of the text) on ordinary text, nats per token."""
    addressing: float = 0.0
    """−log of the share of the reads' energy that comes from the asked value, and little energy without one, nats."""
    sparsity: float = 0.0
    """(mean β over written tokens of the write pass − target)²; the published term took the read pass."""
    sparsity_target: float = 0.05
    """That target."""


def write_states(model: DeltaMemModel, batch: TrainingBatch) -> Tensor:
    """States after the write passes, `[L, B, H, r, r]`, with gradients through every token's write."""
    states = model.empty_state().values.unsqueeze(1).to(model.device).repeat_interleave(batch.conversations, dim=1)
    dtype = model.backbone.dtype
    for one in batch.writes:
        written = model(
            one.ids, state=states.index_select(1, one.rows),
            attention_mask=one.attention_mask(dtype), position_ids=one.positions,
            write_mask=one.write_mask, message_ids=one.message_ids, sentence_ids=one.sentence_ids,
            logits_to_keep=torch.empty(0, dtype=torch.int64, device=one.ids.device),
        ).state  # fmt: skip
        states = states.index_copy(1, one.rows, written)
    return states


def answer_logits(model: DeltaMemModel, batch: TrainingBatch, states: Tensor) -> Tensor:
    """Logits `[Q, K, V]` that predict `batch.labels`, each question read from its conversation's of `states`.

    Args:
        model: the memories.
        batch: the questions; what all prompts open with is read once a conversation, since nothing of it is written.
        states: `[L, B, H, r, r]`, one per conversation.
    """
    mask, positions, cache = batch.read_mask, _positions(batch.read_mask), None
    if shared := len(batch.prefix):
        count = states.shape[1]
        cache = model(
            batch.prefix.expand(count, -1), state=states, write=False, use_cache=True,
            logits_to_keep=torch.empty(0, dtype=torch.int64, device=mask.device),
        ).cache  # fmt: skip
        cache.batch_select_indices(batch.conversation)
        mask, positions = F.pad(mask, (shared, 0), value=1), positions + shared
    online = bool(batch.read_write_mask.any()) and model.config.memory_write_granularity == "token"
    output = model(
        batch.read_ids, state=states.index_select(1, batch.conversation), attention_mask=mask, position_ids=positions,
        write=online, write_mask=batch.read_write_mask if online else None, logits_to_keep=batch.labels.shape[1] + 1,
        cache=cache,
    )  # fmt: skip
    logits: Tensor = output.logits[:, :-1]
    return logits


def row_nll(logits: Tensor, batch: TrainingBatch) -> Tensor:
    """Weighted mean negative log-likelihood of each row's labels, `[Q]`, nats per token."""
    losses = cast(Tensor, _LabelNLL.apply(logits.flatten(0, 1), batch.labels.flatten()))  # type: ignore[no-untyped-call]
    losses = losses.view_as(batch.label_weights) * batch.label_weights
    return losses.sum(dim=1) / batch.label_weights.sum(dim=1).clamp_min(1e-6)


class _LabelNLL(torch.autograd.Function):
    """Negative log-likelihood `[N]` float32 of labels under logits `[N, V]`, 0 where there is no label.

    Some rows at a time, and with the gradient in the logits' dtype as all that is kept: cross-entropy over a large
    vocabulary otherwise spends its time on float32 copies of all rows.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        nll = torch.zeros(len(labels), device=logits.device)
        gradient = torch.zeros_like(logits)
        for rows in (labels != IGNORE).nonzero().squeeze(1).split(_ROWS_AT_ONCE):
            log_probs = logits[rows].float().log_softmax(dim=-1)
            wanted = labels[rows].unsqueeze(1)
            nll[rows] = -log_probs.gather(1, wanted).squeeze(1)
            change = log_probs.exp_().scatter_add_(1, wanted, torch.full(wanted.shape, -1.0, device=logits.device))
            gradient[rows] = change.to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return nll

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].unsqueeze(1).to(gradient.dtype), None


def _positions(mask: Tensor) -> Tensor:
    """Position ids of left-padded rows."""
    return (mask.cumsum(dim=1) - 1).clamp_min(0)


def _frozen_log_probs(model: DeltaMemModel, ids: Tensor, mask: Tensor, *, logits_to_keep: int) -> Tensor:
    """Next-token log-probabilities of the backbone alone: an empty state that is not written reads exactly zero."""
    with torch.no_grad():
        logits: Tensor = model(
            ids, attention_mask=mask, position_ids=_positions(mask), write=False, logits_to_keep=logits_to_keep
        ).logits
    return logits.float().log_softmax(dim=-1)


def distillation(model: DeltaMemModel, batch: TrainingBatch, logits: Tensor) -> Tensor:
    """Mean KL of the teacher's distribution to `logits` `[Q, K, V]` over the answers' tokens, in nats.

    The teacher is the frozen model with all that was told in its prompt (`delta-mem.md` §6.2 trains on text alone).
    """
    teacher = _frozen_log_probs(model, batch.teacher_ids, batch.teacher_mask, logits_to_keep=logits.shape[1] + 1)
    own = logits.float().log_softmax(dim=-1)
    kl = F.kl_div(own, teacher[:, :-1], reduction="none", log_target=True).sum(dim=-1)
    labelled = batch.labels != IGNORE
    return (kl * labelled).sum() / labelled.sum()


def retention(model: DeltaMemModel, batch: TrainingBatch, states: Tensor) -> Tensor:
    """Mean over rows of the KL of the frozen model's next-token distribution to that under a state, nats per token.

    Row i reads state i modulo their number; some with writes on, as in a live turn, the others with a frozen state.
    """
    ids, mask, kept = batch.ordinary_ids, batch.ordinary_mask, batch.ordinary_compared.shape[1]
    rows = torch.arange(len(mask), device=mask.device) % states.shape[1]
    online = bool(batch.ordinary_write_mask.any()) and model.config.memory_write_granularity == "token"
    frozen = _frozen_log_probs(model, ids, mask, logits_to_keep=kept)
    loaded = model(
        ids, state=states.index_select(1, rows), attention_mask=mask, position_ids=_positions(mask),
        write=online, write_mask=batch.ordinary_write_mask if online else None, logits_to_keep=kept,
    ).logits.float()  # fmt: skip
    kl = F.kl_div(loaded.log_softmax(dim=-1), frozen, reduction="none", log_target=True).sum(dim=-1)
    of_rows = (kl * batch.ordinary_compared).sum(dim=1) / batch.ordinary_compared.sum(dim=1).clamp_min(1)
    return of_rows.mean()


def loss_terms(model: DeltaMemModel, batch: TrainingBatch, weights: ObjectiveWeights) -> dict[str, Tensor]:
    """Every term with a weight, unweighted; `total` is their weighted sum."""
    gate_means: list[Tensor] = []
    hooks = []
    if weights.sparsity:
        hooks = [m.register_forward_pre_hook(_collect_beta(gate_means), with_kwargs=True) for m in model.memories]
    try:
        with attention_inputs(model, collect=weights.addressing > 0) as told:
            states = write_states(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    terms: dict[str, Tensor] = {}
    for rows in batch.by_length():
        for name, term in _question_terms(model, batch.questions(rows), states, told, weights).items():
            share = term * (len(rows) / len(batch.read_ids))
            terms[name] = terms[name] + share if name in terms else share
    if weights.retention and len(batch.ordinary_ids):
        terms["retention"] = retention(model, batch, states)
    if weights.sparsity and gate_means:
        terms["sparsity"] = (torch.stack(gate_means) - weights.sparsity_target).square().mean()
    parts = [getattr(weights, name) * term for name, term in terms.items()]
    terms["total"] = torch.stack(parts).sum()
    return terms


def _question_terms(
    model: DeltaMemModel, batch: TrainingBatch, states: Tensor, told: Inputs, weights: ObjectiveWeights
) -> dict[str, Tensor]:
    """The terms that come from answers, each a mean over the batch's questions."""
    with attention_inputs(model, collect=weights.addressing > 0) as asked:
        logits = answer_logits(model, batch, states)
    nll = row_nll(logits, batch)
    terms: dict[str, Tensor] = {}
    for name, rows in (("answer", ~batch.reconstruct), ("reconstruct", batch.reconstruct)):
        if bool(rows.any()) and getattr(weights, name):
            terms[name] = nll[rows].sum() / len(nll)
    if weights.contrast and states.shape[1] > 1:
        other = row_nll(answer_logits(model, batch, states.roll(1, dims=1)), batch)
        terms["contrast"] = F.softplus(weights.contrast_margin - (other - nll))[~batch.reconstruct].sum() / len(nll)
    if weights.addressing:
        terms["addressing"] = addressing(model, batch, told, asked)
    if weights.distillation:
        terms["distillation"] = distillation(model, batch, logits)
    return terms


def _collect_beta(means: list[Tensor]):  # type: ignore[no-untyped-def]  # torch's hook signature
    def hook(memory, arguments, keywords):  # type: ignore[no-untyped-def]
        hidden, written = arguments[0], keywords["write_mask"]
        _, _, beta = memory.gates(hidden)
        means.append(beta[written].mean())

    return hook
