"""Chat models whose memory is a small learned state (δ-mem) instead of a growing prompt.

The data path, and where each step lives::

    messages ─tokenization─▶ ids + write spans ─model(layers → delta_rule.scan)─▶ logits + MemoryState
             ─codec─▶ bytes ─store─▶ Redis, SQLite or memory

`session` walks that path once per turn: load → align → run → commit, wholly or not at all. The chat models
for LangChain (`langchain_dmem`) and LlamaIndex (`llama_index.llms.dmem`) are thin classes over it.

Importing this package loads neither torch nor transformers: the names below resolve when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dmem_agents.errors import (
    AdapterError as AdapterError,
    AgentIdError as AgentIdError,
    CommitUnknownError as CommitUnknownError,
    ConfigError as ConfigError,
    ContextOverflowError as ContextOverflowError,
    DmemError as DmemError,
    EngineBusyError as EngineBusyError,
    EngineClosedError as EngineClosedError,
    EngineError as EngineError,
    HistoryDivergedError as HistoryDivergedError,
    LeaseLostError as LeaseLostError,
    LeaseTimeoutError as LeaseTimeoutError,
    MessageError as MessageError,
    ModelLoadError as ModelLoadError,
    StateConflictError as StateConflictError,
    StateCorruptError as StateCorruptError,
    StateDeletedError as StateDeletedError,
    StateError as StateError,
    StateMismatchError as StateMismatchError,
    StoreConnectionError as StoreConnectionError,
    StoreError as StoreError,
    TemplateError as TemplateError,
    ToolCallError as ToolCallError,
    TurnTimeoutError as TurnTimeoutError,
)
from dmem_agents.messages import (
    Message as Message,
    Role as Role,
    ToolCall as ToolCall,
)

if TYPE_CHECKING:
    from dmem_agents.agent_memory import AgentMemory as AgentMemory
    from dmem_agents.agents import agent as agent, check_agent_id as check_agent_id, current_agent as current_agent
    from dmem_agents.chat_model import (
        ChatModelSettings as ChatModelSettings,
        unreadable_part as unreadable_part,
    )
    from dmem_agents.engine import SamplingParams as SamplingParams
    from dmem_agents.layers.config import DeltaMemConfig as DeltaMemConfig
    from dmem_agents.model.adapter import load_adapter as load_adapter, save_adapter as save_adapter
    from dmem_agents.model.attach import DeltaMemModel as DeltaMemModel, attach as attach
    from dmem_agents.model.loading import LoadedModel as LoadedModel, load_model as load_model
    from dmem_agents.session import (
        AgentInfo as AgentInfo,
        HistoryDivergedWarning as HistoryDivergedWarning,
        MemorySession as MemorySession,
        Reply as Reply,
        ReplyChunk as ReplyChunk,
        SchemaNotEnforcedWarning as SchemaNotEnforcedWarning,
        SessionConfig as SessionConfig,
        TurnOptions as TurnOptions,
        open_session as open_session,
    )
    from dmem_agents.state.memory_state import MemoryState as MemoryState
    from dmem_agents.store import (
        AsyncStateStore as AsyncStateStore,
        StateStore as StateStore,
        open_async_store as open_async_store,
        open_store as open_store,
    )
    from dmem_agents.tool_calling import InvalidToolCall as InvalidToolCall, ToolSchema as ToolSchema

__version__ = "0.1.0"

_LAZY = {
    "AgentInfo": "dmem_agents.session",
    "AgentMemory": "dmem_agents.agent_memory",
    "AsyncStateStore": "dmem_agents.store",
    "ChatModelSettings": "dmem_agents.chat_model",
    "DeltaMemConfig": "dmem_agents.layers.config",
    "DeltaMemModel": "dmem_agents.model.attach",
    "HistoryDivergedWarning": "dmem_agents.session",
    "InvalidToolCall": "dmem_agents.tool_calling",
    "LoadedModel": "dmem_agents.model.loading",
    "MemorySession": "dmem_agents.session",
    "MemoryState": "dmem_agents.state.memory_state",
    "Reply": "dmem_agents.session",
    "ReplyChunk": "dmem_agents.session",
    "SamplingParams": "dmem_agents.engine",
    "SchemaNotEnforcedWarning": "dmem_agents.session",
    "SessionConfig": "dmem_agents.session",
    "StateStore": "dmem_agents.store",
    "ToolSchema": "dmem_agents.tool_calling",
    "TurnOptions": "dmem_agents.session",
    "agent": "dmem_agents.agents",
    "attach": "dmem_agents.model.attach",
    "check_agent_id": "dmem_agents.agents",
    "current_agent": "dmem_agents.agents",
    "load_adapter": "dmem_agents.model.adapter",
    "load_model": "dmem_agents.model.loading",
    "open_async_store": "dmem_agents.store",
    "open_session": "dmem_agents.session",
    "open_store": "dmem_agents.store",
    "save_adapter": "dmem_agents.model.adapter",
    "unreadable_part": "dmem_agents.chat_model",
}


def __getattr__(name: str) -> object:
    """Import the module that owns a public name on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *_LAZY})
