"""The tables of the SQLite store and every statement it runs on them.

Named parameters: `key` the agent id in UTF-8, `now` in seconds since 1970.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = 2
"""Layout of the tables, kept in SQLite's `user_version`. A file of schema 1 gets what is new when it is opened."""

APPLICATION_ID: Final = 0x646D656D
"""`dmem`: tells our files from other applications'."""

PAGE = 256
PURGED_AT_ONCE = 64
# Ids are blobs: SQLite's text functions stop at NUL characters, and blobs compare byte by byte.
SCHEMA_1 = (
    "CREATE TABLE records (agent_id BLOB PRIMARY KEY, version INTEGER NOT NULL, incarnation TEXT NOT NULL, "
    "record BLOB NOT NULL)",
    "CREATE TABLE leases (agent_id BLOB PRIMARY KEY, owner TEXT NOT NULL, expires_at REAL NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
SCHEMA_2 = (
    "ALTER TABLE records ADD COLUMN marks BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE records ADD COLUMN committed_at REAL NOT NULL DEFAULT 0",
    "ALTER TABLE records ADD COLUMN expires_at REAL",
    "ALTER TABLE records ADD COLUMN ttl_seconds REAL",
    "ALTER TABLE records ADD COLUMN snapshots INTEGER",
    "ALTER TABLE records ADD COLUMN snapshot_seconds REAL",
    "ALTER TABLE leases ADD COLUMN fence INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE snapshots (agent_id BLOB NOT NULL, version INTEGER NOT NULL, committed_at REAL NOT NULL, "
    "record BLOB NOT NULL, PRIMARY KEY (agent_id, version))",
    "CREATE INDEX records_expiring ON records (expires_at) WHERE expires_at IS NOT NULL",
    "CREATE TRIGGER record_deleted AFTER DELETE ON records BEGIN "
    "DELETE FROM snapshots WHERE agent_id = old.agent_id; END",
    "PRAGMA user_version = 2",
)
ALIVE = (
    "(records.expires_at IS NULL OR records.expires_at > :now OR EXISTS (SELECT 1 FROM leases "
    "WHERE leases.agent_id = records.agent_id AND leases.expires_at > :now))"
)
LOAD = f"SELECT version, incarnation, record FROM records WHERE agent_id = :key AND {ALIVE}"
REFRESH = (
    "UPDATE records SET expires_at = :now + ttl_seconds "
    f"WHERE agent_id = :key AND expires_at IS NOT NULL AND ttl_seconds IS NOT NULL AND {ALIVE}"
)
FOR_COMMIT = (
    "SELECT version, incarnation, marks, committed_at, length(record), ttl_seconds, snapshots, snapshot_seconds "
    f"FROM records WHERE agent_id = :key AND {ALIVE}"
)
WRITE = (
    "INSERT INTO records (agent_id, version, incarnation, record, marks, committed_at, expires_at, ttl_seconds, "
    "snapshots, snapshot_seconds) VALUES (:key, :version, :incarnation, :record, :marks, :now, :expires_at, "
    ":ttl_seconds, :snapshots, :snapshot_seconds) ON CONFLICT (agent_id) DO UPDATE SET version = :version, "
    "record = :record, marks = :marks, committed_at = :now, expires_at = :expires_at, ttl_seconds = :ttl_seconds, "
    "snapshots = :snapshots, snapshot_seconds = :snapshot_seconds"
)
KEEP_PREVIOUS = (
    "INSERT INTO snapshots (agent_id, version, committed_at, record) "
    "SELECT agent_id, version, committed_at, record FROM records WHERE agent_id = ?"
)
SNAPSHOTS = (
    "SELECT snapshots.version, snapshots.committed_at, length(snapshots.record) FROM snapshots "
    f"JOIN records ON records.agent_id = snapshots.agent_id WHERE records.agent_id = :key AND {ALIVE} "
    "ORDER BY snapshots.version"
)
SNAPSHOT = (
    "SELECT snapshots.version, records.incarnation, snapshots.record FROM snapshots "
    "JOIN records ON records.agent_id = snapshots.agent_id "
    f"WHERE records.agent_id = :key AND snapshots.version = :version AND {ALIVE}"
)
PURGE = f"DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE NOT {ALIVE} LIMIT {PURGED_AT_ONCE})"
ACQUIRE = (
    "INSERT INTO leases (agent_id, owner, expires_at, fence) VALUES (:key, :owner, :now + :ttl, :fence) "
    "ON CONFLICT (agent_id) DO UPDATE SET "
    "fence = CASE WHEN expires_at > :now THEN fence ELSE max(fence + 1, :fence) END, "
    "owner = :owner, expires_at = :now + :ttl WHERE owner = :owner OR expires_at <= :now RETURNING fence"
)
LIST = (
    "SELECT agent_id FROM records WHERE agent_id >= :start AND agent_id < :end "
    f"AND {ALIVE} ORDER BY agent_id LIMIT {PAGE}"
)
STRAYS = (
    "SELECT rowid, typeof(agent_id), typeof(version), typeof(incarnation), typeof(record) FROM records WHERE "
    "typeof(agent_id) != 'blob' OR typeof(version) != 'integer' OR typeof(incarnation) != 'text' "
    "OR typeof(record) != 'blob'"
)
