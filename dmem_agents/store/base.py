"""What a state store promises: the contract, sync and async, and the checks that every store shares.

A store keeps one record of bytes per agent under a version and a lease. It knows nothing of what the bytes
mean, of models or of turns. `in_memory` is this contract as the shortest code; the suite in
`dmem_agents.testing.store_conformance` holds every store to it.
"""

from __future__ import annotations

import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dmem_agents.envelope import MAX_SEALED_BYTES
from dmem_agents.errors import ConfigError, StateConflictError, StateCorruptError, StoreError


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRecord:
    """An agent's record as the store holds it: what `load` gives and `commit` expects."""

    data: bytes = field(repr=False)
    """The record; opaque to the store."""
    version: int
    """1 for a new record, one more for each commit."""
    incarnation: str
    """Drawn when the record is created: a deleted and re-created record never matches an older writer."""


class StateStore(ABC):
    """A place for agents' records. Every method is safe to call from several threads.

    Agent ids are any text that `dmem_agents.agents.check_agent_id` accepts; two different ids never share a
    record. `close` may be called twice; a closed store refuses everything else with `StoreError`.

    Raises:
        StoreConnectionError: from any method: the store can't be reached, or refuses our credentials.
        StoreError: from any method: it could not do its work (disk full, out of memory, read-only ...).
    """

    @abstractmethod
    def load(self, agent_id: str) -> StoredRecord | None:
        """The agent's record, or None when there is none.

        Raises:
            StateCorruptError: something is stored there that no store of ours wrote. It is left as it is.
        """

    @abstractmethod
    def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None) -> StoredRecord:
        """Writes the record in one atomic step, if nobody else did since `expected` was loaded.

        Args:
            agent_id: whose record.
            data: the new record, at most 16 MiB.
            expected: what `load` or the last `commit` gave; None means that there must be no record yet.

        Returns:
            What is stored now, for the next commit.

        Raises:
            StateConflictError: the stored record is not the expected one. Nothing was written.
            StateCorruptError: `data` is too large. Nothing was written.
        """

    @abstractmethod
    def delete(self, agent_id: str) -> bool:
        """Removes the agent's record and lease. True when there was a record."""

    @abstractmethod
    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """Ids of the agents that have a record and start with `prefix` (literally), in no order.

        Constant memory. An agent that is there from beginning to end is named; one that is created or deleted
        meanwhile may or may not be. Redis may name one twice if it resizes its tables meanwhile.
        """

    @abstractmethod
    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> bool:
        """Takes the agent's lease for `ttl_seconds` from now, or renews it for the same owner.

        A lease keeps well-behaved writers apart so that they wait rather than conflict; it is no lock: only
        `commit`'s comparison protects the record. It needs no record and makes none.

        Returns:
            False when another owner holds a lease that has not run out.
        """

    @abstractmethod
    def release_lease(self, agent_id: str, owner: str) -> None:
        """Gives the lease back. Nothing happens when `owner` does not hold it (any more)."""

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

    @abstractmethod
    async def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""

    @abstractmethod
    async def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None) -> StoredRecord:
        """See `StateStore.commit`."""

    @abstractmethod
    async def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""

    @abstractmethod
    def list_agents(self, prefix: str = "") -> AsyncIterator[str]:
        """See `StateStore.list_agents`."""

    @abstractmethod
    async def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> bool:
        """See `StateStore.acquire_lease`."""

    @abstractmethod
    async def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""

    @abstractmethod
    async def aclose(self) -> None:
        """See `StateStore.close`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def following(data: bytes, expected: StoredRecord | None) -> StoredRecord:
    """What a commit of `data` over `expected` will have stored: the next version, or a new incarnation."""
    if expected is None:
        return StoredRecord(data=data, version=1, incarnation=secrets.token_hex(8))
    return StoredRecord(data=data, version=expected.version + 1, incarnation=expected.incarnation)


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
    """The error for a commit that came too late.

    Args:
        agent_id: whose record.
        expected: what the writer had loaded.
        found_version: the version that is stored, or None when there is no record.
    """
    wanted = "no record" if expected is None else f"version {expected.version}"
    found = "none" if found_version is None else f"version {found_version}"
    if expected is not None and found_version == expected.version:
        found += " of a record that was deleted and created again"
    return StateConflictError(
        f"Expected {wanted} of agent {agent_id!r}, found {found}: somebody else committed or deleted it "
        "since it was loaded. Nothing was written. Load the record and repeat the turn."
    )


def closed(what: str) -> StoreError:
    """The error for using a store after `close`."""
    return StoreError(f"{what} is closed. Open a new store.")
