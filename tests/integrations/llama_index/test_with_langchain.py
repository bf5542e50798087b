"""One agent spoken to from both frameworks, in two processes: one memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AnyMessage, HumanMessage, ToolMessage

from dmem_agents.state import AgentRecord, decode_record, encode_record
from dmem_agents.tool_calling import parsing
from langchain_dmem import DeltaMemLLM as LangChainDeltaMemLLM
from llama_index.llms.dmem import DeltaMemLLM
from tests.integrations.llama_index import other_process
from tests.integrations.llama_index.other_process import TOOL

STEPS = [
    ("say", "The cat is called Tom."),
    ("say", "I keep a dog too."),
    ("remember", "I live in Oslo."),
    ("remember", "The cat is grey."),
    ("say", "The cat is grey."),  # and so a second time
    ("look up", "How is the weather?"),
    ("look up", "And now?"),
    ("say", "Thanks."),
]
ABSORBED = 2 + 2 + 1 + 1 + 2 + 4 + 4 + 2


def take(llm: LangChainDeltaMemLLM, kind: str, text: str) -> None:
    """What `other_process.take` does, through LangChain."""
    if kind == "remember":
        llm.remember(text)
    elif kind == "say":
        llm.invoke(text)
    else:
        said: list[AnyMessage] = [HumanMessage(text)]
        asked = llm.bind_tools([TOOL], tool_choice="any", max_tokens=100).invoke(said)
        said += [asked, ToolMessage("Rain", tool_call_id=asked.tool_calls[0]["id"])]
        llm.bind_tools([TOOL]).invoke(said)


def record(llm: Any, agent_id: str) -> AgentRecord:
    stored = llm._memory_session().store.load(agent_id)
    return replace(decode_record(stored.data, agent_id=agent_id), updated_at=0.0)


def test_turns_that_alternate_between_frameworks_and_processes_leave_one_memory(
    tiny_folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "new_call_prefix", parsing.new_call_prefix)  # put back afterwards
    other_process.name_calls_alike()
    store = f"sqlite:///{tmp_path / 'memory.db'}"
    there = LangChainDeltaMemLLM(**tiny_folders, store=store, dtype="float32", max_tokens=8)
    command = [sys.executable, other_process.__file__, *tiny_folders.values(), store, "both"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for turn, (kind, text) in enumerate(STEPS):
            if turn % 2:
                take(there.for_agent("both"), kind, text)
            else:
                other.stdin.write(f"{kind.replace(' ', '-')} {text}\n")
                other.stdin.flush()
                assert other.stdout.readline() == "done\n"
    assert other.returncode == 0
    here = DeltaMemLLM(session=there._memory_session(), max_tokens=8)
    for kind, text in STEPS:
        other_process.take(here.for_agent("llama-index"), kind, text)
        take(there.for_agent("langchain"), kind, text)
    both = record(here, "both")
    assert both.absorbed == ABSORBED
    assert encode_record(both) == encode_record(record(here, "llama-index")) == encode_record(record(here, "langchain"))
    there._memory_session().close()
