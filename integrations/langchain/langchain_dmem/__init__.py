"""LangChain chat model with a δ-mem memory: `from langchain_dmem import DeltaMemLLM`.

`DeltaMemMiddleware` ties a `create_agent` graph to an agent's memory; it needs the `langchain` package, the model
only `langchain-core`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from langchain_dmem.chat_models import ChatDeltaMem, DeltaMemLLM

if TYPE_CHECKING:
    from langchain_dmem.middleware import DeltaMemMiddleware, DeltaMemState
    from langchain_dmem.tools import memory_tools

__all__ = ["ChatDeltaMem", "DeltaMemLLM", "DeltaMemMiddleware", "DeltaMemState", "memory_tools"]

_LAZY = {"DeltaMemMiddleware": "middleware", "DeltaMemState": "middleware", "memory_tools": "tools"}


def __getattr__(name: str) -> object:
    """Import what needs the `langchain` package on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"langchain_dmem.{_LAZY[name]}"), name)
