"""What the Redis stores do: each operation once, as a plan that yields commands and gets their replies.

`sync` and `aio` only carry the commands to the server. Everything of an agent lives in one hash under one
key, `{prefix}:{agent_id}`; each write is one Lua script on that key (`scripts`), or one transaction of such a
script and a plain command: atomic on Redis from 6.2 on, Valkey and Cluster, without modules and without a command
over two slots.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from redis import exceptions

from dmem_agents.agents import check_agent_id
from dmem_agents.errors import StateCorruptError, StoreConnectionError, StoreError
from dmem_agents.store.base import StoredRecord, check_data, check_lease, following, lease_lost, mark_of, refused
from dmem_agents.store.redis import scripts
from dmem_agents.store.redis.address import DEFAULT_WAIT_SECONDS, RedisAddress
from dmem_agents.store.redis.exchange import Command
from dmem_agents.store.redis.explained import explained
from dmem_agents.store.redis.scripts import Script
from dmem_agents.store.retention import Retention, Snapshot

T = TypeVar("T")


@dataclass(slots=True)
class Batch:
    """Commands to be sent together."""

    commands: tuple[Command, ...]
    repeatable: bool = True
    """Whether sending them again after a lost connection does no harm."""
    on_each_node: bool = False
    """Whether they go to the cluster's node that is being looked through, not to a key's."""
    sent: int = 0
    """How often they were sent; the driver counts."""


Plan: TypeAlias = Generator[Batch, list[Any], T]
"""Yields batches, gets their replies (or the server's error), returns the result."""

_PAGE: Final = 500  # keys looked at per SCAN
_DIVIDED_FROM: Final = 16 * 1024  # bytes of a record
_ALLOCATION_OVERHEAD: Final = 32  # bytes that the server adds to a value, with some to spare
_BESIDE_LUA_FROM: Final = 32 * 1024  # bytes of a record: below, a transaction takes longer than it spares


class RedisPlans:
    """The store's operations as plans, for one address and key prefix.

    Args:
        shown: the server for messages: no user, password or options.
        prefix: of all keys. It holds no `:`, so that stores of different prefixes never share a key, whatever
            the agent ids.
        retention: how long agents and snapshots are kept.
        transactions: whether MULTI and EXEC can be sent; a cluster's client picks a connection per command. None
            asks the server: a user may lack the rights, a proxy in between may not know them.
        wait_replicas: how many replicas must have a commit before it is acknowledged.
        wait_seconds: how long to wait for them.
    """

    def __init__(
        self,
        shown: str,
        prefix: str,
        retention: Retention,
        *,
        transactions: bool | None = None,
        wait_replicas: int = 0,
        wait_seconds: float = DEFAULT_WAIT_SECONDS,
    ) -> None:
        self.address = shown
        self._wait_replicas, self._wait_seconds = wait_replicas, wait_seconds
        self._then: tuple[Command, ...] = (
            (("WAIT", wait_replicas, round(wait_seconds * 1000)),) if wait_replicas else ()
        )
        self._transactions = transactions
        self.prefix = prefix
        self._refreshes = retention.refresh_on_read
        asked = (_milliseconds(retention.ttl_seconds), retention.snapshots, _milliseconds(retention.snapshot_seconds))
        self._settings = "" if asked == (None,) * 3 else " ".join("" if n is None else str(n) for n in asked)

    @classmethod
    def of(cls, address: RedisAddress) -> RedisPlans:
        """The plans for a store's URL."""
        return cls(
            address.shown,
            address.prefix,
            address.retention,
            transactions=False if address.kind == "cluster" else None,
            wait_replicas=address.wait_replicas,
            wait_seconds=address.wait_seconds,
        )

    def load(self, agent_id: str) -> Plan[StoredRecord | None]:
        """See `StateStore.load`."""
        return self._about(agent_id, self._load(agent_id))

    def commit(
        self, agent_id: str, data: bytes, expected: StoredRecord | None, token: str | None, fence: int | None
    ) -> Plan[StoredRecord]:
        """See `StateStore.commit`."""
        return self._about(agent_id, self._commit(agent_id, data, expected, token, fence))

    def delete(self, agent_id: str) -> Plan[bool]:
        """See `StateStore.delete`."""
        return self._about(agent_id, self._delete(agent_id))

    def acquire_lease(self, agent_id: str, owner: str, ttl_seconds: float) -> Plan[int | None]:
        """See `StateStore.acquire_lease`."""
        return self._about(agent_id, self._acquire(agent_id, owner, ttl_seconds))

    def release_lease(self, agent_id: str, owner: str) -> Plan[None]:
        """See `StateStore.release_lease`."""
        return self._about(agent_id, self._release(agent_id, owner))

    def snapshots(self, agent_id: str) -> Plan[tuple[Snapshot, ...]]:
        """See `StateStore.snapshots`."""
        return self._about(agent_id, self._snapshots(agent_id))

    def load_snapshot(self, agent_id: str, version: int) -> Plan[StoredRecord | None]:
        """See `StateStore.load_snapshot`."""
        return self._about(agent_id, self._load_snapshot(agent_id, version))

    def list_page(self, cursor: int, prefix: str) -> Plan[tuple[int, list[str]]]:
        """One step of `StateStore.list_agents`: the cursor of the next step (0 = done), some agent ids."""
        start = f"{self.prefix}:".encode()
        following_cursor, keys = yield from self._scan(cursor, prefix, ("TYPE", "hash"))
        are_records = (yield Batch(tuple(("HEXISTS", key, "version") for key in keys))) if keys else []
        names = [key[len(start) :] for key, is_record in zip(keys, are_records, strict=True) if is_record]
        return following_cursor, [name.decode() for name in names if _is_text(name)]

    def stray_page(self, cursor: int) -> Plan[tuple[int, list[str]]]:
        """One step of `StateStore.strays`."""
        start = f"{self.prefix}:".encode()
        following_cursor, keys = yield from self._scan(cursor, "", ())
        types = (yield Batch(tuple(("TYPE", key) for key in keys))) if keys else []
        hashes = [key for key, kind in zip(keys, types, strict=True) if kind == b"hash"]
        asked = ("version", "incarnation", "lease_owner")
        fields = (yield Batch(tuple(("HMGET", key, *asked) for key in hashes))) if hashes else []
        found = dict(zip(hashes, fields, strict=True))
        strays = []
        for key, kind in zip(keys, types, strict=True):
            problem = _stray(key[len(start) :], kind, found.get(key))
            if problem:
                strays.append(f"key {key!r} {problem}")
        return following_cursor, strays

    def explained(self, error: Exception) -> StoreError:
        """The server's or the connection's error as one of ours, with advice."""
        return explained(error, self.address, self.prefix)

    def _key(self, agent_id: str) -> bytes:
        check_agent_id(agent_id)
        return f"{self.prefix}:{agent_id}".encode()

    def _scan(self, cursor: int, prefix: str, options: Command) -> Plan[tuple[int, list[bytes]]]:
        """The cursor of the next step, and keys of ours, each once."""
        text = f"{self.prefix}:{prefix}".encode("utf-8", "surrogatepass")
        pattern = re.sub(rb"([\\*?\[\]])", rb"\\\1", text) + b"*"
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE, *options)
        [(following_cursor, found)] = yield Batch((command,), on_each_node=True)
        return int(following_cursor), list(dict.fromkeys(found))

    def _load(self, agent_id: str) -> Plan[StoredRecord | None]:
        key = self._key(agent_id)
        if self._refreshes:
            found, *_ = yield from _run(scripts.LOAD_AND_REFRESH, key)
        else:
            [found] = yield Batch((("HMGET", key, "version", "incarnation", "revision", "record", "rest"),))
        version, incarnation, revision, data, rest = found
        if version is None and incarnation is None and not data:
            return None
        return self._record(agent_id, version, incarnation, data, rest, revision)

    def _commit(
        self, agent_id: str, data: bytes, expected: StoredRecord | None, token: str | None, fence: int | None
    ) -> Plan[StoredRecord]:
        key, mark = self._key(agent_id), mark_of(token)
        check_data(agent_id, data)
        new = following(data, expected, secrets.token_hex(8))
        wanted = ("", new.incarnation, "") if expected is None else _identity(expected)
        held = "" if fence is None else fence
        rest, record = _divided(data)
        # The record is last: redis-py sends what comes before a large argument, and what comes after, apart.
        written = (new.version, new.revision, mark, held, self._settings, rest)
        answer = None
        if expected is not None and len(data) >= _BESIDE_LUA_FROM:
            answer = yield from self._beside_lua(key, record, *wanted, *written)
        if answer is None:
            answer = yield from _run(scripts.COMMIT, key, *wanted, *written, record, then=self._then)
        outcome, *found = answer.reply if isinstance(answer.reply, list) else [answer.reply]
        if outcome == 2:
            raise lease_lost(agent_id)
        if outcome == 0:
            stored_version = int(found[0]) if _is_version(*found) else None
            raise refused(agent_id, expected, stored_version, repeated=answer.sent > 1 or token is not None)
        if answer.confirmed < self._wait_replicas:
            raise self._unconfirmed(agent_id, answer.confirmed)
        if not found:
            return new
        version, incarnation, revision = (text.decode() for text in found)
        return StoredRecord(data=data, version=int(version), incarnation=incarnation, revision=revision)

    def _beside_lua(self, key: bytes, record: bytes, *arguments: str | bytes | int) -> Plan[_Answer | None]:
        """The answer of COMMIT in a transaction that sets the record outside of it.

        With its text: a transaction goes on after a command that failed, so the script must not be unknown. None when
        nothing was done, for want of rights to the commands that this takes and Lua does without.
        """
        if self._transactions is None:  # commands that follow a MULTI which is refused would be done one by one
            try:
                yield Batch((("MULTI",), ("EXEC",)))
                self._transactions = True
            except exceptions.ResponseError:
                self._transactions = False
        if not self._transactions:
            return None
        script: Command = ("EVAL", scripts.COMMIT.text, 1, key, *arguments)
        batch = Batch((("MULTI",), script, ("HSETNX", key, "record", record), ("EXEC",), *self._then))
        try:
            _, _, _, (reply, _), *confirmed = yield batch
        except exceptions.NoPermissionError:
            self._transactions = False
            return None
        if isinstance(reply, Exception):
            raise reply
        return _Answer(reply, batch.sent, *confirmed)

    def _delete(self, agent_id: str) -> Plan[bool]:
        # Not repeated: somebody may have created the agent anew after the first try.
        existed, *_ = yield from _run(scripts.DELETE, self._key(agent_id), repeatable=False)
        return bool(existed)

    def _acquire(self, agent_id: str, owner: str, ttl_seconds: float) -> Plan[int | None]:
        key = self._key(agent_id)
        check_lease(owner, ttl_seconds)
        fence, *_ = yield from _run(scripts.ACQUIRE, key, owner, max(1, round(ttl_seconds * 1000)))
        return int(fence) if fence else None

    def _release(self, agent_id: str, owner: str) -> Plan[None]:
        yield from _run(scripts.RELEASE, self._key(agent_id), owner)

    def _snapshots(self, agent_id: str) -> Plan[tuple[Snapshot, ...]]:
        [[text]] = yield Batch((("HMGET", self._key(agent_id), "snapshots"),))
        entries = re.findall(rb"([0-9]+):([0-9]+):([0-9]+)", text or b"")
        return tuple(
            Snapshot(version=int(version), committed_at=int(ms) / 1000, size_bytes=int(size))
            for version, ms, size in entries
        )

    def _load_snapshot(self, agent_id: str, version: int) -> Plan[StoredRecord | None]:
        fields = ("incarnation", f"snap:{version}", f"snap:{version}:rest")
        [[incarnation, data, rest]] = yield Batch((("HMGET", self._key(agent_id), *fields),))
        return None if data is None else self._record(agent_id, str(version).encode(), incarnation, data, rest, None)

    def _record(
        self,
        agent_id: str,
        version: bytes | None,
        incarnation: bytes | None,
        data: bytes | None,
        rest: bytes | None,
        revision: bytes | None,
    ) -> StoredRecord:
        texts = (incarnation or b"") + (revision or b"")
        if not _is_version(version) or not incarnation or not texts.isascii() or data is None:
            raise self._foreign(agent_id)
        return StoredRecord(
            data=data + (rest or b""),
            version=int(version or b""),
            incarnation=incarnation.decode(),
            revision=(revision or b"").decode(),
        )

    def _about(self, agent_id: str, plan: Plan[T]) -> Plan[T]:
        """The plan, with the agent named when its key holds something else than a hash."""
        try:
            return (yield from plan)
        except exceptions.ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise self._foreign(agent_id) from error
            raise

    def _unconfirmed(self, agent_id: str, confirmed: int) -> StoreConnectionError:
        return StoreConnectionError(
            f"The commit of agent {agent_id!r} was stored by {self.address}, but only {confirmed} of "
            f"{self._wait_replicas} replicas had it within {self._wait_seconds:g} s: a failover now may lose it. "
            "Repeat it with its token, or load the agent again to see what is there. Look for replicas that are down."
        )

    def _foreign(self, agent_id: str) -> StateCorruptError:
        return StateCorruptError(
            f"What {self.address} holds for agent {agent_id!r} under the prefix {self.prefix!r} was not "
            "written by dmem-agents, or is damaged. It was left as it is. Use another prefix, or "
            "restore a backup."
        )


class _Answer(NamedTuple):
    reply: Any
    """Of the script."""
    sent: int
    """How often the script was sent."""
    confirmed: int = 0
    """How many replicas had it, where that was asked."""


def _run(
    script: Script,
    key: bytes,
    *arguments: str | bytes | int,
    repeatable: bool = True,
    then: tuple[Command, ...] = (),
) -> Plan[_Answer]:
    """The answer of a script, which is sent with its text when the server does not know it (any more)."""
    batch = Batch((("EVALSHA", script.sha, 1, key, *arguments), *then), repeatable)
    try:
        reply, *confirmed = yield batch
    except exceptions.NoScriptError:
        again = Batch((("EVAL", script.text, 1, key, *arguments), *then), repeatable)
        reply, *confirmed = yield again
        return _Answer(reply, max(batch.sent, again.sent), *confirmed)
    return _Answer(reply, batch.sent, *confirmed)


def _identity(record: StoredRecord) -> tuple[int, str, str]:
    return record.version, record.incarnation, record.revision


def _divided(data: bytes) -> tuple[bytes, bytes]:
    """A record's end and what is before it, which fills an allocation of the server's.

    Those come in four sizes per doubling (jemalloc): a value just above one would take a quarter more than it is.
    """
    if len(data) < _DIVIDED_FROM:
        return b"", data
    allocated = len(data) + _ALLOCATION_OVERHEAD
    step = 1 << (allocated.bit_length() - 3)
    cut = allocated // step * step - _ALLOCATION_OVERHEAD
    return data[cut:], data[:cut]


def _milliseconds(seconds: float | None) -> int | None:
    """As the scripts take it: 0 for no limit."""
    if seconds is None:
        return None
    return 0 if math.isinf(seconds) else max(1, round(seconds * 1000))


def _is_version(value: bytes | None = None) -> bool:
    return value is not None and re.fullmatch(rb"[1-9][0-9]{0,18}", value) is not None


def _is_text(name: bytes) -> bool:
    try:
        return bool(name.decode())
    except UnicodeDecodeError:
        return False  # no key of ours


def _stray(name: bytes, kind: bytes, fields: list[bytes | None] | None) -> str | None:
    """What is wrong with a key under our prefix; None when nothing is."""
    if kind == b"none":
        return None  # deleted meanwhile
    if fields is None:
        return f"is a {kind.decode(errors='replace')}, not a hash"
    if not _is_text(name):
        return "has a name that is no agent id"
    version, incarnation, owner = fields
    if version is None and incarnation is None and owner is not None:
        return None  # a lease alone
    return None if _is_version(version) and incarnation else "is a hash without a record of ours"
