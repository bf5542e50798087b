"""Real processes: two that talk to one agent, and turns that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import pytest

from dmem_agents.session import MemorySession, SessionConfig

SCRIPT = Path(__file__).with_name("separate_process.py")
SECONDS = 240

# Each process imports torch and transformers first.
pytestmark = pytest.mark.timeout(SECONDS + 30)


class RedisServer(Protocol):
    url: str


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error::RuntimeWarning", str(SCRIPT), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed; its error output is the failure's text."""
    try:
        output, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return output


def test_two_processes_on_one_agent_lose_no_turn(tmp_path: Path, redis_server: RedisServer) -> None:
    turns = 6
    urls = (f"sqlite:///{tmp_path}/agents.db", f"{redis_server.url}?prefix=processes-{time.time_ns()}")
    processes = [start("talk", turns, *urls) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        finish(process)
    for url in urls:
        with MemorySession(SessionConfig(store=url)) as session:
            info = session.info("a")
        assert info is not None
        assert (info.version, info.turns, info.absorbed_messages) == (2 * turns, 2 * turns, 4 * turns)


def test_a_turn_killed_anywhere_leaves_the_old_record_or_the_new_one(tmp_path: Path) -> None:
    kills = 18
    output = finish(start("killed", kills, f"sqlite:///{tmp_path}/agents.db"))
    assert output == f"{kills // 3} old, {kills // 3} new\n"
