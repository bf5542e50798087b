"""Likelihoods equal hand-computed ones, alone and in a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dmem_agents.errors import ConfigError
from dmem_agents.evaluate.likelihood import (
    VIEWS,
    GoldEpisode,
    Scored,
    mean_nll,
    measure_likelihood,
    scored_answer,
)
from dmem_agents.messages import Message
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state import MemoryState
from dmem_agents.testing.tiny_model import tiny_model
from dmem_agents.tokenization import ChatTokenizer

QUESTION = (Message(role="user", content="Who am I?"),)


def random_state(model: DeltaMemModel, seed: int) -> MemoryState:
    values = torch.randn(model.layout.shape, generator=torch.Generator().manual_seed(seed))
    return MemoryState(layout=model.layout, values=values)


def gold(told: str, answer: str, *, kind: str = "a") -> GoldEpisode:
    return GoldEpisode(written=(Message(role="user", content=told),), question="Who am I?", answer=answer, kind=kind)


@torch.no_grad()
def by_hand(model: DeltaMemModel, row: Scored, state: MemoryState) -> float:
    """One token after the other, with a prompt of its own each time."""
    total = 0.0
    for place in range(len(row.ids) - row.count, len(row.ids)):
        prefix = torch.tensor([row.ids[:place]])
        logits = model(prefix, state=state.values.unsqueeze(1), write=False).logits[0, -1]
        total -= float(torch.log_softmax(logits.double(), dim=-1)[row.ids[place]])
    return total / row.count


def test_the_scored_tokens_are_the_text_of_the_answer(chat: ChatTokenizer) -> None:
    row = scored_answer(chat, QUESTION, "You are Ana.")
    assert chat.decode(row.ids[-row.count :]) == "You are Ana."
    assert row.count == len("You are Ana.")


def test_a_mean_equals_the_one_computed_token_by_token(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    row, state = scored_answer(chat, QUESTION, "You are Ana."), random_state(model, 1)
    (found,) = mean_nll(model, [row], [state])
    assert found == pytest.approx(by_hand(model, row, state), abs=1e-4)


def test_a_row_in_a_batch_scores_as_alone(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    answers = ["You are Ana.", "B", "A much longer answer than all the others.", "No."]
    rows = [scored_answer(chat, (*QUESTION, *QUESTION[: i % 2]), a) for i, a in enumerate(answers)]
    states = [random_state(model, i) for i in range(len(rows))]
    together = mean_nll(model, rows, states, batch_size=3)
    assert together == pytest.approx(
        [mean_nll(model, [r], [s])[0] for r, s in zip(rows, states, strict=True)], abs=1e-4
    )


def test_an_empty_state_scores_as_the_plain_backbone(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    row = scored_answer(chat, QUESTION, "You are Ana.")
    (found,) = mean_nll(model, [row], [model.empty_state()])
    with torch.no_grad():
        logits = tiny_model()(torch.tensor([row.ids])).logits[0]
    nll = torch.nn.functional.cross_entropy(logits[-row.count - 1 : -1], torch.tensor(row.ids[-row.count :]))
    assert found == pytest.approx(float(nll), abs=1e-5)


def test_each_view_has_its_own_number_and_the_difference_is_paired(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    episodes = [gold("I am Ana.", "Ana", kind="b"), gold("I am Bo.", "Bo"), gold("I am Cy.", "Cy")]
    advanced: list[int] = []
    found = measure_likelihood(model, chat, episodes, on_progress=advanced.append)
    assert sum(advanced) == len(episodes) * len(VIEWS)
    assert len(set(found["nll"].values())) == 4
    difference: dict[str, Any] = found["stranger_minus_own"]
    assert difference["value"] == pytest.approx(found["nll"]["stranger"] - found["nll"]["own"])
    assert difference["bootstrap_95"][0] <= difference["value"] <= difference["bootstrap_95"][1]
    assert {kind: part["n"] for kind, part in found["kinds"].items()} == {"a": 2, "b": 1}


def test_a_second_measurement_is_the_same(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    episodes = [gold("I am Ana.", "Ana"), gold("I am Bo.", "Bo")]
    assert measure_likelihood(model, chat, episodes) == measure_likelihood(model, chat, episodes)


def test_an_empty_answer_is_refused(chat: ChatTokenizer) -> None:
    with pytest.raises(ConfigError, match="Leave out answers and texts without a token"):
        scored_answer(chat, QUESTION, "")


def test_a_row_beyond_the_context_window_is_refused(model: DeltaMemModel) -> None:
    with pytest.raises(ConfigError, match="at most 4096 tokens"):
        mean_nll(model, [Scored(ids=(5,) * 4097, count=1)], [model.empty_state()])


def test_as_many_states_as_rows_are_needed(model: DeltaMemModel) -> None:
    with pytest.raises(ConfigError, match="1 rows, 0 states"):
        mean_nll(model, [Scored(ids=(5, 6), count=1)], [])
