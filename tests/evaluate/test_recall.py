"""Recall counts exactly the asked value, and strangers are other people."""

from __future__ import annotations

from typing import Any

import pytest

from dmem_agents.engine import Engine
from dmem_agents.errors import ConfigError
from dmem_agents.evaluate import recall
from dmem_agents.evaluate.recall import CONTROLS, is_hit, measure_recall
from dmem_agents.messages import Message
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.data import AgentLife, Episode
from dmem_agents.train.data.cells import CELLS, Cell


def told(text: str, value: str) -> Episode:
    return Episode(
        written=(Message(role="user", content=text),),
        visible=(Message(role="user", content="What?"),),
        target=Message(role="assistant", content=value),
        value=value,
        task="recall",
    )


@pytest.mark.parametrize(
    ("value", "answer", "hit"),
    [
        ("Oslo", "You live in oslo.", True),
        ("7", "It is 17.", False),
        ("7", "It is 7!", True),
        ("$5", "It costs $5.", True),
        ("$5", "It costs $50.", False),
        ("12:30", "At 12:30.", True),
        ("cat", "A catalogue.", False),
        ("C++", "You write C++, mostly.", True),
        ("Oslo", "", False),
        ("", "You haven't told me.", True),
        ("", "You haven\N{RIGHT SINGLE QUOTATION MARK}t told me your name.", True),
        ("", "Your name is Ana.", False),
    ],
)
def test_a_hit_is_the_value_in_whole_words(value: str, answer: str, hit: bool) -> None:
    assert is_hit(told("x", value), answer) is hit


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: c.name)
def test_the_wanted_answer_of_every_cell_is_a_hit_and_its_question_is_none(cell: Cell) -> None:
    for episode in cell.episodes(AgentLife(split="test"), 40, seed=3):
        assert is_hit(episode, episode.target.content)
        assert not is_hit(episode, episode.visible[-1].content)


def test_every_control_counts_its_own_hits(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    episodes = [told("I am Ana.", "Ana"), told("I am Bo.", "Bo"), told("I am Cy.", "Cy")]
    with Engine(model) as engine:
        found = measure_recall(engine, chat, episodes)
    assert set(found["controls"]) == set(CONTROLS)
    assert all(share["n"] == 3 and share["rate"] == share["hits"] / 3 for share in found["controls"].values())
    assert {"told", "asked", "wanted", *CONTROLS} == set(found["samples"][0])


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_no_episode_is_left_alone_with_itself_as_stranger(
    rows: int, model: DeltaMemModel, chat: ChatTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []

    def answer(engine: object, chat: object, questions: list[Any], states: list[Any], **_: object) -> list[str]:
        asked.extend((q[-1].content, s) for q, s in zip(questions, states, strict=True))
        return [""] * len(questions)

    monkeypatch.setattr(recall, "answer_all", answer)
    episodes = [told(f"I am number {i}.", f"n{i}") for i in range(5)]
    advanced: list[int] = []
    with Engine(model) as engine:
        measure_recall(engine, chat, episodes, controls=("own",), rows=rows, on_progress=advanced.append)
        own = [state for _, state in asked]
        asked.clear()
        measure_recall(engine, chat, episodes, controls=("stranger",), rows=rows)
    assert sum(advanced) == 5
    assert min(advanced) >= 2
    assert len(asked) == 5
    assert all(state != mine for (_, state), mine in zip(asked, own, strict=True))
    assert all(any(state == other for other in own) for _, state in asked)


def test_one_episode_alone_is_refused(model: DeltaMemModel, chat: ChatTokenizer) -> None:
    with Engine(model) as engine, pytest.raises(ConfigError, match="at least two episodes"):
        measure_recall(engine, chat, [told("I am Ana.", "Ana")])
