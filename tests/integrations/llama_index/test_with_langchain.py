"""One agent spoken to from both frameworks, in two processes: one memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from dmem_agents.state import AgentRecord, decode_record, encode_record
from langchain_dmem import DeltaMemLLM as LangChainDeltaMemLLM
from llama_index.llms.dmem import DeltaMemLLM

SAID = [f"Fact {turn}: the cat is called Tom." for turn in range(6)]


def record(llm: Any, agent_id: str) -> AgentRecord:
    stored = llm._memory_session().store.load(agent_id)
    return replace(decode_record(stored.data, agent_id=agent_id), updated_at=0.0)


def test_turns_that_alternate_between_frameworks_and_processes_leave_one_memory(
    tiny_folders: dict[str, str], tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'memory.db'}"
    there = LangChainDeltaMemLLM(**tiny_folders, store=store, dtype="float32", max_tokens=8)
    command = [sys.executable, str(Path(__file__).with_name("other_process.py")), *tiny_folders.values(), store, "both"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for turn, text in enumerate(SAID):
            if turn % 2:
                there.invoke(text, agent_id="both")
            else:
                other.stdin.write(f"{text}\n")
                other.stdin.flush()
                assert other.stdout.readline() == "done\n"
    assert other.returncode == 0
    here = DeltaMemLLM(session=there._memory_session(), max_tokens=8)
    for text in SAID:
        here.complete(text, agent_id="llama-index")
        there.invoke(text, agent_id="langchain")
    both = record(here, "both")
    assert both.absorbed == 2 * len(SAID)
    assert encode_record(both) == encode_record(record(here, "llama-index")) == encode_record(record(here, "langchain"))
    there._memory_session().close()
