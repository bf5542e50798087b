"""Calls that LlamaIndex makes for its own ends, and that are no part of the conversation: they only read the memory.

LlamaIndex doesn't mark them, so they are told by who asks and how. Knows nothing of models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.core.instrumentation.span import active_span_id
from llama_index_instrumentation import get_dispatcher

_dispatcher = get_dispatcher(__name__)
_ENGINES = re.compile(r"\w*(ChatEngine|QueryEngine|Retriever)\.")
_CONVERSATION = "<current_conversation>\n"
_Method = TypeVar("_Method", bound=Callable[..., Any])


def reads_for_engines(completion: _Method) -> _Method:
    """A completion method that is read-only when a chat engine, query engine or retriever asks for it.

    They complete prompts of their own making: the question that `CondensePlusContextChatEngine` condenses out of
    the history, the queries of a fusion retriever. The span around the call says who asks.
    """
    spanned = _dispatcher.span(completion)

    @wraps(spanned)
    def complete(self: Any, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        if _ENGINES.match(active_span_id.get() or ""):
            kwargs["read_only"] = True
        return spanned(self, prompt, formatted=formatted, **kwargs)

    return complete  # type: ignore[return-value]  # the same call, coroutine and generator included


def rewrites_conversation(messages: Sequence[ChatMessage]) -> bool:
    """Whether this is an agent with `output_cls` that has its whole conversation put into an object."""
    first = messages[-1].blocks[:1] if messages else []
    return any(isinstance(block, TextBlock) and block.text == _CONVERSATION for block in first)
