"""Every error this package raises on purpose. Nothing here imports anything else of the package.

Each error also inherits the built-in that fits it, so `except ValueError` keeps working::

    DmemError
    ├── ConfigError (ValueError)            an argument or a configuration that can't be used
    ├── ModelLoadError (OSError)            a backbone that can't be found or opened
    ├── AdapterError (ValueError)           an adapter that is missing, malformed or made for another model
    ├── MessageError (ValueError)           a chat message this library can't show to a model
    │   ├── TemplateError                   the model's chat template can't render these messages
    │   └── ContextOverflowError            the shown messages alone exceed the context window
    ├── ToolCallError (ValueError)          the answer lacks the tool call or object that was asked for
    ├── HistoryDivergedError (ValueError)   the caller's history contradicts what was absorbed
    ├── AgentIdError (ValueError)           an agent id that is missing or unusable
    ├── StateError (ValueError)             a memory state that can't be used
    │   ├── StateMismatchError              written under another model, adapter or layout
    │   └── StateCorruptError               bytes that are damaged, foreign or too large
    ├── StoreError (RuntimeError)           the store could not do its work
    │   ├── StoreConnectionError (ConnectionError)   it can't be reached
    │   ├── StateConflictError              somebody else committed first: nothing was written
    │   │   ├── StateDeletedError           what the commit goes on from was deleted: nothing was written
    │   │   └── LeaseLostError              the lease of this commit holds no more: nothing was written
    │   ├── CommitUnknownError              whether a repeated commit was applied can't be told any more
    │   └── LeaseTimeoutError (TimeoutError)         another turn of this agent is still running
    └── EngineError (RuntimeError)          a request failed while the model ran
        ├── TurnTimeoutError (TimeoutError) the turn took longer than its caller allowed
        ├── EngineClosedError               the engine was shut down
        └── EngineBusyError                 too many requests wait already

Messages say what was expected, what came, where, and what to do; never secrets or message text.
"""


class DmemError(Exception):
    """Base of every error raised by dmem-agents."""


class ConfigError(DmemError, ValueError):
    """An argument or a configuration that can't be used."""


class ModelLoadError(DmemError, OSError):
    """A backbone or tokenizer that can't be found or opened."""


class AdapterError(DmemError, ValueError):
    """An adapter that is missing, malformed, or made for another model."""


class MessageError(DmemError, ValueError):
    """A chat message that this library can't show to a model."""


class TemplateError(MessageError):
    """The model's chat template can't render these messages."""


class ContextOverflowError(MessageError):
    """The shown messages alone exceed the model's context window."""


class ToolCallError(DmemError, ValueError):
    """The answer lacks the tool call, or the object of a schema, that was asked for."""


class HistoryDivergedError(DmemError, ValueError):
    """The caller's history contradicts what the agent absorbed, and `on_divergence="error"`."""


class AgentIdError(DmemError, ValueError):
    """An agent id that is missing or unusable."""


class StateError(DmemError, ValueError):
    """A memory state that can't be used."""


class StateMismatchError(StateError):
    """A state written under another backbone, adapter or layout."""


class StateCorruptError(StateError):
    """A stored record that is damaged, foreign or too large."""

    stored: object = None
    """Of a stored record that doesn't open: the record, for who replaces it. The store's own; None otherwise."""


class StoreError(DmemError, RuntimeError):
    """The state store could not do its work."""


class StoreConnectionError(StoreError, ConnectionError):
    """The state store can't be reached."""


class StateConflictError(StoreError):
    """Somebody else committed first; nothing was written."""


class StateDeletedError(StateConflictError):
    """The record that a commit goes on from was deleted (or lost in a failover) meanwhile; nothing was written."""


class LeaseLostError(StateConflictError):
    """The lease that a commit relied on ran out, or somebody else holds it; nothing was written."""


class CommitUnknownError(StoreError):
    """A commit was repeated so late that the store can't tell any more whether its first try was applied."""


class LeaseTimeoutError(StoreError, TimeoutError):
    """Another turn of the same agent held its lease for longer than we were told to wait."""


class EngineError(DmemError, RuntimeError):
    """A request failed while the model ran; nothing was committed."""


class TurnTimeoutError(EngineError, TimeoutError):
    """A turn took longer than its caller allowed; nothing was committed."""


class EngineClosedError(EngineError):
    """The engine was shut down before the request finished."""


class EngineBusyError(EngineError):
    """Too many requests wait for the model already; this one was not taken."""
