"""How likely a model finds given text: gold answers after a question, and plain text, each row with a state of its own.

Teacher forcing in batches straight through the model, states frozen; no engine may be using it meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from dmem_agents.engine import Engine
from dmem_agents.errors import ConfigError
from dmem_agents.evaluate.memories import absorb_all, strangers
from dmem_agents.evaluate.statistics import mean_difference
from dmem_agents.messages import Message
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state import MemoryState
from dmem_agents.state.memory_state import stack
from dmem_agents.tokenization import ChatTokenizer

View = Literal["none", "own", "stranger", "text"]
VIEWS: dict[View, str] = {
    "none": "question alone, empty state: the frozen model",
    "own": "question alone, own state, frozen",
    "stranger": "question alone, another past's state",
    "text": "frozen model with everything that was written in its prompt",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldEpisode:
    """A past, a question about it and the published answer."""

    written: tuple[Message, ...]
    """What the memory absorbs, in order."""
    question: str
    """All that the prompt holds."""
    answer: str
    """Its likelihood is measured."""
    kind: str
    """A group of the data set, reported on its own as well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """Token ids of which the last ones are scored."""

    ids: tuple[int, ...]
    count: int
    """How many of the last ids; 1 to len(ids) − 1, since each is predicted from those before it."""

    def __post_init__(self) -> None:
        if not 1 <= self.count < len(self.ids):
            raise ConfigError(
                f"Expected 1 to {len(self.ids) - 1} scored tokens of {len(self.ids)}; got {self.count}. "
                "Leave out answers and texts without a token."
            )


def measure_likelihood(
    model: DeltaMemModel,
    chat: ChatTokenizer,
    episodes: Sequence[GoldEpisode],
    *,
    batch_size: int = 8,
    on_progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Mean NLL of the gold answers (nats per token) in every view, and the paired difference stranger − own.

    An answer's NLL is the mean over its tokens without the end mark, and each answer counts the same. Own and
    stranger read the same prompt, so only the state differs; the stranger is the next episode with another past.

    Args:
        model: used by this call alone.
        chat: its tokenizer.
        episodes: at least two with different pasts.
        batch_size: rows in one forward pass.
        on_progress: told how many answers were scored since the last call.

    Returns:
        `{"n", "nll": {view: mean}, "stranger_minus_own": Estimate as JSON, "none_minus_own", "kinds": {kind: {"n",
        "nll"}}}`.

    Raises:
        ConfigError: fewer than two different pasts, or an answer without a token.
    """
    pasts = [e.written for e in episodes]
    other = strangers(pasts)
    questions = [(Message(role="user", content=e.question),) for e in episodes]
    with_text = [(*e.written, *question) for e, question in zip(episodes, questions, strict=True)]
    with Engine(model, max_batch_size=batch_size) as engine:
        own = absorb_all(engine, chat, pasts)
    empty = [model.empty_state()] * len(episodes)
    views: dict[View, tuple[Sequence[Sequence[Message]], Sequence[MemoryState]]] = {
        "none": (questions, empty),
        "own": (questions, own),
        "stranger": (questions, [own[i] for i in other]),
        "text": (with_text, empty),
    }
    nll: dict[str, list[float]] = {}
    for view, (shown, states) in views.items():
        rows = [scored_answer(chat, s, e.answer) for s, e in zip(shown, episodes, strict=True)]
        nll[view] = mean_nll(model, rows, states, batch_size=batch_size, on_progress=on_progress)
    return _summary(episodes, nll)


def scored_answer(chat: ChatTokenizer, shown: Sequence[Message], answer: str) -> Scored:
    """A prompt and the answer after it as the template renders them; the answer's text is scored, not its end mark.

    Raises:
        ConfigError: the answer has no token, or the template doesn't render it after the prompt.
    """
    prompt = chat.render(shown, add_generation_prompt=True).input_ids
    whole = chat.render([*shown, Message(role="assistant", content=answer)], add_generation_prompt=False).input_ids
    if whole[: len(prompt)] != prompt:
        raise ConfigError(
            "Expected the chat template to render an answer right after its generation prompt; this model's does not, "
            "so the answer's tokens can't be told apart. Evaluate a model without a thinking template."
        )
    end = next((i for i in range(len(prompt), len(whole)) if whole[i] in chat.eos_ids), len(whole))
    return Scored(ids=whole[:end], count=end - len(prompt))


def mean_nll(
    model: DeltaMemModel,
    rows: Sequence[Scored],
    states: Sequence[MemoryState],
    *,
    batch_size: int = 8,
    on_progress: Callable[[int], object] | None = None,
) -> list[float]:
    """Mean negative log-likelihood of each row's scored tokens, nats per token, read from its frozen state.

    Args:
        model: used by this call alone.
        rows: what to score; the longest must fit the context window.
        states: one per row.
        batch_size: rows in one forward pass; rows of like length share one.
        on_progress: told how many rows were scored since the last call.

    Raises:
        ConfigError: a row longer than the context window, or another number of states than rows.
    """
    longest = max((len(row.ids) for row in rows), default=0)
    if longest > model.max_context or len(rows) != len(states):
        raise ConfigError(
            f"Expected one state for each row, and rows of at most {model.max_context} tokens, the context window; "
            f"got {len(rows)} rows, {len(states)} states and a row of {longest} tokens."
        )
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids))
    found = [0.0] * len(rows)
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        values = _score(model, [rows[i] for i in part], stack([states[i] for i in part]))
        for index, value in zip(part, values.tolist(), strict=True):
            found[index] = value
        if on_progress is not None:
            on_progress(len(part))
    return found


@torch.inference_mode()
def _score(model: DeltaMemModel, rows: Sequence[Scored], states: Tensor) -> Tensor:
    """Mean NLL `[B]`, float32, of rows aligned at their ends; logits are computed where a token is scored."""
    length, kept = max(len(r.ids) for r in rows), max(r.count for r in rows)
    ids = torch.tensor([[0] * (length - len(r.ids)) + list(r.ids) for r in rows], device=model.device)
    mask = torch.tensor([[0] * (length - len(r.ids)) + [1] * len(r.ids) for r in rows], device=model.device)
    scored = torch.tensor([[0.0] * (kept - r.count) + [1.0] * r.count for r in rows], device=model.device)
    output = model(
        ids,
        state=states.to(model.device),
        attention_mask=None if bool(mask.all()) else mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp_min(0),
        write=False,
        logits_to_keep=torch.arange(length - 1 - kept, length - 1, device=model.device),
    )
    nll = torch.nn.functional.cross_entropy(
        output.logits.float().transpose(1, 2), ids[:, length - kept :], reduction="none"
    )
    means: Tensor = torch.where(scored > 0, nll, 0.0).sum(dim=1) / scored.sum(dim=1)
    return means


def _summary(episodes: Sequence[GoldEpisode], nll: dict[str, list[float]]) -> dict[str, Any]:
    def means(indices: Sequence[int]) -> dict[str, float]:
        return {view: sum(values[i] for i in indices) / len(indices) for view, values in nll.items()}

    kinds = {kind: [i for i, e in enumerate(episodes) if e.kind == kind] for kind in sorted({e.kind for e in episodes})}
    return {
        "n": len(episodes),
        "nll": means(range(len(episodes))),
        "stranger_minus_own": mean_difference(nll["stranger"], nll["own"]).to_dict(),
        "none_minus_own": mean_difference(nll["none"], nll["own"]).to_dict(),
        "kinds": {kind: {"n": len(indices), "nll": means(indices)} for kind, indices in kinds.items()},
    }
