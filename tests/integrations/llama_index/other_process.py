"""Steps of a conversation through LlamaIndex; as a script a process of its own, one step per line it reads.

other_process.py MODEL ADAPTER STORE AGENT
"""

from __future__ import annotations

import sys
from typing import Any

from llama_index.core.base.llms.types import ChatMessage

from dmem_agents.tool_calling import parsing
from llama_index.llms.dmem import DeltaMemLLM

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"]},
    },
}


def name_calls_alike() -> None:
    """Calls are named at random, and their names are part of what is recorded."""
    parsing.new_call_prefix = lambda: "abcdefg"


def take(llm: DeltaMemLLM, kind: str, text: str) -> None:
    """One step: something is said, remembered, or asked and looked up with a tool."""
    if kind == "remember":
        llm.remember(text)
    elif kind == "say":
        llm.complete(text)
    else:
        said = [ChatMessage(role="user", content=text)]
        asked = llm.chat(said, tools=[TOOL], tool_choice="required", max_tokens=100)
        (call,) = llm.get_tool_calls_from_response(asked)
        said.append(asked.message)
        said.append(ChatMessage(role="tool", content="Rain", additional_kwargs={"tool_call_id": call.tool_id}))
        llm.chat(said, tools=[TOOL])


def main() -> None:
    model, adapter, store, agent_id = sys.argv[1:]
    name_calls_alike()
    llm = DeltaMemLLM(model=model, adapter=adapter, store=store, dtype="float32", max_tokens=8, agent_id=agent_id)
    for line in sys.stdin:
        take(llm, *line.rstrip("\n").split(" ", 1))
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
