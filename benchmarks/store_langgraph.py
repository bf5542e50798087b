"""The same conversations in LangGraph's savers and in our stores: bytes after 100 turns, commit and load time.

`python -m benchmarks.store_langgraph` writes `results/store_langgraph.json`. LangGraph's Redis saver
(`langgraph-checkpoint-redis`) needs a server with the RedisJSON and RediSearch modules: `--modules redis://…` names
one, and our Redis store is measured on the same server. Sizes are the file's, or what the server's memory grew by.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver

from benchmarks.run import RESULTS, circumstances
from benchmarks.store import embedded_record
from dmem_agents.store import SQLiteStateStore, StateStore
from dmem_agents.store.redis import RedisStateStore

CONVERSATIONS = 5
LOADS = 20


def told_to_langgraph(saver: BaseCheckpointSaver[Any], thread: str, turns: int) -> dict[str, list[float]]:
    """Seconds of each commit and load: every turn adds a question and an answer of 30 words and keeps a checkpoint."""
    messages: list[Any] = []
    config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    commits = []
    for turn in range(turns):
        messages += [HumanMessage(f"Question {turn}: " + "word " * 30), AIMessage("answer " * 30)]
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"messages": list(messages)}
        checkpoint["channel_versions"] = {"messages": turn + 1}
        metadata: Any = {"step": turn}
        started = time.perf_counter()
        config = saver.put(config, checkpoint, metadata, {"messages": turn + 1})
        commits.append(time.perf_counter() - started)
    newest: Any = {"configurable": {"thread_id": thread}}
    return {"commit": commits, "load": [_seconds(lambda: saver.get_tuple(newest)) for _ in range(LOADS)]}


def told_to_ours(store: StateStore, agent: str, turns: int, record: bytes) -> dict[str, list[float]]:
    """The same for one of our stores: a record of the embedded model, replaced at every turn."""
    stored = None
    commits = []
    for _ in range(turns):
        started = time.perf_counter()
        stored = store.commit(agent, record, expected=stored)
        commits.append(time.perf_counter() - started)
    return {"commit": commits, "load": [_seconds(lambda: store.load(agent)) for _ in range(LOADS)]}


def measured(tell: Callable[[str], dict[str, list[float]]], size: Callable[[], int]) -> dict[str, float]:
    """Medians over some conversations, and bytes for each of them; the first warms up and is not counted."""
    tell("warm-up")
    before = size()
    told = [tell(f"conversation {number}") for number in range(CONVERSATIONS)]
    grown = (size() - before) / CONVERSATIONS
    return {
        "bytes_per_agent": grown,
        "commit_seconds": statistics.median(s for times in told for s in times["commit"]),
        "load_seconds": statistics.median(s for times in told for s in times["load"]),
    }


def in_files(turns: int, record: bytes) -> dict[str, Any]:
    """Both SQLite stores."""
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = Path(folder) / "langgraph.db", Path(folder) / "ours.db"
        with SqliteSaver.from_conn_string(str(theirs)) as saver:

            def their_size() -> int:
                saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return theirs.stat().st_size

            of_theirs = measured(lambda thread: told_to_langgraph(saver, thread, turns), their_size)
        with SQLiteStateStore(ours) as store:

            def our_size() -> int:
                return ours.stat().st_size + sum(f.stat().st_size for f in Path(folder).glob("ours.db-wal"))

            of_ours = measured(lambda agent: told_to_ours(store, agent, turns, record), our_size)
    return {"langgraph_sqlite": of_theirs, "dmem_sqlite": of_ours}


def on_a_server(url: str, turns: int, record: bytes) -> dict[str, Any]:
    """Both Redis stores, on one server that has LangGraph's modules."""
    from langgraph.checkpoint.redis import RedisSaver

    with redis.Redis.from_url(url) as raw:

        def size() -> int:
            return int(raw.info("memory")["used_memory"])

        with RedisSaver.from_conn_string(url) as saver:
            saver.setup()
            theirs = measured(lambda thread: told_to_langgraph(saver, thread, turns), size)
        with RedisStateStore(url) as store:
            ours = measured(lambda agent: told_to_ours(store, agent, turns, record), size)
        modules = {m[b"name"].decode(): m[b"ver"] for m in raw.module_list()}
        server = raw.info("server")["redis_version"]
    return {"langgraph_redis": theirs, "dmem_redis": ours, "server": server, "modules": modules}


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--modules", help="URL of an empty server with RedisJSON and RediSearch")
    chosen = parser.parse_args()
    record = embedded_record(chosen.turns)
    packages = ["langgraph-checkpoint-sqlite", *(["langgraph-checkpoint-redis"] if chosen.modules else [])]
    path = RESULTS / "store_langgraph.json"
    kept: dict[str, Any] = {} if chosen.modules or not path.exists() else json.loads(path.read_text(encoding="utf-8"))
    result: dict[str, Any] = kept | {
        "circumstances": circumstances(),
        "versions": kept.get("versions", {}) | {name: version(name) for name in packages},
        "turns": chosen.turns,
        "conversations": CONVERSATIONS,
        "record_bytes": len(record),
        **in_files(chosen.turns, record),
        **(on_a_server(chosen.modules, chosen.turns, record) if chosen.modules else {}),
        "note": "LangGraph keeps every message's text and every step; the δ-mem record replaces neither text nor log.",
    }
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
