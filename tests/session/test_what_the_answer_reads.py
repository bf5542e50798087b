"""What a turn's answer reads, and that giving a stream up stops the engine. Survivors of mutation: see the report."""

from __future__ import annotations

from typing import Any

import pytest

from dmem_agents.engine import Engine, Generation, GenerationRequest


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[Generation]:
    """What the engine was asked for, in order."""
    seen: list[Generation] = []
    submit = Engine.submit

    def note(engine: Engine, request: GenerationRequest) -> Generation:
        seen.append(submit(engine, request))
        return seen[-1]

    monkeypatch.setattr(Engine, "submit", note)
    return seen


def test_a_read_only_answer_is_read_from_the_stored_state_alone(session: Any, options: Any, user: Any) -> None:
    session.absorb([user("I live in Seattle.")], agent_id="a", options=options())
    question = [user("Where do I live?")]
    without_writing, writing = (
        session.reply(question, options=options(tokens=24, write_roles=roles), agent_id=agent).text
        for agent, roles in (("b", ()), ("c", ("user", "assistant")))
        for _ in [session.absorb([user("I live in Seattle.")], agent_id=agent, options=options())]
    )
    assert without_writing != writing  # or the comparison below would say nothing
    assert session.reply(question, agent_id="a", options=options(tokens=24, read_only=True)).text == without_writing


def test_context_is_read_and_not_written_while_the_answer_is_made(
    session: Any, options: Any, user: Any, assistant: Any, submitted: list[Generation]
) -> None:
    first = session.reply([user("Hello.")], agent_id="a", options=options())
    history = [user("Hello."), assistant(first.text), user("Again.")]
    for context in ("turn", "full"):
        session.reply(history, agent_id="a", options=options(context=context, read_only=False))
    alone, shown = (generation.request.prompt for generation in submitted[-2:])
    assert len(shown) > len(alone)
    assert sum(shown.write_mask) == sum(alone.write_mask)


def test_a_stream_that_is_given_up_stops_its_generation(
    session: Any, options: Any, user: Any, submitted: list[Generation]
) -> None:
    stream = session.stream([user("Hello.")], agent_id="a", options=options(tokens=2000))
    next(stream)
    stream.close()
    assert submitted[-1].cancelled
    assert submitted[-1].result(30).finish_reason == "cancelled"
