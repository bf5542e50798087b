"""Work over several calls of a store, written once for sync and async stores.

A procedure is a generator: it yields what to call, gets the result sent back (or the error thrown in), and returns
its own. The two drivers below differ in an `await`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from dmem_agents.errors import AgentIdError, StateCorruptError, StateError

if TYPE_CHECKING:
    from dmem_agents.store.base import StoredRecord

T = TypeVar("T")
Step: TypeAlias = Callable[[Any], Any]
"""Calls one method of the store: their names are the same in both twins."""
Procedure: TypeAlias = Generator[Step, Any, T]


def perform(procedure: Procedure[T], store: object) -> T:
    """Carries out a procedure on a sync store."""
    try:
        step = next(procedure)
        while True:
            try:
                result = step(store)
            except BaseException as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(result)
    except StopIteration as done:
        value: T = done.value
        return value


async def perform_async(procedure: Procedure[T], store: object) -> T:
    """Carries out a procedure on an async store."""
    try:
        step = next(procedure)
        while True:
            try:
                result = await step(store)
            except BaseException as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(result)
    except StopIteration as done:
        value: T = done.value
        return value


def loading_anyhow(agent_id: str) -> Procedure[StoredRecord | None]:
    """The stored record, also one that doesn't open: for who replaces it."""
    record: StoredRecord | None
    try:
        record = yield lambda store: store.load(agent_id)
    except StateCorruptError as error:
        if error.stored is None:
            raise
        record = cast("StoredRecord", error.stored)
    return record


def restoring(agent_id: str, version: int) -> Procedure[StoredRecord]:
    """See `StateStore.restore`. A current record that doesn't open is what this repairs."""
    current = yield from loading_anyhow(agent_id)
    if current is None:
        raise unknown_agent(agent_id)
    wanted = yield lambda store: store.load_snapshot(agent_id, version)
    if wanted is None:
        kept = yield lambda store: store.snapshots(agent_id)
        versions = ", ".join(str(snapshot.version) for snapshot in kept) or "none"
        raise StateError(
            f"Version {version} of agent {agent_id!r} is not kept (kept are: {versions}; current is "
            f"{current.version}). Nothing was changed."
        )
    restored: StoredRecord = yield lambda store: store.commit(agent_id, wanted.data, expected=current)
    return restored


def forking(source_id: str, target_id: str) -> Procedure[StoredRecord]:
    """See `StateStore.fork`."""
    source = yield lambda store: store.load(source_id)
    if source is None:
        raise unknown_agent(source_id)
    forked: StoredRecord = yield lambda store: store.commit(target_id, source.data, expected=None)
    return forked


def unknown_agent(agent_id: str) -> AgentIdError:
    """The error for an agent that the store does not have."""
    return AgentIdError(f"There is no agent {agent_id!r} in this store. List the agents to see which there are.")
