"""SQLite and Redis against the store in memory, the contract as code: any sequence, no difference.

`DMEM_LONG=1` runs 2,000 sequences on each rather than a few.
"""

from __future__ import annotations

import functools
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dmem_agents.errors import DmemError
from dmem_agents.store import InMemoryStateStore, Retention, SQLiteStateStore, StateStore, StoredRecord
from dmem_agents.store.redis import RedisStateStore

AGENTS = ("a", "a:b", "*")
Pair = tuple[StoredRecord | None, StoredRecord | None]
Fences = tuple[int | None, int | None]
NO_FENCES: Fences = (None, None)
DATA = st.one_of(
    st.binary(max_size=4), *(st.binary(min_size=4, max_size=4).map(lambda data, n=n: data * n) for n in (4_200, 8_300))
)
"""Redis keeps records from 16 KiB on in two parts, and sets those from 32 KiB on beside the script."""


class Server(Protocol):
    url: str


class SideBySide(RuleBasedStateMachine):
    """Does each step on the contract and on the store under test, and compares what a caller can see."""

    def __init__(self, open_store: Callable[[Retention], StateStore]) -> None:
        super().__init__()
        self._open_store = open_store

    tickets: Bundle[Pair] = Bundle("tickets")
    fences: Bundle[Fences] = Bundle("fences")
    agents = st.sampled_from(AGENTS)
    owners = st.sampled_from(("me", "you"))

    @initialize(
        target=tickets,
        snapshots=st.sampled_from((None, 0, 1, 3)),
        ttl_seconds=st.sampled_from((None, 1e7)),
        refresh_on_read=st.booleans(),
    )
    def open(self, snapshots: int | None, ttl_seconds: float | None, refresh_on_read: bool) -> Pair:
        retention = Retention(snapshots=snapshots, ttl_seconds=ttl_seconds, refresh_on_read=refresh_on_read)
        self.contract = InMemoryStateStore(retention)
        self.store = self._open_store(retention)
        return None, None

    @rule(target=tickets, agent_id=agents)
    def load(self, agent_id: str) -> Pair:
        return self.contract.load(agent_id), self.store.load(agent_id)

    @rule(
        target=tickets,
        agent_id=agents,
        data=DATA,
        ticket=tickets,
        token=st.sampled_from((None, None, "one", "two")),
        fence=st.one_of(st.just(NO_FENCES), fences),
    )
    def commit(self, agent_id: str, data: bytes, ticket: Pair, token: str | None, fence: Fences) -> Pair:
        return self.outcomes(
            lambda side, store: store.commit(agent_id, data, expected=ticket[side], token=token, fence=fence[side])
        )

    @rule(agent_id=agents)
    def delete(self, agent_id: str) -> None:
        self.both(lambda store: store.delete(agent_id))

    @rule(target=fences, agent_id=agents, owner=owners)
    def acquire_lease(self, agent_id: str, owner: str) -> Fences:
        of_contract, of_store = (
            store.acquire_lease(agent_id, owner, ttl_seconds=1e7) for store in (self.contract, self.store)
        )
        assert (of_contract is None) == (of_store is None)
        return of_contract, of_store

    @rule(agent_id=agents, owner=owners)
    def release_lease(self, agent_id: str, owner: str) -> None:
        self.both(lambda store: store.release_lease(agent_id, owner))

    @rule(target=tickets, agent_id=agents, version=st.integers(0, 6))
    def restore(self, agent_id: str, version: int) -> Pair:
        return self.outcomes(lambda _, store: store.restore(agent_id, version))

    @rule(target=tickets, source_id=agents, target_id=agents)
    def fork(self, source_id: str, target_id: str) -> Pair:
        return self.outcomes(lambda _, store: store.fork(source_id, target_id))

    @rule(agent_id=agents, version=st.integers(0, 6))
    def load_snapshot(self, agent_id: str, version: int) -> None:
        self.both(lambda store: seen(store.load_snapshot(agent_id, version)))

    @invariant()
    def the_same_agents_hold_the_same_records(self) -> None:
        self.both(lambda store: sorted(store.list_agents()))
        self.both(lambda store: [seen(store.load(agent_id)) for agent_id in AGENTS])
        self.both(lambda store: [[(s.version, s.size_bytes) for s in store.snapshots(a)] for a in AGENTS])

    def outcomes(self, operation: Callable[[int, StateStore], StoredRecord]) -> Pair:
        """What both stores give or raise, compared; no record where they raise."""
        given: list[StoredRecord | None] = []
        raised: list[type[DmemError] | None] = []
        for side, store in enumerate((self.contract, self.store)):
            try:
                given.append(operation(side, store))
                raised.append(None)
            except DmemError as error:
                given.append(None)
                raised.append(type(error))
        assert raised[0] == raised[1]
        assert seen(given[0]) == seen(given[1])
        return given[0], given[1]

    def both(self, operation: Callable[[StateStore], Any]) -> None:
        assert operation(self.contract) == operation(self.store)

    def teardown(self) -> None:
        self.store.close()


def seen(record: StoredRecord | None) -> tuple[bytes, int] | None:
    return None if record is None else (record.data, record.version)


LONG = bool(os.environ.get("DMEM_LONG"))
SETTINGS = settings(
    max_examples=2000 if LONG else 12,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


def test_sqlite_keeps_the_contract_for_any_sequence() -> None:
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as folder:

        def open_store(retention: Retention) -> StateStore:
            return SQLiteStateStore(Path(folder) / f"{secrets.token_hex(4)}.sqlite", retention=retention)

        run_state_machine_as_test(functools.partial(SideBySide, open_store), settings=SETTINGS)


def test_redis_keeps_the_contract_for_any_sequence(redis_server: Server) -> None:
    def open_store(retention: Retention) -> StateStore:
        return RedisStateStore(redis_server.url, prefix=secrets.token_hex(4), retention=retention)

    run_state_machine_as_test(functools.partial(SideBySide, open_store), settings=SETTINGS)
