"""What LlamaIndex does with a conversation that its messages don't say, told by who asks and how. Knows no models.

- Calls for its own ends are no part of the conversation: they only read the memory.
- An engine that refines its answer over several chunks asks again: the last answer replaces those before it.
- A question that `DeltaMemMemory` has absorbed comes to be answered, perhaps in other words.
- The observations of a `ReActAgent` are user messages, and yet no user's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock
from llama_index.core.instrumentation.span import active_span_id
from llama_index.core.prompts import BasePromptTemplate, SelectorPromptTemplate
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import DISPATCHER_SPAN_DECORATED_ATTR

_dispatcher = get_dispatcher(__name__)
_ENGINES = re.compile(r"\w*(ChatEngine|QueryEngine|Retriever)\.")
_CONVERSATION = "<current_conversation>\n"
_ACTION = re.compile(r"(?:.*\n)?Action: [^\n]*\nAction Input: \{.*\}", re.DOTALL)
_REPROOFS = (
    "FAILURE: Your previous response was empty.\nYou must output a thought and an action/answer.",
    "Error while parsing the output: ",
)
_REPLACES = "dmem_replaces"
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _asked_by_engine() -> bool:
    return _ENGINES.match(active_span_id.get() or "") is not None


def reads_for_engines(completion: _Method) -> _Method:
    """A completion method that is read-only when a chat engine, query engine or retriever asks for it.

    They complete prompts of their own making: the question that `CondensePlusContextChatEngine` condenses out of
    the history, the queries of a fusion retriever. The span around the call says who asks.
    """
    spanned = _dispatcher.span(completion)

    @wraps(spanned)
    def complete(self: Any, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        if _asked_by_engine():
            kwargs["read_only"] = True
        bound = spanned.__get__(self, type(self))  # a span tells whose method it is
        return bound(prompt, formatted=formatted, **kwargs)

    return complete  # type: ignore[return-value]  # the same call, coroutine and generator included


def predicts_for_engines(prediction: _Method) -> _Method:
    """The same for `predict`, by which `CondenseQuestionChatEngine` condenses a whole history into a question."""

    @wraps(prediction)
    def predict(self: Any, prompt: BasePromptTemplate, **prompt_args: Any) -> Any:
        asked = self.model_copy(update={"read_only": True}) if _asked_by_engine() else self
        return prediction(asked, prompt, **prompt_args)

    setattr(predict, DISPATCHER_SPAN_DECORATED_ATTR, True)  # LlamaIndex's own, which it calls, is a span already
    return predict  # type: ignore[return-value]  # the same call, coroutine included


def rewrites_conversation(messages: Sequence[ChatMessage]) -> bool:
    """Whether this is an agent with `output_cls` that has its whole conversation put into an object."""
    first = messages[-1].blocks[:1] if messages else []
    return any(isinstance(block, TextBlock) and block.text == _CONVERSATION for block in first)


class Answered(NamedTuple):
    """A turn that has been answered."""

    agent_id: str | None
    version: int
    text: str


last_answer: ContextVar[Answered | None] = ContextVar("last_answer", default=None)
"""The last turn that ran in this context."""


def note_answer(response: ChatResponse) -> ChatResponse:
    """The response itself, once it is known which answer was the last."""
    details = response.additional_kwargs
    if details.get("dmem_absorbed_messages"):
        answered = Answered(details["agent_id"], details["dmem_version"], response.message.content or "")
        last_answer.set(answered)
    return response


def refined(messages: list[ChatMessage], prompt: BasePromptTemplate, arguments: dict[str, Any]) -> list[ChatMessage]:
    """The messages of a prompt; those that have the last answer refined are marked to replace its turn."""
    chosen = prompt.select() if isinstance(prompt, SelectorPromptTemplate) else prompt
    text, last = {**chosen.kwargs, **arguments}.get("existing_answer"), last_answer.get()
    if not messages or last is None or last.agent_id is None or text != last.text:
        return messages
    return [*messages[:-1], marked(messages[-1], last.agent_id, last.version)]


def marked(message: ChatMessage, agent_id: str, version: int) -> ChatMessage:
    """The message, which replaces what made this version of the agent's memory."""
    mark = {_REPLACES: {"agent_id": agent_id, "version": version}}
    return message.model_copy(update={"additional_kwargs": {**message.additional_kwargs, **mark}})


def replaced_version(messages: Sequence[ChatMessage], agent_id: str | None) -> int | None:
    """Which version of the agent's memory these messages were marked to replace; None: none."""
    marks = [message.additional_kwargs[_REPLACES] for message in messages if _REPLACES in message.additional_kwargs]
    return max((mark["version"] for mark in marks if mark["agent_id"] == agent_id), default=None)


def is_feedback(message: ChatMessage, before: ChatMessage | None) -> bool:
    """Whether this user message is a `ReActAgent`'s: what a tool returned, or that the last step was malformed."""
    if message.role != MessageRole.USER or before is None or before.role != MessageRole.ASSISTANT:
        return False
    text = message.content or ""
    if text.startswith("Observation: "):
        return _ACTION.fullmatch(before.content or "") is not None
    return text.startswith(_REPROOFS)
