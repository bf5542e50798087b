"""What a state store promises: the contract, sync and async, and the checks that every store shares.

A store keeps one record of bytes per agent under a version and a lease. It knows nothing of what the bytes
mean, of models or of turns. `in_memory` is this contract as the shortest code; the suite in
`dmem_agents.testing.store_conformance` holds every store to it.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from dmem_agents.envelope import MAX_SEALED_BYTES
from dmem_agents.errors import (
    CommitUnknownError,
    ConfigError,
    LeaseLostError,
    StateConflictError,
    StateCorruptError,
    StateDeletedError,
    StoreError,
)
from dmem_agents.store.procedures import forking, perform, perform_async, restoring
from dmem_agents.store.retention import Snapshot

MARK_BYTES: Final = 8
"""Size of what a store keeps of a commit's token."""

MARKS_KEPT: Final = 128
"""A repeated commit is recognised as long as fewer than so many others came after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRecord:
    """An agent's record as the store holds it: what `load` gives and `commit` expects."""

    data: bytes = field(repr=False)
    """The record; opaque to the store."""
    version: int
    """1 for a new record, one more for each commit."""
    incarnation: str
    """Drawn when the record is created: a deleted and re-created record never matches an older writer."""
    revision: str = field(default="", compare=False)
    """Drawn for each commit, where a store may give a version number twice (a failover that loses commits): a record
    of one history never matches a writer of the other. Empty where that can't be."""


class StateStore(ABC):
    """A place for agents' records. Every method is safe to call from several threads.

    Agent ids are any text that `dmem_agents.agents.check_agent_id` accepts; two different ids never share a
    record. `close` may be called twice; a closed store refuses everything else with `StoreError`.

    Raises:
        StoreConnectionError: from any method: the store can't be reached, or refuses our credentials.
        StoreError: from any method: it could not do its work (disk full, out of memory, read-only ...).
    """

    namespace: str = ""
    """What keeps this store's agents apart from others' on the same server: the prefix of its keys."""

    @abstractmethod
    def load(self, agent_id: str) -> StoredRecord | None:
        """The agent's record, or None when there is none.

        Raises:
            StateCorruptError: something is stored there that no store of ours wrote. It is left as it is.
        """

    @abstractmethod
    def commit(
        self,
        agent_id: str,
        data: bytes,
        *,
        expected: StoredRecord | None,
        token: str | None = None,
        fence: int | None = None,
    ) -> StoredRecord:
        """Writes the record in one atomic step, if nobody else did since `expected` was loaded.

        The same step keeps the version before as a snapshot, drops old ones, and starts the agent's time anew,
        as the store's `Retention` says.

        Args:
            agent_id: whose record.
            data: the new record, at most 16 MiB.
            expected: what `load` or the last `commit` gave; None means that there must be no record yet.
            token: any text that is this commit's alone. A commit whose answer was lost can be repeated with the
                same token: the store recognises it and does not apply it again. None draws one, with which the
                store's own repetitions are recognised.
            fence: what `acquire_lease` gave: the commit is refused unless that lease still holds.

        Returns:
            What was stored, for the next commit.

        Raises:
            StateConflictError: the stored record is not the expected one. Nothing was written.
            StateDeletedError: there is none any more, or a newer life's. Nothing was written.
            CommitUnknownError: so many others committed since that a repetition would not be recognised any more.
            LeaseLostError: the lease of `fence` ran out, or went to another owner. Nothing was written.
            StateCorruptError: `data` is too large. Nothing was written.
        """

    @abstractmethod
    def delete(self, agent_id: str) -> bool:
        """Removes all that is kept of the agent: record, snapshots, lease. True when there was a record.

        It is never repeated: after a `StoreConnectionError` it may have happened or not. Call it again then.
        """

    @abstractmethod
    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """Ids of the agents that have a record and start with `prefix` (literally), in no order.

        Constant memory. An agent that is there from beginning to end is named; one that is created or deleted
        meanwhile may or may not be. Redis may name one twice if it resizes its tables meanwhile.
        """

    @abstractmethod
    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """Takes the agent's lease for `ttl_seconds` from now, or renews it for the same owner.

        A lease keeps well-behaved writers apart so that they wait rather than conflict; it is no lock: only
        `commit`'s comparison protects the record. It needs no record and makes none. While it holds, the agent
        does not expire.

        Returns:
            The lease's fencing token, larger than that of every earlier holder; a renewal keeps it. None when
            another owner holds a lease that has not run out.
        """

    @abstractmethod
    def release_lease(self, agent_id: str, owner: str) -> None:
        """Gives the lease back. Nothing happens when `owner` does not hold it (any more)."""

    @abstractmethod
    def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """The agent's earlier versions that are kept, oldest first. The current one is not among them."""

    @abstractmethod
    def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """An earlier version of the agent's record, or None when it is not kept."""

    def restore(self, agent_id: str, version: int) -> StoredRecord:
        """Commits an earlier version's bytes as the newest one; what was newest becomes a snapshot.

        Raises:
            AgentIdError: there is no such agent.
            StateError: that version is not kept.
            StateConflictError: somebody else committed meanwhile. Nothing was written.
        """
        return perform(restoring(agent_id, version), self)

    def fork(self, source_id: str, target_id: str) -> StoredRecord:
        """Commits the source agent's record as version 1 of a new agent. Snapshots are not copied.

        Raises:
            AgentIdError: there is no agent `source_id`.
            StateConflictError: there is an agent `target_id` already. Nothing was written.
        """
        return perform(forking(source_id, target_id), self)

    def strays(self) -> Iterator[str]:
        """Descriptions of what lies where the agents' records do and is none; changes nothing."""
        return iter(())

    @abstractmethod
    def close(self) -> None:
        """Gives connections and files back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncStateStore(ABC):
    """`StateStore` for asyncio: the same promises, method by method.

    A call that is cancelled while it runs may have happened or not, as a whole.
    """

    namespace: str = ""
    """See `StateStore.namespace`."""

    @abstractmethod
    async def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""

    @abstractmethod
    async def commit(
        self,
        agent_id: str,
        data: bytes,
        *,
        expected: StoredRecord | None,
        token: str | None = None,
        fence: int | None = None,
    ) -> StoredRecord:
        """See `StateStore.commit`."""

    @abstractmethod
    async def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""

    @abstractmethod
    def list_agents(self, prefix: str = "") -> AsyncIterator[str]:
        """See `StateStore.list_agents`."""

    @abstractmethod
    async def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""

    @abstractmethod
    async def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""

    @abstractmethod
    async def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""

    @abstractmethod
    async def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""

    async def restore(self, agent_id: str, version: int) -> StoredRecord:
        """See `StateStore.restore`."""
        return await perform_async(restoring(agent_id, version), self)

    async def fork(self, source_id: str, target_id: str) -> StoredRecord:
        """See `StateStore.fork`."""
        return await perform_async(forking(source_id, target_id), self)

    async def strays(self) -> AsyncIterator[str]:
        """See `StateStore.strays`."""
        nothing: tuple[str, ...] = ()
        for stray in nothing:
            yield stray

    @abstractmethod
    async def aclose(self) -> None:
        """See `StateStore.close`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def following(data: bytes, expected: StoredRecord | None, revision: str = "") -> StoredRecord:
    """What a commit of `data` over `expected` will have stored: the next version, or a new incarnation."""
    version, incarnation = (
        (1, secrets.token_hex(8)) if expected is None else (expected.version + 1, expected.incarnation)
    )
    return StoredRecord(data=data, version=version, incarnation=incarnation, revision=revision)


def mark_of(token: str | None) -> bytes:
    """What a store keeps of a commit's token; a mark of its own for None.

    Raises:
        ConfigError: the token is empty.
    """
    if token is None:
        return secrets.token_bytes(MARK_BYTES)
    if not token:
        raise ConfigError("Expected a commit token, got an empty text. Draw one per commit, or leave it out.")
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=MARK_BYTES).digest()


def check_data(agent_id: str, data: bytes) -> None:
    """Refuses what no store keeps.

    Raises:
        StateCorruptError: `data` is not bytes, or more than 16 MiB.
    """
    if not isinstance(data, bytes):
        raise StateCorruptError(f"Expected the record of agent {agent_id!r} as `bytes`, got `{type(data).__name__}`.")
    if len(data) > MAX_SEALED_BYTES:
        raise StateCorruptError(
            f"Expected a record of at most {MAX_SEALED_BYTES} bytes for agent {agent_id!r}, got {len(data)}. "
            "Nothing was written."
        )


def check_lease(owner: str, ttl_seconds: float) -> None:
    """Refuses a lease without an owner or an end.

    Raises:
        ConfigError: `owner` is empty, or `ttl_seconds` not a positive finite number.
    """
    if not owner:
        raise ConfigError("Expected a lease owner, got an empty text. Give each turn a name of its own.")
    if not (ttl_seconds > 0 and math.isfinite(ttl_seconds)):
        raise ConfigError(f"Expected a lease of more than 0 and finitely many seconds, got {ttl_seconds}.")


def conflict(agent_id: str, expected: StoredRecord | None, found_version: int | None) -> StateConflictError:
    """The error for a commit that came too late: after another, or after the record was deleted.

    Args:
        agent_id: whose record.
        expected: what the writer had loaded.
        found_version: the version that is stored, or None when there is no record.
    """
    wanted = "no record" if expected is None else f"version {expected.version}"
    found = "none" if found_version is None else f"version {found_version}"
    if expected is not None and found_version == expected.version:
        found += " of another history (deleted and created again, or its server lost commits in a failover)"
    deleted = expected is not None and (found_version is None or found_version <= expected.version)
    return (StateDeletedError if deleted else StateConflictError)(
        f"Expected {wanted} of agent {agent_id!r}, found {found}: somebody else committed or deleted it "
        "since it was loaded. Nothing was written. Load the record and repeat the turn."
    )


def refused(
    agent_id: str, expected: StoredRecord | None, found_version: int | None, *, repeated: bool
) -> StateConflictError | CommitUnknownError:
    """The error for a commit that does not fit what is stored and was not recognised.

    Args:
        agent_id: whose record.
        expected: what the writer had loaded.
        found_version: the version that is stored, or None when there is no record.
        repeated: whether an earlier try may have been applied.
    """
    come_after = (found_version or 0) - (0 if expected is None else expected.version) - 1
    if repeated and come_after >= MARKS_KEPT:
        return CommitUnknownError(
            f"Whether this commit of agent {agent_id!r} was applied can't be told: {come_after} others may have come "
            f"after it, and {MARKS_KEPT} are remembered. Load the record and look whether it holds the turn; repeat "
            "it if not."
        )
    return conflict(agent_id, expected, found_version)


def lease_lost(agent_id: str) -> LeaseLostError:
    """The error for a commit under a lease that holds no more."""
    return LeaseLostError(
        f"The lease of agent {agent_id!r} ran out before this commit, or went to somebody else. Nothing was "
        "written. Take the lease again, load the record and repeat the turn; a longer lease, or renewing it in "
        "time, avoids this."
    )


def closed(what: str) -> StoreError:
    """The error for using a store after `close`."""
    return StoreError(f"{what} is closed. Open a new store.")
