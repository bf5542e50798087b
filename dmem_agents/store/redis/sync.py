"""The Redis store: carries the plans of `ops` to the server through redis-py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, TypeVar

import redis

from dmem_agents.errors import StoreError
from dmem_agents.store.base import StateStore, StoredRecord, closed
from dmem_agents.store.redis.address import DEFAULT_PREFIX, DEFAULT_RETRIES, RedisAddress, checked_prefix
from dmem_agents.store.redis.clients import Client, checked, connected, disconnected, retrying
from dmem_agents.store.redis.exchange import exchanged
from dmem_agents.store.redis.explained import is_passing
from dmem_agents.store.redis.ops import Batch, Plan, RedisPlans
from dmem_agents.store.retention import AS_IT_IS, Retention, Snapshot

T = TypeVar("T")


class RedisStateStore(StateStore):
    """Keeps each agent in one hash of Redis (6.2 or later) or Valkey: alone, behind Sentinels, or a Cluster.

    Nothing is sent until the first operation. What is safe to repeat is tried again after a lost connection, up
    to `retries` times with growing, jittered pauses; a commit is, because the server recognises it.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`, with redis-py's options,
            `prefix`, `retries` and those of `Retention` in the query.
        prefix: of all keys, without `:`; default is the URL's, or `dmem`.
        retention: how long agents and snapshots are kept; default is the URL's.

    Raises:
        ConfigError: the URL or the prefix can't be used.
    """

    def __init__(self, url: str, *, prefix: str | None = None, retention: Retention | None = None) -> None:
        address = checked(RedisAddress.parsed(url, prefix, retention))
        self._begin(RedisPlans.of(address), lambda: connected(address), address.retries, owned=True)

    @classmethod
    def from_client(
        cls,
        client: Client,
        *,
        prefix: str = DEFAULT_PREFIX,
        retention: Retention | None = None,
        retries: int = DEFAULT_RETRIES,
    ) -> Self:
        """A store on a client of yours, which stays yours: `close` leaves it open.

        The client must give bytes (no `decode_responses`), and should retry nothing by itself: the store does.

        Raises:
            ConfigError: the prefix can't be used.
        """
        store = cls.__new__(cls)
        plans = RedisPlans(
            "of your client",
            checked_prefix(prefix),
            retention or AS_IT_IS,
            transactions=False if isinstance(client, redis.RedisCluster) else None,
        )
        store._begin(plans, lambda: client, retries, owned=False)
        return store

    def _begin(self, plans: RedisPlans, opening: Callable[[], Client], retries: int, *, owned: bool) -> None:
        self._plans = plans
        self.namespace = plans.prefix
        self._opening = opening
        self._owned = owned
        self._retry = retrying(retries)
        self._client: Client | None = None
        self._mutex = threading.Lock()
        self._closed = False

    def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        return self._run(self._plans.load(agent_id))

    def commit(
        self,
        agent_id: str,
        data: bytes,
        *,
        expected: StoredRecord | None,
        token: str | None = None,
        fence: int | None = None,
    ) -> StoredRecord:
        """See `StateStore.commit`."""
        return self._run(self._plans.commit(agent_id, data, expected, token, fence))

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`."""
        return self._run(self._plans.delete(agent_id))

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`. In a cluster, an agent whose slot moves meanwhile may be left out."""
        return self._pages(lambda cursor: self._plans.list_page(cursor, prefix))

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        return self._run(self._plans.acquire_lease(agent_id, owner, ttl_seconds))

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        self._run(self._plans.release_lease(agent_id, owner))

    def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        return self._run(self._plans.snapshots(agent_id))

    def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        return self._run(self._plans.load_snapshot(agent_id, version))

    def strays(self) -> Iterator[str]:
        """See `StateStore.strays`: keys under the prefix that hold no record."""
        return self._pages(self._plans.stray_page)

    def close(self) -> None:
        """See `StateStore.close`."""
        self._closed = True
        with self._mutex:
            if self._client is not None and self._owned:
                disconnected(self._client)
            self._client = None

    def _pages(self, page: Callable[[int], Plan[tuple[int, list[str]]]]) -> Iterator[str]:
        """What a scan finds, node by node and step by step."""
        with self._explaining():
            nodes = self._carried(self._nodes, repeatable=True)
        for node in nodes:
            cursor = 0
            while True:
                cursor, texts = self._run(page(cursor), node)
                yield from texts
                if cursor == 0:
                    break

    def _run(self, plan: Plan[T], node: Any = None) -> T:
        with self._explaining():
            try:
                batch = next(plan)
                while True:
                    try:
                        replies = self._carried(partial(self._send, batch, node), repeatable=batch.repeatable)
                    except redis.RedisError as error:
                        batch = plan.throw(error)
                    else:
                        batch = plan.send(replies)
            except StopIteration as done:
                result: T = done.value
                return result

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, redis.exceptions.RedisClusterException, OSError) as error:
            if isinstance(error, StoreError):
                raise
            raise self._plans.explained(error) from error

    def _carried(self, work: Callable[[], T], *, repeatable: bool) -> T:
        if not repeatable:
            return work()
        return self._retry.call_with_retry(work, lambda error: None, is_retryable=is_passing)

    def _send(self, batch: Batch, node: Any) -> list[Any]:
        client = self._open()
        batch.sent += 1
        commands = batch.commands
        if batch.on_each_node and node is not None:
            return [node.redis_connection.execute_command(*commands[0])]
        return exchanged(client, commands)

    def _nodes(self) -> list[Any]:
        """The cluster's primaries; None for a server."""
        client = self._open()
        return client.get_primaries() if isinstance(client, redis.RedisCluster) else [None]  # type: ignore[no-untyped-call]

    def _open(self) -> Client:
        with self._mutex:
            if self._closed:
                raise closed(f"The store {self._plans.address}")
            if self._client is None:
                self._client = self._opening()
            return self._client
