"""The Redis store against raw redis-py, its server's memory, and 100,000 agents; writes `results/store.json`.

Ratios come from one run in which both sides take turns, on a server that the run itself starts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from benchmarks.run import RESULTS, circumstances
from dmem_agents.state import AgentRecord, MemoryState, StateLayout, encode_record
from dmem_agents.store import Retention
from dmem_agents.store.base import MARKS_KEPT
from dmem_agents.store.redis import RedisStateStore
from dmem_agents.store.redis.address import RedisAddress
from dmem_agents.store.redis.clients import connected
from dmem_agents.testing.redis_servers import RedisProcess, running

MEMORY_SIZES = (4_000, 16_500, 33_000, 50_000, 82_000, 131_100)
LAYOUT = StateLayout(layers=tuple(f"model.layers.{n}.self_attn" for n in range(30)), heads=4, rank=8)


def embedded_record(turns: int = 100) -> bytes:
    """A record of the embedded model after so many turns, full of normal numbers: nothing in it compresses well."""
    import torch

    generator = torch.Generator().manual_seed(0)
    states = [MemoryState(layout=LAYOUT, values=torch.randn(LAYOUT.shape, generator=generator)) for _ in range(2)]
    digests = tuple(os.urandom(16) for _ in range(2 * turns))
    return encode_record(
        AgentRecord(fingerprint="0" * 64, base=states[0], head=states[1], digests=digests, absorbed=2 * turns)
    )


def in_turns(sides: dict[str, Callable[[], object]], *, rounds: int, calls: int) -> dict[str, float]:
    """Median seconds per call of each side; they take turns, so that all see the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            started = time.perf_counter()
            for _ in range(calls):
                work()
            seconds[name].append((time.perf_counter() - started) / calls)
    return {name: statistics.median(values) for name, values in seconds.items()}


def throughput(server: RedisProcess, record: bytes, *, rounds: int) -> dict[str, Any]:
    """Commit and load against raw pipelines of the same bytes, over connections made with the same options.

    `raw_write` is a transaction that checks nothing. `watched_write` is what it takes with redis-py alone to refuse a
    stale writer: WATCH, a look at the version, and the transaction.
    """
    raw = connected(RedisAddress.parsed(server.url))
    with RedisStateStore(server.url) as store:
        held = [store.commit("a", record, expected=None)]
        fields = {"version": 1, "incarnation": "0123456789abcdef", "record": record}

        def commit() -> None:
            held[0] = store.commit("a", record, expected=held[0])

        def raw_write() -> None:
            pipeline = raw.pipeline(transaction=True)
            pipeline.hset("raw", mapping=fields)
            pipeline.persist("raw")
            pipeline.execute()

        def watched_write() -> None:
            with raw.pipeline(transaction=True) as pipeline:
                pipeline.watch("raw")
                pipeline.hmget("raw", "version", "incarnation")
                pipeline.multi()
                pipeline.hset("raw", mapping=fields)
                pipeline.persist("raw")
                pipeline.execute()

        def raw_read() -> None:
            pipeline = raw.pipeline(transaction=False)
            pipeline.hmget("raw", "version", "incarnation", "record")
            pipeline.execute()

        raw_write()
        sides = {
            "commit": commit,
            "raw_write": raw_write,
            "watched_write": watched_write,
            "load": lambda: store.load("a"),
            "raw_read": raw_read,
        }
        in_turns(sides, rounds=2, calls=50)  # warms up, and fills the marks
        times = in_turns(sides, rounds=rounds, calls=50)
        script_microseconds = {size: _script_microseconds(raw, "return 1", bytes(size)) for size in (100, len(record))}
    return {
        "seconds_per_call": times,
        "commit_ratio": times["raw_write"] / times["commit"],
        "commit_ratio_to_watched": times["watched_write"] / times["commit"],
        "load_ratio": times["raw_read"] / times["load"],
        "rounds": rounds,
        "calls_per_round": 50,
        "script_that_does_nothing_server_microseconds_by_argument_bytes": script_microseconds,
    }


def _script_microseconds(raw: Any, text: str, argument: bytes) -> float:
    """What the server's own clock says of a script with this argument."""
    raw.config_resetstat()
    for _ in range(500):
        raw.eval(text, 1, "raw", argument)
    return float(raw.info("commandstats")["cmdstat_eval"]["usec_per_call"])


def server_memory(server: RedisProcess, record: bytes, *, agents: int) -> dict[str, Any]:
    """Bytes that the server uses per agent, against the record's size, after so many commits to each as it remembers.

    What the second half of the agents adds: the first half has filled buffers and tables.
    """
    raw = redis.Redis(port=server.port, protocol=2)
    ratios = {}
    for size in (*MEMORY_SIZES, len(record)):
        raw.flushall()
        used = []
        with RedisStateStore(server.url) as store:
            for start in (0, agents):
                for number in range(start, start + agents):
                    stored = store.commit(f"user-{number}", record[:size].ljust(size, b"x"), expected=None)
                    for _ in range(MARKS_KEPT if size == len(record) else 0):
                        stored = store.commit(f"user-{number}", stored.data, expected=stored)
                used.append(int(raw.info("memory")["used_memory"]))
        ratios[size] = (used[1] - used[0]) / agents / size
    return {"record_bytes": len(record), "ratio": ratios[len(record)], "ratio_by_bytes": ratios, "agents": agents}


def many_agents(server: RedisProcess, *, agents: int) -> dict[str, Any]:
    """List, expiry and forget over so many agents, copies of one: time, and the client's memory at its peak."""
    raw = redis.Redis(port=server.port, protocol=2)
    raw.flushall()
    result: dict[str, Any] = {"agents": agents}
    with RedisStateStore(server.url, retention=Retention(ttl_seconds=3600)) as store:
        store.commit("user-0", b"x" * 100, expected=None)
        copied = raw.dump("dmem:user-0")
        for start in range(0, agents, 1000):
            pipeline = raw.pipeline(transaction=False)
            for number in range(start, min(start + 1000, agents)):
                pipeline.restore(f"dmem:user-{number}", 3_600_000, copied, replace=True)
            pipeline.execute()
        for name, work in (
            ("list", lambda: sum(1 for _ in store.list_agents())),
            ("forget", lambda: sum(store.delete(agent_id) for agent_id in store.list_agents())),
        ):
            sampled = raw.ttl("dmem:user-0") if name == "list" else None
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            started = time.perf_counter()
            count = work()
            seconds = time.perf_counter() - started
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            result[name] = {"count": count, "seconds": seconds, "client_peak_growth_bytes": grown}
            if sampled is not None:
                result["ttl_of_one_seconds"] = sampled
        result["keys_left"] = int(raw.dbsize())
    return result


def main() -> None:
    """Measure the chosen parts, and keep those measured before."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--part", action="append", choices=("throughput", "server_memory", "many_agents"))
    chosen = parser.parse_args()
    record = embedded_record()
    path = RESULTS / "store.json"
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "throughput": lambda: throughput(server, record, rounds=chosen.rounds),
            "server_memory": lambda: server_memory(server, record, agents=50),
            "many_agents": lambda: many_agents(server, agents=chosen.agents),
        }
        for name in chosen.part or parts:
            result[name] = {**parts[name](), "circumstances": circumstances()}
            path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            print(name, json.dumps(result[name], indent=1), flush=True)


if __name__ == "__main__":
    main()
