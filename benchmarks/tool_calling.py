"""Tool calls on the embedded model: how long schemas take to compile, and what masks add to a decode step.

    python -m benchmarks.tool_calling     writes results/tool_calling.json

Times are milliseconds of this thread's CPU time beside wall time: other work on the machine shows in the second only.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import jsonschema
import torch

from benchmarks.run import RESULTS, circumstances
from dmem_agents import LoadedModel, load_model
from dmem_agents.model.grammar import GrammarCompiler
from dmem_agents.model.kv_cache import dynamic_cache
from dmem_agents.state import MemoryState
from dmem_agents.state.memory_state import stack
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.tool_calling import ToolSchema, grammar, parse_tool_calls
from tests.tool_calling.conftest import tool_schemas

SCHEMAS = 500
STEPS = 200


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` gives, and its milliseconds of CPU and of wall time."""
    cpu, wall = time.thread_time(), time.perf_counter()
    result = work()
    return result, 1e3 * (time.thread_time() - cpu), 1e3 * (time.perf_counter() - wall)


def summary(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "p95": ordered[int(0.95 * len(ordered))], "max": ordered[-1]}


def compile_times(compiler: GrammarCompiler, tools: list[ToolSchema]) -> dict[str, Any]:
    """Each schema's grammar, compiled for the first time."""
    compiler.constraint(grammar([ToolSchema(name="warm")], "warm"))
    taken = [timed(lambda tool=tool: compiler.constraint(grammar([tool], tool.name)))[1:] for tool in tools]  # type: ignore[misc]
    return {"cpu_ms": summary([cpu for cpu, _ in taken]), "wall_ms": summary([wall for _, wall in taken])}


def forced_calls(compiler: GrammarCompiler, loaded: LoadedModel, tools: list[ToolSchema]) -> dict[str, Any]:
    """Random scores with a liking for what ends things, masked: every call must parse and be valid."""
    tokenizer = loaded.tokenizer
    generator = torch.Generator().manual_seed(0)
    liking = torch.zeros(len(tokenizer))
    liking[[tokenizer.convert_tokens_to_ids(sign) for sign in '"}],']] = 6.0
    scores = 1.3 * torch.randn(97, len(tokenizer), generator=generator) + liking
    valid, masks = 0, []
    for tool in tools:
        constraint = compiler.constraint(grammar([tool], tool.name))
        ids: list[int] = []
        while not constraint.stopped and len(ids) < 4000:
            row = scores[(len(ids) + len(masks)) % len(scores)]
            allowed, cpu, wall = timed(lambda row=row, constraint=constraint: constraint.allowed(row))  # type: ignore[misc]
            token = int(allowed.argmax())
            _, more_cpu, more_wall = timed(lambda token=token, constraint=constraint: constraint.advance(token))  # type: ignore[misc]
            masks.append((cpu + more_cpu, wall + more_wall))
            ids.append(token)
        _, calls, invalid = parse_tool_calls(tokenizer.decode(ids, skip_special_tokens=True))
        if len(calls) == 1 and not invalid:
            jsonschema.Draft202012Validator(tool.parameters).validate(dict(calls[0].arguments))
            valid += 1
    return {
        "valid": f"{valid} of {len(tools)}",
        "mask_cpu_ms": {"mean": statistics.mean(cpu for cpu, _ in masks), **summary([cpu for cpu, _ in masks])},
        "mask_wall_ms": {"mean": statistics.mean(wall for _, wall in masks), **summary([wall for _, wall in masks])},
        "steps": len(masks),
    }


@torch.inference_mode()
def decode_step(loaded: LoadedModel) -> dict[str, Any]:
    """One token behind a prompt of 256, read and written, as the engine feeds it."""
    model = loaded.model
    state, cache = stack([MemoryState.zeros(model.layout)]), dynamic_cache(())
    prompt = torch.arange(100, 356).reshape(1, -1)
    output = model(prompt, state=state, cache=cache, use_cache=True, logits_to_keep=1)
    token, taken = torch.tensor([[100]]), []
    for _ in range(STEPS):
        output, cpu, wall = timed(
            lambda output=output: model(token, state=output.state, cache=cache, use_cache=True, logits_to_keep=1)  # type: ignore[misc]
        )
        taken.append((cpu, wall))
    return {"cpu_ms": summary([cpu for cpu, _ in taken]), "wall_ms": summary([wall for _, wall in taken])}


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    loaded = load_model(dtype="float32")
    chat = ChatTokenizer(loaded.tokenizer)
    tools = tool_schemas(SCHEMAS, seed=1)
    compiled = compile_times(GrammarCompiler(loaded.tokenizer, chat.eos_ids), tools)
    step = decode_step(loaded)
    calls = forced_calls(GrammarCompiler(loaded.tokenizer, chat.eos_ids), loaded, tools)
    result = {
        "circumstances": {**circumstances(), "load_average": os.getloadavg()},
        "model": loaded.model.backbone_id,
        "schemas": SCHEMAS,
        "compile": compiled,
        "decode_step": step,
        "forced_calls": calls,
        "mask_share_of_decode_step_cpu": calls["mask_cpu_ms"]["mean"] / step["cpu_ms"]["median"],
    }
    (RESULTS / "tool_calling.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
