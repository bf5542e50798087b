"""What is in the store, for commands that need no model: opening it, and reading one agent's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmem_agents.agents import check_agent_id
from dmem_agents.errors import AgentIdError

if TYPE_CHECKING:
    from dmem_agents.state.codec import AgentRecord
    from dmem_agents.store.base import StateStore, StoredRecord


def opened_store(url: str | None) -> StateStore:
    """The store that `--store` names, or the one that a session opens by default.

    Raises:
        ConfigError: the URL has another form, or needs a package that is not installed.
        StoreError: it can't be opened.
    """
    from dmem_agents.store.opening import open_store

    if url is None:
        from dmem_agents.store import default_store_url

        url = default_store_url()
    return open_store(url)


def load_agent(store: StateStore, agent_id: str) -> StoredRecord:
    """The agent's record as bytes.

    Raises:
        AgentIdError: no agent of that id is stored, or the id can't be one.
    """
    stored = store.load(check_agent_id(agent_id))
    if stored is None:
        raise AgentIdError(
            f"There is no agent {agent_id!r} in this store. `dmem agents list` shows which there are; "
            "--store or DMEM_STORE names another store."
        )
    return stored


def read_agent(store: StateStore, agent_id: str) -> tuple[StoredRecord, AgentRecord]:
    """The agent's record, as bytes and decoded. Loads torch.

    Raises:
        AgentIdError: no agent of that id is stored, or the id can't be one.
        StateError: the record is damaged, or a newer version wrote it.
    """
    stored = load_agent(store, agent_id)
    from dmem_agents.state.codec import decode_record

    return stored, decode_record(stored.data, agent_id=agent_id)
