"""Turns with tools: forced calls, what is written of them, and histories that come back with their results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from dmem_agents.engine import SamplingParams
from dmem_agents.errors import ConfigError
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.messages import Message
from dmem_agents.model.attach import attach
from dmem_agents.model.loading import LoadedModel
from dmem_agents.session import MemorySession, Reply, SchemaNotEnforcedWarning, SessionConfig, TurnOptions
from dmem_agents.store import InMemoryStateStore
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer
from dmem_agents.tool_calling import ToolSchema

WEATHER = ToolSchema(
    name="weather",
    description="Tells the weather.",
    parameters={
        "type": "object",
        "properties": {"city": {"enum": ["Oslo", "Zürich"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["city", "days"],
    },
)
NOTE = ToolSchema(name="note", parameters={"type": "object", "properties": {"text": {"type": "string"}}})
ASK = Message(role="user", content="What is the weather?")


@pytest.fixture(scope="module")
def with_bytes() -> LoadedModel:
    """A tiny model with a strong memory, and a tokenizer that can write JSON."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        config = DeltaMemConfig(rank=4, output_init="random", online_gain=3.0)
        return LoadedModel(model=attach(tiny_model(), config).eval(), tokenizer=tiny_tokenizer())


@pytest.fixture
def talk(with_bytes: LoadedModel) -> Iterator[MemorySession]:
    with MemorySession(SessionConfig(store=InMemoryStateStore()), loaded=with_bytes) as session:
        yield session


def options(*tools: ToolSchema, tokens: int = 120, **fields: Any) -> TurnOptions:
    return TurnOptions(tools=tools, sampling=SamplingParams(max_new_tokens=tokens), **fields)


def answer_of(reply: Reply) -> Message:
    return Message(role="assistant", content=reply.text, tool_calls=reply.tool_calls)


def test_a_forced_call_comes_out_and_fits_its_schema(talk: MemorySession) -> None:
    reply = talk.reply([ASK], agent_id="a", options=options(WEATHER, NOTE, tool_choice="weather"))
    assert (reply.text, reply.finish_reason, len(reply.tool_calls)) == ("", "stop", 1)
    call = reply.tool_calls[0]
    assert call.name == "weather"
    assert call.arguments["city"] in ("Oslo", "Zürich")
    assert 1 <= call.arguments["days"] <= 9


def test_a_call_and_its_result_go_on_with_the_same_turn(talk: MemorySession) -> None:
    forced = options(WEATHER, tool_choice="required")
    base = talk.reply([Message(role="user", content="Hello")], agent_id="a", options=options(WEATHER, tokens=4))
    history = [Message(role="user", content="Hello"), answer_of(base), ASK]
    called = talk.reply(history, agent_id="a", options=forced)
    before = talk.info("a")
    result = Message(role="tool", content="Rain", tool_call_id=called.tool_calls[0].id)
    talk.reply([*history, answer_of(called), result], agent_id="a", options=options(WEATHER, tokens=4))
    after = talk.info("a")
    assert after.absorbed_messages == before.absorbed_messages + 2
    assert torch.equal(after.base.values, before.base.values)


def test_the_memory_after_calls_is_that_of_the_messages_written_in_one_pass(talk: MemorySession) -> None:
    called = talk.reply([ASK], agent_id="a", options=options(WEATHER, tool_choice="required"))
    result = Message(role="tool", content="Rain", tool_call_id=called.tool_calls[0].id)
    final = talk.reply([ASK, answer_of(called), result], agent_id="a", options=options(WEATHER, tokens=4))
    talk.absorb([ASK, answer_of(called), result, answer_of(final)], agent_id="b", options=options(WEATHER))
    torch.testing.assert_close(talk.info("a").head.values, talk.info("b").head.values, atol=1e-4, rtol=0)


def test_tools_are_shown_and_never_written(talk: MemorySession) -> None:
    quiet = options(write_roles=(), tokens=4)
    shown = options(WEATHER, write_roles=(), tokens=4)
    plain = talk.reply([ASK], agent_id="a", options=quiet)
    with_tools = talk.reply([ASK], agent_id="b", options=shown)
    assert with_tools.prompt_tokens > plain.prompt_tokens + 200
    assert not talk.info("b").head.values.any()
    hidden = talk.reply([ASK], agent_id="c", options=options(WEATHER, tool_choice="none", tokens=4))
    assert (hidden.prompt_tokens, hidden.tool_calls) == (plain.prompt_tokens, ())


def test_a_call_that_is_cut_off_is_invalid_and_the_turn_is_stored(talk: MemorySession) -> None:
    reply = talk.reply([ASK], agent_id="a", options=options(NOTE, tool_choice="note", tokens=30))
    assert (reply.finish_reason, reply.tool_calls, reply.text) == ("length", (), "")
    assert reply.invalid_tool_calls[0].name == "note"
    again = [ASK, answer_of(reply), Message(role="user", content="And now?")]
    assert talk.reply(again, agent_id="a", options=options(tokens=4)).absorbed_messages == 2


def test_a_stream_says_what_the_reply_says_and_shows_no_call_as_text(talk: MemorySession) -> None:
    for choice in ("required", "auto"):
        asked = options(WEATHER, tool_choice=choice, tokens=120)
        reply = talk.reply([ASK], agent_id=None, options=asked)
        chunks = list(talk.stream([ASK], agent_id=None, options=asked))
        assert "".join(chunk.text for chunk in chunks) == reply.text
        last = chunks[-1].reply
        assert last is not None
        assert [(c.name, c.arguments) for c in last.tool_calls] == [(c.name, c.arguments) for c in reply.tool_calls]


async def test_async_turns_are_kept_to_the_schema_too(talk: MemorySession) -> None:
    reply = await talk.areply([ASK], agent_id="a", options=options(WEATHER, tool_choice="required"))
    assert reply.tool_calls[0].name == "weather"


def test_a_response_schema_makes_the_answer_json(talk: MemorySession) -> None:
    schema = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"]}
    reply = talk.reply([ASK], agent_id="a", options=options(response_schema=schema))
    assert json.loads(reply.text)["mood"] in ("good", "bad")


def test_a_schema_that_says_too_much_is_kept_to_as_far_as_possible_with_a_warning(talk: MemorySession) -> None:
    items = {"type": "array", "items": {"enum": [1]}, "maxItems": 2, "minItems": 1, "uniqueItems": True}
    tool = ToolSchema(name="tags", parameters={"type": "object", "properties": {"x": items}, "required": ["x"]})
    with pytest.warns(SchemaNotEnforcedWarning, match="uniqueItems"):
        reply = talk.reply([ASK], agent_id="a", options=options(tool, tool_choice="tags"))
    assert reply.tool_calls[0].arguments["x"] in ([1], [1, 1])


@pytest.mark.parametrize("choice", ["nothing", "required"])
def test_options_refuse_a_choice_without_its_tool(choice: str) -> None:
    with pytest.raises(ConfigError, match="tool_choice"):
        TurnOptions(tool_choice=choice)


def test_a_schema_that_nothing_can_fit_leaves_the_memory_alone(talk: MemorySession) -> None:
    broken = options(response_schema={"$ref": "#/$defs/Missing"})
    with pytest.raises(ConfigError, match="Missing"):
        talk.reply([ASK], agent_id="a", options=broken)
    assert "a" not in list(talk.store.list_agents())  # type: ignore[union-attr]  # a sync store
