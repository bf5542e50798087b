from __future__ import annotations

import functools
import multiprocessing
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dmem_agents.errors import StateCorruptError, StoreError
from dmem_agents.store import Retention, SQLiteStateStore
from dmem_agents.store.sqlite_statements import SCHEMA, SCHEMA_1
from dmem_agents.testing.retention_conformance import RetentionConformance
from dmem_agents.testing.shared_store_conformance import SharedStoreConformance
from dmem_agents.testing.store_writers import StoreFactory

ROOT = Path(__file__).parents[2]


class TestSQLiteStateStore(SharedStoreConformance, RetentionConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, folder_in_memory: Path) -> None:
        self.path = folder_in_memory / "agents.sqlite"

    def store_factory(self) -> StoreFactory:
        return functools.partial(SQLiteStateStore, self.path)

    def retaining_factory(self, retention: Retention) -> StoreFactory:
        return functools.partial(SQLiteStateStore, self.path, retention=retention)


def test_the_file_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "agents.sqlite"
    with SQLiteStateStore(path) as store:
        store.commit("a", b"1", expected=None)
    assert path.is_file()


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    SQLiteStateStore("~/agents.sqlite").close()
    assert (tmp_path / "agents.sqlite").is_file()


def test_the_file_is_in_wal_mode_and_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    SQLiteStateStore(path).close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert raw.execute("PRAGMA application_id").fetchone() == (0x646D656D,)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


def test_a_deleted_record_leaves_no_bytes_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    with SQLiteStateStore(path) as store:
        store.commit("a", b"remember me " * 2000, expected=None)
        store.delete("a")
    assert b"remember me" not in path.read_bytes()


@pytest.mark.parametrize("content", [b"this is a text, not a database\n" * 100, b"SQLite format 3\0" + b"?" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"notes\.txt"):
        SQLiteStateStore(path)
    assert path.read_bytes() == content


def test_another_applications_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE bookmarks (url TEXT)")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another application"):
        SQLiteStateStore(path)
    assert path.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    SQLiteStateStore(path).close()
    raw = sqlite3.connect(path)
    raw.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    raw.close()
    with pytest.raises(StoreError, match=f"schema {SCHEMA + 1}.*Upgrade"):
        SQLiteStateStore(path)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"check the path|Check the file"):
        SQLiteStateStore(tmp_path / "file" / "agents.sqlite")


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be opened"):
        SQLiteStateStore(tmp_path)


def test_a_full_disk_is_reported_and_the_old_record_stays(tmp_path: Path) -> None:
    with SQLiteStateStore(tmp_path / "agents.sqlite") as store:
        record = store.commit("a", b"old", expected=None)
        with store._use() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"SQLITE_FULL.*make room"):
            store.commit("a", bytes(1_000_000), expected=record)
        assert store.load("a") == record


def test_a_write_protected_file_is_reported_as_read_only() -> None:
    """Root may write everywhere, so there the child becomes `nobody` first."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "agents.sqlite"
        with SQLiteStateStore(path) as store:
            store.commit("a", b"1", expected=None)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", COMMIT_AS_NOBODY, str(path)], cwd=ROOT, capture_output=True, text=True
        )
        path.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "SQLITE_READONLY" in done.stdout
    assert "permissions" in done.stdout


COMMIT_AS_NOBODY = """
import os, sys
from dmem_agents.errors import StoreError
from dmem_agents.store import Retention, SQLiteStateStore
if os.geteuid() == 0:
    os.setuid(65534)
try:
    store = SQLiteStateStore(sys.argv[1])
    store.commit("a", b"2", expected=store.load("a"))
except StoreError as error:
    print(error)
"""


def test_a_busy_store_says_so_after_its_time(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    with SQLiteStateStore(path, busy_timeout_seconds=0.1) as store:
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"SQLITE_BUSY.*Other processes"):
            store.commit("a", b"1", expected=None)
        raw.execute("ROLLBACK")
        raw.close()
        assert store.commit("a", b"1", expected=None).version == 1


def test_a_row_of_wrong_types_is_refused_naming_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    with SQLiteStateStore(path) as store:
        store.commit("a", b"1", expected=None)
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute("UPDATE records SET record = 'text'")
        with pytest.raises(StateCorruptError, match="'a'"):
            store.load("a")
        assert raw.execute("SELECT record FROM records").fetchone() == ("text",)
        raw.close()


def _commit_in_child(store: SQLiteStateStore) -> None:
    inherited = store._connection
    store.commit("a", b"child", expected=store.load("a"))
    if store._connection is inherited:
        sys.exit(1)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_uses_a_connection_of_its_own(tmp_path: Path) -> None:
    with SQLiteStateStore(tmp_path / "agents.sqlite") as store:
        store.commit("a", b"parent", expected=None)
        child = multiprocessing.get_context("fork").Process(target=_commit_in_child, args=(store,))
        child.start()
        child.join(30)
        assert child.exitcode == 0
        record = store.load("a")
        assert record is not None
        assert (record.data, record.version) == (b"child", 2)


def test_processes_that_create_the_file_at_once_all_open_it(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    program = f"from dmem_agents.store import Retention, SQLiteStateStore; SQLiteStateStore({str(path)!r}).close()"
    children = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]


def test_a_file_of_schema_1_is_opened_and_keeps_its_records(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    raw = sqlite3.connect(path, isolation_level=None)
    for statement in (*SCHEMA_1, "PRAGMA user_version = 1"):
        raw.execute(statement)
    raw.execute("INSERT INTO records VALUES (?, 7, 'i', ?)", (b"a", b"old"))
    raw.execute("INSERT INTO leases VALUES (?, 'somebody', 9e9)", (b"b",))
    raw.close()
    with SQLiteStateStore(path, retention=Retention(snapshots=2)) as store:
        record = store.load("a")
        assert record is not None
        assert (record.data, record.version, record.incarnation) == (b"old", 7, "i")
        assert store.acquire_lease("b", "me", ttl_seconds=1) is None
        assert store.commit("a", b"new", expected=record).version == 8
        assert [s.version for s in store.snapshots("a")] == [7]
