"""Tool calls in every spelling: whether forced ones are valid, how long schemas compile, what masks add to a step.

    python -m benchmarks.tool_calling     writes results/tool_calling.json

The vocabulary is the embedded model's, with each family's markers as its models have them, under the family's template.
Times are milliseconds of this thread's CPU time beside wall time: other work on the machine shows in the second only.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jsonschema
import torch
from transformers import AddedToken, AutoTokenizer

from benchmarks.run import RESULTS, circumstances
from dmem_agents import LoadedModel, load_model
from dmem_agents.call_formats import HERMES, LLAMA, MISTRAL, MISTRAL_ARGS
from dmem_agents.model.embedded import embedded_model_folder
from dmem_agents.model.grammar import GrammarCompiler
from dmem_agents.model.kv_cache import dynamic_cache
from dmem_agents.state import MemoryState
from dmem_agents.state.memory_state import stack
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.tool_calling import ToolSchema, grammar, parse_tool_calls
from tests.tokenization.conftest import TEMPLATES
from tests.tool_calling.conftest import tool_schemas
from tests.tool_calling.test_call_formats import LATER_MISTRAL

SCHEMAS = 500
STEPS = 200
FAMILIES = {
    "hermes": ("smollm2", (), False),
    "hermes, as Qwen has it": ("qwen25", HERMES.markers, False),
    "llama": ("llama3", LLAMA.markers, True),
    "mistral": ("mistral_v3", MISTRAL.markers, True),
    "mistral, later": (LATER_MISTRAL, MISTRAL_ARGS.markers, True),
}
"""Of each spelling: a chat template, the markers that its models have as tokens, and whether these are special."""


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` gives, and its milliseconds of CPU and of wall time."""
    cpu, wall = time.thread_time(), time.perf_counter()
    result = work()
    return result, 1e3 * (time.thread_time() - cpu), 1e3 * (time.perf_counter() - wall)


def summary(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "p95": ordered[int(0.95 * len(ordered))], "max": ordered[-1]}


class Family(NamedTuple):
    """A tokenizer as if it were of another family."""

    tokenizer: Any
    chat: ChatTokenizer

    def compiler(self) -> GrammarCompiler:
        """A new one, which knows no grammar yet."""
        return GrammarCompiler(self.tokenizer, self.chat.eos_ids)

    def forcing(self, tool: ToolSchema) -> str:
        """The grammar of a call of this tool, and nothing else."""
        return grammar([tool], tool.name, call_format=self.chat.call_format, marker_ids=self.chat.marker_ids)


def family(template: str, markers: tuple[str, ...], special: bool) -> Family:
    """The embedded model's tokenizer under this template, with these tokens."""
    tokenizer = AutoTokenizer.from_pretrained(embedded_model_folder())
    tokenizer.add_tokens([AddedToken(mark, special=special, normalized=False) for mark in markers], special)
    named = TEMPLATES / f"{template[:40]}.jinja"
    tokenizer.chat_template = named.read_text() if named.exists() else template
    return Family(tokenizer, ChatTokenizer(tokenizer))


def compile_times(of: Family, tools: list[ToolSchema]) -> dict[str, Any]:
    """Each schema's grammar, compiled for the first time."""
    compiler = of.compiler()
    compiler.constraint(grammar([ToolSchema(name="warm")], "warm"))
    taken = [timed(lambda tool=tool: compiler.constraint(of.forcing(tool)))[1:] for tool in tools]  # type: ignore[misc]
    return {"cpu_ms": summary([cpu for cpu, _ in taken]), "wall_ms": summary([wall for _, wall in taken])}


def forced_calls(of: Family, tools: list[ToolSchema]) -> dict[str, Any]:
    """Random scores with a liking for what ends things, masked: every call must parse and be valid."""
    compiler, (tokenizer, chat) = of.compiler(), of
    generator = torch.Generator().manual_seed(0)
    liking = torch.zeros(len(tokenizer))
    liking[[tokenizer.convert_tokens_to_ids(sign) for sign in '"}],']] = 6.0
    scores = 1.3 * torch.randn(97, len(tokenizer), generator=generator) + liking
    valid, faults, masks = 0, [], []
    for tool in tools:
        constraint = compiler.constraint(of.forcing(tool))
        ids: list[int] = []
        try:
            while not constraint.stopped and len(ids) < 4000:
                row = scores[(len(ids) + len(masks)) % len(scores)]
                allowed, cpu, wall = timed(lambda row=row, constraint=constraint: constraint.allowed(row))  # type: ignore[misc]
                token = int(allowed.argmax())
                _, more_cpu, more_wall = timed(lambda token=token, constraint=constraint: constraint.advance(token))  # type: ignore[misc]
                masks.append((cpu + more_cpu, wall + more_wall))
                ids.append(token)
            _, calls, invalid = parse_tool_calls(chat.decode(ids), call_format=chat.call_format)
            if len(calls) == 1 and not invalid and calls[0].name == tool.name:
                jsonschema.Draft202012Validator(tool.parameters).validate(dict(calls[0].arguments))
                valid += 1
        except Exception as error:
            faults.append(f"{tool.name}: {type(error).__name__}")
    return {
        "valid": f"{valid} of {len(tools)}",
        "exceptions": faults,
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


def measured(name: str, tools: list[ToolSchema], step: dict[str, Any]) -> dict[str, Any]:
    """Everything about one spelling."""
    of = family(*FAMILIES[name])
    calls = forced_calls(of, tools)
    return {
        "opening": of.chat.call_format.opening,
        "markers_that_are_tokens": sorted(of.chat.marker_ids),
        "compile": compile_times(of, tools),
        "forced_calls": calls,
        "mask_share_of_decode_step_cpu": calls["mask_cpu_ms"]["mean"] / step["cpu_ms"]["median"],
        "mask_share_of_decode_step_wall": calls["mask_wall_ms"]["mean"] / step["wall_ms"]["median"],
    }


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    loaded = load_model(dtype="float32")
    tools = tool_schemas(SCHEMAS, seed=1)
    step = decode_step(loaded)
    result = {
        "circumstances": {**circumstances(), "load_average": os.getloadavg()},
        "model": loaded.model.backbone_id,
        "schemas": SCHEMAS,
        "decode_step": step,
        "spellings": {name: measured(name, tools, step) for name in FAMILIES},
    }
    (RESULTS / "tool_calling.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
