"""SQLite and Redis against the store in memory, the contract as code: any sequence, no difference."""

from __future__ import annotations

import functools
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dmem_agents.errors import StateConflictError
from dmem_agents.store import InMemoryStateStore, SQLiteStateStore, StateStore, StoredRecord
from dmem_agents.store.redis import RedisStateStore

AGENTS = ("a", "a:b", "*")
Pair = tuple[StoredRecord | None, StoredRecord | None]


class Server(Protocol):
    url: str


class SideBySide(RuleBasedStateMachine):
    """Does each step on the contract and on the store under test, and compares what a caller can see."""

    def __init__(self, open_store: Callable[[], StateStore]) -> None:
        super().__init__()
        self.contract = InMemoryStateStore()
        self.store = open_store()

    tickets: Bundle[Pair] = Bundle("tickets")
    agents = st.sampled_from(AGENTS)
    owners = st.sampled_from(("me", "you"))

    @initialize(target=tickets)
    def no_record(self) -> Pair:
        return None, None

    @rule(target=tickets, agent_id=agents)
    def load(self, agent_id: str) -> Pair:
        return self.contract.load(agent_id), self.store.load(agent_id)

    @rule(target=tickets, agent_id=agents, data=st.binary(max_size=4), ticket=tickets)
    def commit(self, agent_id: str, data: bytes, ticket: Pair) -> Pair:
        outcomes = []
        for store, expected in zip((self.contract, self.store), ticket, strict=True):
            try:
                outcomes.append(store.commit(agent_id, data, expected=expected))
            except StateConflictError:
                outcomes.append(None)
        assert seen(outcomes[0]) == seen(outcomes[1])
        return outcomes[0], outcomes[1]

    @rule(agent_id=agents)
    def delete(self, agent_id: str) -> None:
        self.both(lambda store: store.delete(agent_id))

    @rule(agent_id=agents, owner=owners)
    def acquire_lease(self, agent_id: str, owner: str) -> None:
        self.both(lambda store: store.acquire_lease(agent_id, owner, ttl_seconds=600))

    @rule(agent_id=agents, owner=owners)
    def release_lease(self, agent_id: str, owner: str) -> None:
        self.both(lambda store: store.release_lease(agent_id, owner))

    @invariant()
    def the_same_agents_hold_the_same_records(self) -> None:
        self.both(lambda store: sorted(store.list_agents()))
        self.both(lambda store: [seen(store.load(agent_id)) for agent_id in AGENTS])

    def both(self, operation: Callable[[StateStore], Any]) -> None:
        assert operation(self.contract) == operation(self.store)

    def teardown(self) -> None:
        self.store.close()


def seen(record: StoredRecord | None) -> tuple[bytes, int] | None:
    return None if record is None else (record.data, record.version)


SETTINGS = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_sqlite_keeps_the_contract_for_any_sequence() -> None:
    with tempfile.TemporaryDirectory() as folder:

        def open_store() -> StateStore:
            return SQLiteStateStore(Path(folder) / f"{secrets.token_hex(4)}.sqlite")

        run_state_machine_as_test(functools.partial(SideBySide, open_store), settings=SETTINGS)


def test_redis_keeps_the_contract_for_any_sequence(redis_server: Server) -> None:
    def open_store() -> StateStore:
        return RedisStateStore(redis_server.url, prefix=secrets.token_hex(4))

    run_state_machine_as_test(functools.partial(SideBySide, open_store), settings=SETTINGS)
