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
from typing import Final

from dmem_agents.agents import check_agent_id
from dmem_agents.errors import StateCorruptError, StoreError
from dmem_agents.store.base import (
    StateStore,
    StoredRecord,
    check_data,
    check_lease,
    closed,
    conflict,
    following,
)

SCHEMA: Final = 1
"""Layout of the tables, kept in SQLite's `user_version`."""

APPLICATION_ID: Final = 0x646D656D
"""`dmem`: tells our files from other applications'."""

_PAGE = 256
# Ids are blobs: SQLite's text functions stop at NUL characters, and blobs compare byte by byte.
_TABLES = (
    "CREATE TABLE records (agent_id BLOB PRIMARY KEY, version INTEGER NOT NULL, incarnation TEXT NOT NULL, "
    "record BLOB NOT NULL)",
    "CREATE TABLE leases (agent_id BLOB PRIMARY KEY, owner TEXT NOT NULL, expires_at REAL NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA}",
)
_UPDATE = "UPDATE records SET version = ?, record = ? WHERE agent_id = ? AND version = ? AND incarnation = ?"
_INSERT = (
    "INSERT INTO records (agent_id, version, incarnation, record) VALUES (?, ?, ?, ?) ON CONFLICT (agent_id) DO NOTHING"
)
_ACQUIRE = (
    "INSERT INTO leases (agent_id, owner, expires_at) VALUES (?, ?, ?) ON CONFLICT (agent_id) DO UPDATE "
    "SET owner = excluded.owner, expires_at = excluded.expires_at "
    "WHERE leases.owner = excluded.owner OR leases.expires_at <= ?"
)
_LIST = "SELECT agent_id FROM records WHERE agent_id >= ? AND agent_id < ? ORDER BY agent_id LIMIT ?"


class SQLiteStateStore(StateStore):
    """Keeps records in a SQLite file.

    Opening creates the file and its folders. One connection serves all threads of a process in turn; a forked
    child opens its own. Leases end by the machine's wall clock.

    Args:
        path: the file; `~` is the home folder.
        busy_timeout_seconds: how long to wait while other processes write.

    Raises:
        StoreError: the file can't be opened, is another application's, or a newer version's of this one.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_seconds: float = 30.0) -> None:
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
        key = _key(agent_id)
        with self._use() as connection:
            row = connection.execute(
                "SELECT version, incarnation, record FROM records WHERE agent_id = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        version, incarnation, data = row
        if not (type(version) is int and type(incarnation) is str and type(data) is bytes):
            raise StateCorruptError(
                f"Record of agent {agent_id!r} in {self.path} was not written by dmem-agents: expected an "
                "integer, a text and a blob. It was left as it is."
            )
        return StoredRecord(data=data, version=version, incarnation=incarnation)

    def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None) -> StoredRecord:
        """See `StateStore.commit`. One statement: SQLite makes it atomic."""
        key = _key(agent_id)
        check_data(agent_id, data)
        new = following(data, expected)
        with self._use() as connection:
            if expected is None:
                done = connection.execute(_INSERT, (key, new.version, new.incarnation, data))
            else:
                done = connection.execute(_UPDATE, (new.version, data, key, expected.version, expected.incarnation))
            if done.rowcount == 1:
                return new
            found = connection.execute("SELECT version FROM records WHERE agent_id = ?", (key,)).fetchone()
        raise conflict(agent_id, expected, found[0] if found else None)

    def delete(self, agent_id: str) -> bool:
        """See `StateStore.delete`. Freed pages are overwritten with zeros."""
        key = _key(agent_id)
        with self._use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            deleted = connection.execute("DELETE FROM records WHERE agent_id = ?", (key,)).rowcount
            connection.execute("DELETE FROM leases WHERE agent_id = ?", (key,))
            connection.execute("COMMIT")
        return deleted == 1

    def list_agents(self, prefix: str = "") -> Iterator[str]:
        """See `StateStore.list_agents`. In the order of the ids' UTF-8 bytes, a page at a time."""
        start = prefix.encode("utf-8", "surrogatepass")
        end = start[:-1] + bytes([start[-1] + 1]) if start else b"\xff"  # no byte of UTF-8 is 255
        while True:
            with self._use() as connection:
                rows = connection.execute(_LIST, (start, end, _PAGE)).fetchall()
            yield from (row[0].decode() for row in rows)
            if len(rows) < _PAGE:
                return
            start = rows[-1][0] + b"\0"  # the smallest key after the last one

    def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> bool:
        """See `StateStore.acquire_lease`."""
        key = _key(agent_id)
        check_lease(owner, ttl_seconds)
        with self._use() as connection:
            now = time.time()
            done = connection.execute(_ACQUIRE, (key, owner, now + ttl_seconds, now))
        return done.rowcount == 1

    def release_lease(self, agent_id: str, owner: str) -> None:
        """See `StateStore.release_lease`."""
        key = _key(agent_id)
        with self._use() as connection:
            connection.execute("DELETE FROM leases WHERE agent_id = ? AND owner = ?", (key, owner))

    def close(self) -> None:
        """See `StateStore.close`."""
        with self._mutex:
            self._closed = True
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

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
        if application_id != APPLICATION_ID and (tables or application_id or schema):
            raise StoreError(
                f"Expected a store of dmem-agents in {self.path}, found another application's SQLite file. "
                "Give the store a file of its own. Nothing was changed."
            )
        if schema > SCHEMA:
            raise StoreError(
                f"The store {self.path} has schema {schema}; this version of dmem-agents reads {SCHEMA}. "
                "Upgrade dmem-agents. Nothing was changed."
            )
        if not tables:
            for statement in _TABLES:
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
