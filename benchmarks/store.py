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
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
import zstandard

from benchmarks.run import RESULTS, circumstances
from dmem_agents.state import AgentRecord, MemoryState, StateLayout, encode_record
from dmem_agents.store import Retention
from dmem_agents.store.redis import RedisStateStore
from dmem_agents.testing.redis_servers import RedisProcess, running

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
    """Commit and load against a raw pipeline of the same bytes."""
    raw = redis.Redis(port=server.port, protocol=2)
    with RedisStateStore(server.url) as store:
        held = [store.commit("a", record, expected=None)]

        def commit() -> None:
            held[0] = store.commit("a", record, expected=held[0])

        def raw_write() -> None:
            pipeline = raw.pipeline(transaction=True)
            pipeline.hset("raw", mapping={"version": 1, "incarnation": "0123456789abcdef", "record": record})
            pipeline.persist("raw")
            pipeline.execute()

        def raw_read() -> None:
            pipeline = raw.pipeline(transaction=False)
            pipeline.hmget("raw", "version", "incarnation", "record")
            pipeline.execute()

        raw_write()
        sides = {"commit": commit, "raw_write": raw_write, "load": lambda: store.load("a"), "raw_read": raw_read}
        times = in_turns(sides, rounds=rounds, calls=100)
    return {
        "seconds_per_call": times,
        "commit_ratio": times["raw_write"] / times["commit"],
        "load_ratio": times["raw_read"] / times["load"],
        "rounds": rounds,
        "calls_per_round": 100,
    }


def server_memory(server: RedisProcess, record: bytes, *, agents: int) -> dict[str, float]:
    """Bytes that the server uses per agent, against the record's size."""
    raw = redis.Redis(port=server.port, protocol=2)
    raw.flushall()
    before = int(raw.info("memory")["used_memory"])
    with RedisStateStore(server.url) as store:
        for number in range(agents):
            store.commit(f"user-{number}", record, expected=None)
    per_agent = (int(raw.info("memory")["used_memory"]) - before) / agents
    return {"record_bytes": len(record), "server_bytes": per_agent, "ratio": per_agent / len(record), "agents": agents}


def many_agents(server: RedisProcess, *, agents: int) -> dict[str, Any]:
    """List, expiry and forget over so many agents: time, and the client's memory at its peak."""
    raw = redis.Redis(port=server.port, protocol=2)
    raw.flushall()
    result: dict[str, Any] = {"agents": agents}
    with RedisStateStore(server.url, retention=Retention(ttl_seconds=3600)) as store:
        for number in range(agents):
            store.commit(f"user-{number}", b"x" * 100, expected=None)
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


def compression(record: bytes) -> dict[str, float]:
    """What zstd and zlib make of a record of normal float32 numbers."""
    return {
        "record_bytes": len(record),
        "state_bytes_each": LAYOUT.heads * LAYOUT.rank**2 * len(LAYOUT.layers) * 4,
        "zstd_3_ratio": len(zstandard.compress(record, 3)) / len(record),
        "zlib_6_ratio": len(zlib.compress(record)) / len(record),
    }


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    record = embedded_record()
    result: dict[str, Any] = {"circumstances": circumstances(), "compression": compression(record)}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        result["throughput"] = throughput(server, record, rounds=chosen.rounds)
        result["server_memory"] = server_memory(server, record, agents=500)
        result["many_agents"] = many_agents(server, agents=chosen.agents)
    (RESULTS / "store.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
