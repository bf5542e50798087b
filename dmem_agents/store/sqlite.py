"""Records in one SQLite file (WAL): the embedded default, for several threads and processes of one machine.

Each operation is one atomic statement or transaction, written through to the disk before it returns. Not for
network file systems, whose locks SQLite can't rely on: use Redis there.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dmem_agents.agents import check_agent_id
from dmem_agents.errors import StateCorruptError, StoreError
from dmem_agents.store import sqlite_statements as sql
from dmem_agents.store.base import (
    MARK_BYTES,
    MARKS_KEPT,
    StateStore,
    StoredRecord,
    check_data,
    check_lease,
    closed,
    following,
    lease_lost,
    mark_of,
    refused,
)
from dmem_agents.store.retention import AS_IT_IS, Retention, Snapshot


class SQLiteStateStore(StateStore):
    """Keeps records in a SQLite file.

    Opening creates the file and its folders. One connection serves all threads of a process in turn; a forked
    child opens its own, and needs its parent to live on: SQLite's locks are the parent's, so a daemon opens its store
    after it has forked. Leases end by the machine's wall clock.

    Args:
        path: the file; `~` is the home folder.
        retention: how long agents and snapshots are kept.
        busy_timeout_seconds: how long to wait while other processes write.

    Raises:
        StoreError: the file can't be opened, is another application's, or a newer version's of this one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        retention: Retention | None = None,
        busy_timeout_seconds: float = 30.0,
    ) -> None:
        self._retention = retention or AS_IT_IS
        self.path = Path(path).expanduser().absolute()
        self._busy_timeout_seconds = busy_timeout_seconds
        self._mutex = threading.Lock()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        with self._use():
            pass

    def load(self, agent_id: str) -> StoredRecord | None:
        """See `StateStore.load`."""
        asked = {"key": _key(agent_id), "now": time.time()}
        with self._use() as connection:
            if self._retention.refresh_on_read:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(sql.REFRESH, asked)
            row = connection.execute(sql.LOAD, asked).fetchone()
            if connection.in_transaction:
                connection.execute("COMMIT")
        return None if row is None else self._record(agent_id, row)

    def commit(
        self,
        agent_id: str,
        data: bytes,
        *,
        expected: StoredRecord | None,
        token: str | None = None,
        fence: int | None = None,
    ) -> StoredRecord:
        """See `StateStore.commit`. One transaction."""
        key = _key(agent_id)
        check_data(agent_id, data)
        mark = mark_of(token)
        new = following(data, expected)
        with self._use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            now = time.time()
            found = connection.execute(sql.FOR_COMMIT, {"key": key, "now": now}).fetchone()
            if found and (done := _own_commit(mark, found, data)):
                return done
            if (found[:2] if found else None) != ((expected.version, expected.incarnation) if expected else None):
                raise refused(agent_id, expected, found[0] if found else None, repeated=token is not None)
            if fence is not None and not _holds(connection, key, fence, now):
                raise lease_lost(agent_id)
            if not found:  # what is there has expired
                connection.execute("DELETE FROM records WHERE agent_id = ?", (key,))
            self._write(connection, key, new, found, mark, now)
            connection.execute(sql.PURGE, {"now": now})
            connection.execute("COMMIT")
        return new

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`. Freed pages are overwritten with zeros."""
        key = _key(agent_id)
        with self._use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            existed = connection.execute(sql.LOAD, {"key": key, "now": time.time()}).fetchone() is not None
            connection.execute("DELETE FROM records WHERE agent_id = ?", (key,))
            connection.execute("DELETE FROM leases WHERE agent_id = ?", (key,))
            connection.execute("COMMIT")
        return existed

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`. In the order of the ids' UTF-8 bytes, a page at a time."""
        start = prefix.encode("utf-8", "surrogatepass")
        end = start[:-1] + bytes([start[-1] + 1]) if start else b"\xff"  # no byte of UTF-8 is 255
        while True:
            with self._use() as connection:
                rows = connection.execute(sql.LIST, {"start": start, "end": end, "now": time.time()}).fetchall()
            yield from (row[0].decode() for row in rows)
            if len(rows) < sql.PAGE:
                return
            start = rows[-1][0] + b"\0"  # the smallest key after the last one

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
        """See `StateStore.acquire_lease`."""
        key = _key(agent_id)
        check_lease(owner, ttl_seconds)
        with self._use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            now = time.time()
            connection.execute(
                f"DELETE FROM records WHERE agent_id = :key AND NOT {sql.ALIVE}", {"key": key, "now": now}
            )  # an agent that has expired is not brought back by a lease
            asked = {"key": key, "owner": owner, "now": now, "ttl": ttl_seconds, "fence": int(now * 1e6)}
            rows = connection.execute(sql.ACQUIRE, asked).fetchall()
            connection.execute("COMMIT")
        return int(rows[0][0]) if rows else None

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        key = _key(agent_id)
        with self._use() as connection:
            connection.execute("DELETE FROM leases WHERE agent_id = ? AND owner = ?", (key, owner))

    def snapshots(self, agent_id: str) -> tuple[Snapshot, ...]:
        """See `StateStore.snapshots`."""
        with self._use() as connection:
            rows = connection.execute(sql.SNAPSHOTS, {"key": _key(agent_id), "now": time.time()}).fetchall()
        return tuple(_snapshot(row) for row in rows)

    def load_snapshot(self, agent_id: str, version: int) -> StoredRecord | None:
        """See `StateStore.load_snapshot`."""
        asked = {"key": _key(agent_id), "version": version, "now": time.time()}
        with self._use() as connection:
            row = connection.execute(sql.SNAPSHOT, asked).fetchone()
        return None if row is None else self._record(agent_id, row)

    def strays(self) -> Iterator[str]:
        """See `StateStore.strays`: rows whose columns are not of the types that we write."""
        with self._use() as connection:
            rows = connection.execute(sql.STRAYS).fetchall()
        return (f"row {row[0]} of `records` holds {', '.join(row[1:])} for blob, integer, text, blob" for row in rows)

    def close(self) -> None:
        """See `StateStore.close`."""
        with self._mutex:
            self._closed = True
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def _write(
        self,
        connection: sqlite3.Connection,
        key: bytes,
        new: StoredRecord,
        found: tuple[Any, ...] | None,
        mark: bytes,
        now: float,
    ) -> None:
        """Writes the record, with the version before kept and old ones dropped."""
        retention, marks = self._retention, b""
        if found:
            marks, (ttl_seconds, snapshots, snapshot_seconds) = found[2], found[5:]
            retention = retention.over(
                Retention(ttl_seconds=ttl_seconds, snapshots=snapshots, snapshot_seconds=snapshot_seconds)
            )
            if retention.snapshots:
                connection.execute(sql.KEEP_PREVIOUS, (key,))
            rows = connection.execute(sql.SNAPSHOTS, {"key": key, "now": 0}).fetchall()
            kept = {snapshot.version for snapshot in retention.kept([_snapshot(row) for row in rows], now)}
            dropped = [(key, row[0]) for row in rows if row[0] not in kept]
            connection.executemany("DELETE FROM snapshots WHERE agent_id = ? AND version = ?", dropped)
        connection.execute(
            sql.WRITE,
            {
                "key": key,
                "version": new.version,
                "incarnation": new.incarnation,
                "record": new.data,
                "marks": (marks + mark)[-MARKS_KEPT * MARK_BYTES :],
                "now": now,
                "expires_at": retention.expiry(now),
                "ttl_seconds": retention.ttl_seconds,
                "snapshots": retention.snapshots,
                "snapshot_seconds": retention.snapshot_seconds,
            },
        )

    def _record(self, agent_id: str, row: tuple[object, object, object]) -> StoredRecord:
        version, incarnation, data = row
        if not (type(version) is int and type(incarnation) is str and type(data) is bytes):
            raise StateCorruptError(
                f"Record of agent {agent_id!r} in {self.path} was not written by dmem-agents: expected an "
                "integer, a text and a blob. It was left as it is."
            )
        return StoredRecord(data=data, version=version, incarnation=incarnation)

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone. What fails is rolled back and explained."""
        with self._mutex:
            if self._closed:
                raise closed(f"The store {self.path}")
            try:
                if self._connection is None or self._pid != os.getpid():
                    self._connection = self._connect()  # a forked child must not touch its parent's
                    self._pid = os.getpid()
                try:
                    yield self._connection
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
            except (sqlite3.Error, OSError) as error:
                raise _explained(self.path, error) from error

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")  # one process at a time creates the tables
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        schema = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application_id != sql.APPLICATION_ID and (tables or application_id or schema):
            raise StoreError(
                f"Expected a store of dmem-agents in {self.path}, found another application's SQLite file. "
                "Give the store a file of its own. Nothing was changed."
            )
        if schema > sql.SCHEMA:
            raise StoreError(
                f"The store {self.path} has schema {schema}; this version of dmem-agents reads {sql.SCHEMA}. "
                "Upgrade dmem-agents. Nothing was changed."
            )
        for statement in (*(() if tables else sql.SCHEMA_1), *(sql.SCHEMA_2 if schema < sql.SCHEMA else ())):
            connection.execute(statement)
        connection.execute("COMMIT")
        self._switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # an acknowledged commit survives a power cut
        connection.execute("PRAGMA secure_delete = ON")

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """SQLite does not wait by itself when another process makes this switch at the same time."""
        deadline = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


_ADVICE: Final = {
    "SQLITE_BUSY": "Other processes held it for too long: look for one that hangs.",
    "SQLITE_LOCKED": "Other processes held it for too long: look for one that hangs.",
    "SQLITE_FULL": "Its disk or quota is full: make room.",
    "SQLITE_READONLY": "It can't be written: check the owner and permissions of the file and its folder.",
    "SQLITE_CANTOPEN": "It can't be opened: check the path and the permissions of its folder.",
    "SQLITE_PERM": "It can't be opened: check the permissions of the file and its folder.",
    "SQLITE_IOERR": "Its disk failed, is full or went away: check it.",
    "SQLITE_NOTADB": "It is no SQLite file: check the path. Nothing was changed.",
    "SQLITE_CORRUPT": "It is damaged: restore a backup.",
    "SQLITE_TOOBIG": "The record is larger than this SQLite allows.",
}


def _explained(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    # Extended codes such as SQLITE_READONLY_DIRECTORY share the advice of their family.
    advice = next((text for family, text in _ADVICE.items() if name.startswith(family)), None)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return StoreError(f"The store {path} failed ({name}: {reason}). {advice or 'Check the file and its folder.'}")


def _key(agent_id: str) -> bytes:
    check_agent_id(agent_id)
    return agent_id.encode()


def _holds(connection: sqlite3.Connection, key: bytes, fence: int, now: float) -> bool:
    """Whether the agent's lease has this fencing token and has not run out."""
    held = "SELECT 1 FROM leases WHERE agent_id = ? AND fence = ? AND expires_at > ?"
    return connection.execute(held, (key, fence, now)).fetchone() is not None


def _own_commit(mark: bytes, found: tuple[Any, ...], data: bytes) -> StoredRecord | None:
    """What a commit with this mark stored, when it is one of the agent's last."""
    version, incarnation, marks = found[:3]
    last = [marks[at : at + MARK_BYTES] for at in range(0, len(marks), MARK_BYTES)]
    if mark not in last:
        return None
    return StoredRecord(data=data, version=version - (len(last) - 1 - last.index(mark)), incarnation=incarnation)


def _snapshot(row: tuple[int, float, int]) -> Snapshot:
    return Snapshot(version=row[0], committed_at=row[1], size_bytes=row[2])
