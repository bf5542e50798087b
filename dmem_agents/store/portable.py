"""One agent as one portable file, out of any store and into any. Knows nothing of what the record holds."""

from __future__ import annotations

from typing import Final

from dmem_agents.agents import check_agent_id
from dmem_agents.envelope import MAX_SEALED_BYTES, SealedReader, seal
from dmem_agents.errors import AgentIdError, StateConflictError
from dmem_agents.store.base import StateStore, check_data
from dmem_agents.store.procedures import loading_anyhow, perform

SCHEMA: Final = 1
"""Schema number of the files this version writes."""

_FORMAT = "dmem-agent"
_MAX_BYTES = MAX_SEALED_BYTES + 8192  # a full record, its agent id and the frame


def export_agent(store: StateStore, agent_id: str) -> bytes:
    """The agent's record with its id, sealed with a checksum, as one file.

    Raises:
        AgentIdError: the store has no such agent.
    """
    stored = store.load(agent_id)
    if stored is None:
        raise AgentIdError(f"There is no agent {agent_id!r} in this store. List the agents to see which there are.")
    check_data(agent_id, stored.data)
    return seal(
        [
            ("schema", SCHEMA),
            ("format", _FORMAT),
            ("agent_id", agent_id),
            ("version", stored.version),
            ("record", stored.data),
        ]
    )


def import_agent(store: StateStore, blob: bytes, *, agent_id: str | None = None, replace: bool = False) -> str:
    """Puts an exported agent into a store.

    Args:
        store: where to.
        blob: what `export_agent` made.
        agent_id: under which id; None is the exported one.
        replace: write over an agent of that id; its version goes on counting.

    Returns:
        The id it has now.

    Raises:
        StateCorruptError: the file is damaged or something else.
        StateConflictError: there is an agent of that id, and `replace` is off. Nothing was written.
    """
    exported_id, data = _read(blob)
    target = check_agent_id(exported_id if agent_id is None else agent_id)
    existing = perform(loading_anyhow(target), store) if replace else store.load(target)
    if existing is not None and not replace:
        raise StateConflictError(
            f"There is already an agent {target!r} in this store. Import under another id (`agent_id=`, on the "
            "command line `--as`), or replace it (`replace=True`, `--replace`). Nothing was written."
        )
    store.commit(target, data, expected=existing)
    return target


def exported_record(blob: bytes) -> bytes:
    """The record inside what `export_agent` made.

    Raises:
        StateCorruptError: the file is damaged or something else.
    """
    return _read(blob)[1]


def _read(blob: bytes) -> tuple[str, bytes]:
    reader = SealedReader(blob, subject="The exported agent", max_bytes=_MAX_BYTES)
    if (schema := reader.integer("schema", low=1)) != SCHEMA:
        raise reader.damaged(f"it has schema {schema}, this version reads {SCHEMA}; upgrade dmem-agents")
    if (found := reader.text("format")) != _FORMAT:
        raise reader.damaged(f"expected the format {_FORMAT!r}, got {found!r}")
    exported_id = reader.text("agent_id")
    reader.integer("version", low=1)
    data = reader.binary("record")
    reader.finish()
    return exported_id, data
