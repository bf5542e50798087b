"""Writers on agents while servers are killed, replicas promoted, slots moved and connections cut: what is lost?

Each turn adds one entry to an agent's history and derives a new digest from the old one, so that afterwards every
acknowledged turn is looked for, a turn applied twice shows, and the digest is recomputed from the history alone.
`python -m benchmarks.store_chaos` writes `results/store_chaos.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dmem_agents.errors import CommitUnknownError, StateConflictError, StoreError
from dmem_agents.store import StateStore, StoredRecord, open_store
from dmem_agents.testing.cutting_proxy import CuttingProxy
from dmem_agents.testing.redis_servers import RedisProcess, clustered, move_slot, replicated, running

AGENTS = 10
FILLER_BYTES = (8192, 40_960)
"""Of a record after an even and an odd number of turns: the store writes small and large ones in different ways."""
ENTRY = struct.Struct(">HH")  # writer, turn
Trouble = Callable[[threading.Event], Counter[str]]


@dataclass
class Outcome:
    """What the writers saw."""

    acknowledged: list[tuple[int, int, int, int]] = field(default_factory=list)  # agent, version, writer, turn
    torn: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    gave_up: int = 0


def made(history: bytes) -> bytes:
    """A record: a length, the history, and filler that both determine; a mixed one does not fit together."""
    digest = hashlib.sha256(history).digest()
    filler = FILLER_BYTES[len(history) // ENTRY.size % 2]
    return len(history).to_bytes(4, "big") + history + digest * (filler // len(digest))


def history_of(data: bytes) -> bytes | None:
    """The history in a record; None when the record is torn."""
    history = data[4 : 4 + int.from_bytes(data[:4], "big")]
    return history if made(history) == data else None


def take_turns(store: StateStore, writer: int, turns: int, outcome: Outcome, mutex: threading.Lock) -> None:
    """One writer's turns, each repeated with its token until it is acknowledged."""
    chance = random.Random(writer)
    for turn in range(turns):
        agent = chance.randrange(AGENTS)
        deadline = time.monotonic() + 120
        while not _one_turn(store, agent, writer, turn, outcome, mutex):
            if time.monotonic() > deadline:
                with mutex:
                    outcome.gave_up += 1
                break


def _one_turn(store: StateStore, agent: int, writer: int, turn: int, outcome: Outcome, mutex: threading.Lock) -> bool:
    try:
        record = store.load(f"agent {agent}")
        history = history_of(record.data) if record else b""
        if history is None:
            with mutex:
                outcome.torn += 1
            return False
    except StoreError as error:
        with mutex:
            outcome.errors[type(error).__name__] += 1
        time.sleep(0.05)
        return False
    data = made(history + ENTRY.pack(writer, turn))
    done = _committed(store, f"agent {agent}", data, record, f"{writer}.{turn}", outcome, mutex)
    if done is not None:
        with mutex:
            outcome.acknowledged.append((agent, done.version, writer, turn))
    return done is not None


def _committed(
    store: StateStore,
    agent_id: str,
    data: bytes,
    expected: StoredRecord | None,
    token: str,
    outcome: Outcome,
    mutex: threading.Lock,
) -> StoredRecord | None:
    """The same commit again, with the same token, until there is an answer; None after a conflict."""
    while True:
        try:
            return store.commit(agent_id, data, expected=expected, token=token)
        except StateConflictError:
            return None
        except CommitUnknownError:  # as it advises: look whether the record holds the turn
            mark = (lambda writer, turn: ENTRY.pack(int(writer), int(turn)))(*token.split("."))
            stored = store.load(agent_id)
            history = history_of(stored.data) if stored else None
            entries = [] if history is None else [history[at : at + 4] for at in range(0, len(history), 4)]
            return StoredRecord(data=data, version=entries.index(mark) + 1, incarnation="") if mark in entries else None
        except StoreError as error:
            with mutex:
                outcome.errors[type(error).__name__] += 1
            time.sleep(0.05)


def judged(store: StateStore, outcome: Outcome) -> dict[str, Any]:
    """What is there in the end, against what was acknowledged."""
    found: dict[int, list[tuple[int, int]]] = {}
    torn, gaps = outcome.torn, 0
    for agent in range(AGENTS):
        record = store.load(f"agent {agent}")
        history = history_of(record.data) if record else b""
        torn += history is None
        found[agent] = [] if history is None else list(ENTRY.iter_unpack(history))
        gaps += record is not None and record.version != len(found[agent])
    entries = Counter((agent, *entry) for agent, history in found.items() for entry in history)
    lost = [(a, w, t) for a, _, w, t in outcome.acknowledged if (a, w, t) not in entries]
    misplaced = sum(
        1
        for agent, version, writer, turn in outcome.acknowledged
        if (agent, writer, turn) in entries and found[agent][version - 1] != (writer, turn)
    )
    return {
        "acknowledged": len(outcome.acknowledged),
        "lost_acknowledged": len(lost),
        "applied_twice": sum(count - 1 for count in entries.values()),
        "torn_or_mixed": torn,
        "agents_with_version_gaps": gaps,
        "acknowledged_at_another_version": misplaced,
        "gave_up": outcome.gave_up,
        "errors_seen": dict(outcome.errors),
    }


def run(url: str, trouble: Trouble, *, writers: int, turns: int) -> dict[str, Any]:
    """All writers at once, with trouble until the last one is done."""
    outcome, mutex, over = Outcome(), threading.Lock(), threading.Event()
    started = time.monotonic()
    with ExitStack() as stack, ThreadPoolExecutor(writers + 1) as pool:
        stores = [stack.enter_context(open_store(url)) for _ in range(writers)]
        making = pool.submit(trouble, over)
        work = [pool.submit(take_turns, s, n, turns, outcome, mutex) for n, s in enumerate(stores)]
        try:
            for writer in work:
                writer.result()
        finally:
            over.set()
        events = making.result()
        return {
            **judged(stores[0], outcome),
            "trouble": dict(events),
            "seconds": round(time.monotonic() - started, 1),
        }


def killing(server: RedisProcess) -> Trouble:
    """Kill -9 and start again, every half second or so."""

    def trouble(over: threading.Event) -> Counter[str]:
        events: Counter[str] = Counter()
        while not over.wait(random.uniform(0.3, 0.8)):
            server.kill()
            server.start()
            events["kills"] += 1
        return events

    return trouble


def promoting(primary: RedisProcess) -> Trouble:
    """The primary dies once, early; the Sentinel promotes the replica."""

    def trouble(over: threading.Event) -> Counter[str]:
        over.wait(1.0)
        primary.kill()
        return Counter(promotions=1)

    return trouble


def promoting_and_returning(primary: RedisProcess) -> Trouble:
    """`promoting`, and the old primary comes back as a replica, as the Sentinel tells it: enough of them for WAIT."""

    def trouble(over: threading.Event) -> Counter[str]:
        promoting(primary)(over)
        time.sleep(4.0)
        primary.start()
        over.wait()
        return Counter(promotions=1)

    return trouble


def moving(nodes: list[RedisProcess]) -> Trouble:
    """One agent's slot after the other moves to the next node and back."""

    def trouble(over: threading.Event) -> Counter[str]:
        events: Counter[str] = Counter()
        while not over.wait(0.05):
            key = f"dmem:agent {random.randrange(AGENTS)}"
            slot = int(nodes[0].client().execute_command("CLUSTER", "KEYSLOT", key))
            holders = [n for n in nodes if n.client().execute_command("CLUSTER", "COUNTKEYSINSLOT", slot)]
            if holders:
                move_slot(slot, holders[0], next(node for node in nodes if node is not holders[0]))
                events["slots moved"] += 1
        return events

    return trouble


@contextmanager
def scene(name: str, folder: Path) -> Iterator[tuple[str, Trouble]]:
    """A deployment and its trouble."""
    if name.startswith("kill"):
        aof = {} if "control" in name else {"appendonly": "yes", "appendfsync": name.split()[-1]}
        with running(folder, aof) as server:
            yield f"{server.url}?retries=8", killing(server)
    elif name == "promote":
        with replicated(folder) as (url, primary, _):
            yield url, promoting(primary)
    elif name == "promote, wait_replicas=2":
        with replicated(folder, replicas=2) as (url, primary, _):
            yield f"{url}?wait_replicas=2", promoting_and_returning(primary)
    elif name == "move slots":
        with clustered(folder) as (url, nodes):
            yield url, moving(list(nodes))
    else:
        with running(folder) as server, CuttingProxy(server.port, longest_bytes=600_000) as proxy:

            def trouble(over: threading.Event) -> Counter[str]:
                over.wait()
                return Counter({"connections cut": proxy.cuts})

            yield f"redis://127.0.0.1:{proxy.port}/0?retries=8", trouble


SCENES = (
    "kill, appendfsync always",
    "kill, appendfsync everysec",
    "kill, no persistence (control)",
    "promote",
    "promote, wait_replicas=2",
    "move slots",
    "cut connections",
)


def main() -> None:
    """Run the scenes and write the result."""
    from benchmarks.run import RESULTS, circumstances  # loads torch, which the small version in the tests spares

    parser = argparse.ArgumentParser()
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--scene", action="append", choices=SCENES)
    parser.add_argument("--runs", type=int, default=3, help="one after the other; all of them are written")
    chosen = parser.parse_args()
    path = RESULTS / "store_chaos.json"
    measured: dict[str, Any] = {
        "circumstances": circumstances(),
        "writers": chosen.writers,
        "turns_each": chosen.turns,
        "agents": AGENTS,
        "record_bytes": FILLER_BYTES,
        "runs": [],
    }
    # What else the file holds, runs of some scenes or of earlier stores, stays.
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    result = kept | ({"some_scenes": measured} if chosen.scene else measured)
    for _ in range(chosen.runs):
        scenes: dict[str, Any] = {}
        measured["runs"].append(scenes)
        for name in chosen.scene or SCENES:
            with tempfile.TemporaryDirectory(prefix="dmem-chaos-") as folder, scene(name, Path(folder)) as place:
                scenes[name] = run(*place, writers=chosen.writers, turns=chosen.turns)
            print(name, json.dumps(scenes[name]), flush=True)
            path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
