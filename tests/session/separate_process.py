"""Run by `test_processes` as processes of their own: turns of one agent, and turns that are killed.

separate_process.py talk URL TURNS     says "ready", waits for a line, runs so many turns of agent "a"
separate_process.py killed URL KILLS   kills turns of agent "a" and looks at what the store holds
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from dmem_agents.engine import SamplingParams
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.messages import Message
from dmem_agents.model.attach import attach
from dmem_agents.model.loading import LoadedModel
from dmem_agents.session import MemorySession, SessionConfig, TurnOptions
from dmem_agents.state import AgentRecord, decode_record
from dmem_agents.store import InMemoryStateStore, StateStore, StoredRecord, open_store
from dmem_agents.testing.tiny_model import tiny_model

OPTIONS = TurnOptions(sampling=SamplingParams(max_new_tokens=4))
TOY_TOKENIZER = Path(__file__).parents[1] / "golden" / "toy_tokenizer"


def load() -> LoadedModel:
    torch.manual_seed(7)
    config = DeltaMemConfig(rank=4, output_init="random", online_gain=3.0)
    model = attach(tiny_model(vocab_size=100, eos_token_id=3), config).eval()
    return LoadedModel(model=model, tokenizer=AutoTokenizer.from_pretrained(TOY_TOKENIZER))


def message(turn: int) -> list[Message]:
    return [Message(role="user", content=f"Turn {turn}.")]


def talk(turns: int, *urls: str) -> None:
    loaded = load()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for url in urls:
        with MemorySession(SessionConfig(store=url), loaded=loaded) as session:
            for turn in range(turns):
                session.reply(message(turn), agent_id="a", options=OPTIONS)


class DyingStore(InMemoryStateStore):
    """Passes on to another store, and kills the process around a commit."""

    def __init__(self, store: StateStore, moment: str) -> None:
        super().__init__()
        self._inner = store
        self._moment = moment

    def load(self, agent_id: str) -> StoredRecord | None:
        return self._inner.load(agent_id)

    def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None, **named: Any) -> StoredRecord:
        if self._moment == "before the commit":
            os.kill(os.getpid(), signal.SIGKILL)
        stored = self._inner.commit(agent_id, data, expected=expected)
        if self._moment == "after the commit":
            os.kill(os.getpid(), signal.SIGKILL)
        return stored


def in_killed_child(work: Callable[[], None], seconds: float | None) -> None:
    """Run in a forked process until it kills itself, or we do after so many seconds."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"the child ended by itself, with {os.waitstatus_to_exitcode(status)}")


def killed(kills: int, url: str) -> None:
    """Every record found after a kill must be one that some number of whole turns leads to."""
    loaded = load()
    # The engine's thread does not survive a fork: parent and children each start their own, in a session.
    expected: list[AgentRecord | None] = [None]

    def expected_after(turns: int) -> AgentRecord | None:
        while len(expected) <= turns:
            with MemorySession(SessionConfig(store=InMemoryStateStore()), loaded=loaded) as session:
                for turn in range(2 * turns):
                    session.reply(message(turn), agent_id="a", options=OPTIONS)
                    stored = session.store.load("a")
                    if stored is not None and turn + 1 >= len(expected):
                        expected.append(decode_record(stored.data, agent_id="a"))
        return expected[turns]

    def talk_on(first: int, moment: str) -> None:
        config = SessionConfig(store=DyingStore(open_store(url), moment) if moment else url, lease_ttl_seconds=0.2)
        session = MemorySession(config, loaded=loaded)
        for turn in range(first, first + 10_000):
            session.reply(message(turn), agent_id="a", options=OPTIONS)

    random.seed(1)
    turns = found_old = found_new = 0
    for kill in range(kills):
        moment = ("before the commit", "after the commit", "")[kill % 3]
        in_killed_child(lambda m=moment, t=turns: talk_on(t, m), None if moment else random.uniform(0.02, 0.4))
        with open_store(url) as store:
            stored = store.load("a")
        version = 0 if stored is None else stored.version
        if moment:
            found_old += version == turns
            found_new += version == turns + 1
        record = None if stored is None else decode_record(stored.data, agent_id="a")
        whole = expected_after(version)
        if (record is None) != (whole is None):
            raise SystemExit(f"version {version} is not what {version} turns lead to")
        if record is not None and whole is not None:
            same = record.base == whole.base and record.head == whole.head and record.digests == whole.digests
            if not same or (record.absorbed, record.turns) != (whole.absorbed, whole.turns):
                raise SystemExit(f"version {version} is a mixture")
        turns = version
    sys.stdout.write(f"{found_old} old, {found_new} new\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"talk": talk, "killed": killed}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
