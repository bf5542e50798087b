"""`ReActAgent` with a tool that runs: what it says in the user's name belongs to the turn.

A real model writes the steps, kept to their text by a grammar, so what is absorbed is what was generated.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from llama_index.core.agent.react import ReActChatFormatter
from llama_index.core.agent.workflow import ReActAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from dmem_agents.session import turn as session_turn
from llama_index.llms.dmem import DeltaMemLLM, DeltaMemMemory
from llama_index.llms.dmem.conversion import to_messages

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning"),
]

ACTION = 'Thought: I look.\nAction: look\nAction Input: {"place": "here"}'
ANSWER = "Thought: I can answer.\nAnswer: A cat."


class Writer(DeltaMemLLM):
    """Writes `first`, then an action, and an answer when there is an observation."""

    first: list[str] = Field(default_factory=list)

    def _turn(self, messages: Any, kwargs: dict[str, Any]) -> Any:
        observed = str(messages[-1].content).startswith("Observation: ")
        text = self.first.pop(0) if self.first else ANSWER if observed else ACTION
        form = {"type": "json_schema", "json_schema": {"name": "text", "schema": {"written": text}}}
        return super()._turn(messages, {**kwargs, "response_format": form})


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are the text that their schema names, and nothing else."""

    def only(tools: Any, choice: Any, schema: Any, **options: Any) -> str:
        return f"start: {json.dumps(schema['written'])}"

    monkeypatch.setattr(session_turn, "grammar", only)


def look(place: Literal["here", "there"]) -> str:
    """Look somewhere."""
    return f"A cat is {place}."


class Place(BaseModel):
    """A place."""

    place: Literal["here", "there"]


LOOK = FunctionTool.from_defaults(look, fn_schema=Place)


@pytest.fixture
def llm(tiny: dict[str, Any]) -> Writer:
    return Writer(**{**tiny, "max_tokens": 300}).for_agent("alice")


def absorbed(llm: DeltaMemLLM) -> int:
    info = llm.memory.info()
    return 0 if info is None else info.absorbed_messages


@pytest.mark.parametrize("role", [MessageRole.USER, MessageRole.TOOL])
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_tools_run_is_part_of_the_turn_and_is_absorbed_once(
    llm: Writer, streaming: bool, role: MessageRole
) -> None:
    seen = LlamaDebugHandler(print_trace_on_end=False)
    llm = llm.model_copy(update={"callback_manager": CallbackManager([seen])})
    formatter = ReActChatFormatter.from_defaults(observation_role=role)
    worker = ReActAgent(tools=[LOOK], llm=llm, streaming=streaming, formatter=formatter)
    memory: Any = ChatMemoryBuffer.from_defaults(token_limit=100_000)
    for turn in range(3):
        outcome = await worker.run(user_msg=f"Where is the cat {turn}?", memory=memory)
        assert str(outcome) == "A cat."
        assert [call.tool_output.content for call in outcome.tool_calls] == ["A cat is here."]
        # Finished turns have become a message each: the buffer sends them so.
        assert absorbed(llm) == 4 + 2 * turn
    steps = [pair[1].payload[EventPayload.RESPONSE].raw for pair in seen.get_event_pairs(CBEventType.LLM)]
    asked, told = steps[0]["prompt_tokens"], steps[1]["prompt_tokens"]
    shown = len(ACTION) + len("Observation: A cat is here.")
    assert told - asked > shown  # the question is still there
    assert [step["prompt_tokens"] for step in steps] == [asked, told] * 3


async def test_with_the_models_own_memory_a_finished_turn_is_a_question_and_its_answer(llm: Writer) -> None:
    worker, memory = ReActAgent(tools=[LOOK], llm=llm), DeltaMemMemory(llm=llm)
    for turn in range(3):
        await worker.run(user_msg=f"Where is the cat {turn}?", memory=memory)
        assert absorbed(llm) == 2 * (turn + 1)
    assert "Observation: A cat is here." in str(memory.get_all()[-1].content)


@pytest.mark.parametrize("malformed", ["Action: none", "Thought: hm."])
async def test_a_step_that_is_sent_back_stays_in_the_turn(llm: Writer, malformed: str) -> None:
    llm.first.append(malformed)
    worker, memory = ReActAgent(tools=[LOOK], llm=llm), ChatMemoryBuffer.from_defaults(token_limit=100_000)
    for turn in range(2):
        outcome = await worker.run(user_msg=f"Where is the cat {turn}?", memory=memory)
    assert str(outcome) == "A cat."
    assert absorbed(llm) == 6


@pytest.mark.parametrize(
    ("before", "said", "role"),
    [
        (ACTION, "Observation: rain", "tool"),
        (ACTION, "Error while parsing the output: no", "tool"),
        (f"{ACTION}\nObservation: rain\n{ANSWER}", "Observation: it is late", "user"),
        ("Hello", "Observation: it is late", "user"),
        (ACTION, "Thanks", "user"),
    ],
)
def test_an_observation_is_told_from_what_a_user_says(before: str, said: str, role: str) -> None:
    messages = [ChatMessage(role="assistant", content=before), ChatMessage(role="user", content=said)]
    assert to_messages(messages)[1].role == role
    assert to_messages(messages[1:])[0].role == "user"


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_embedded_model_has_its_tool_run_and_answers(streaming: bool) -> None:
    llm = Writer(store="memory://", dtype="float32", max_tokens=60).for_agent(f"streaming: {streaming}")
    worker = ReActAgent(tools=[LOOK], llm=llm, streaming=streaming)
    outcome = await worker.run(user_msg="Where is the cat?", memory=ChatMemoryBuffer.from_defaults())
    assert str(outcome) == "A cat."
    assert [call.tool_output.content for call in outcome.tool_calls] == ["A cat is here."]
    assert absorbed(llm) == 4
