"""Run by `test_with_langchain` as a process of its own: turns of one agent through LlamaIndex, one per line it reads.

other_process.py MODEL ADAPTER STORE AGENT
"""

from __future__ import annotations

import sys

from llama_index.llms.dmem import DeltaMemLLM

model, adapter, store, agent_id = sys.argv[1:]
llm = DeltaMemLLM(model=model, adapter=adapter, store=store, dtype="float32", max_tokens=8, agent_id=agent_id)
for line in sys.stdin:
    llm.complete(line.rstrip("\n"))
    sys.stdout.write("done\n")
    sys.stdout.flush()
