"""Many agents over few slots for minutes: nothing leaks, nobody starves, every result is its solo run's.

    python -m benchmarks.soak [--seconds 300]     writes results/soak.json

On a tiny random model, so that minutes hold thousands of requests; the engine is the one that serves. Each agent has
one request of its own (length, seed, sampling, end), run alone first and then again and again among the others. Some
are given up at random, some end at a stop text, some are kept to a grammar, some fail: in a callback or in the
model's forward pass.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from benchmarks.run import RESULTS, circumstances
from dmem_agents import DeltaMemConfig, DeltaMemModel, attach
from dmem_agents.engine import Engine, Generation, GenerationRequest, Prompt, SamplingParams
from dmem_agents.engine.requests import TokenConstraint
from dmem_agents.errors import EngineError
from dmem_agents.model.grammar import GrammarCompiler
from dmem_agents.state import MemoryState
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer

SLOTS = 8
_POISON = 7
"""A token that the forward pass fails on."""
_GRAMMAR = 'start: "yes" | "no" | "perhaps, " ("or" | "and") " not"'
KINDS = ("plain",) * 10 + ("sampled",) * 4 + ("stop text",) * 3 + ("grammar",) * 2 + ("callback error", "forward error")


@dataclass
class Agent:
    """One agent's request, and what it came to alone."""

    number: int
    kind: str
    request: GenerationRequest
    constraint: Callable[[], TokenConstraint] | None
    stop: str | None
    breaks: bool
    solo: Generation | None = None
    busy: bool = False

    def submit(self, engine: Engine, tokenizer: PreTrainedTokenizerBase, first: Callable[[], None]) -> Generation:
        """Ask once more; `first` is called with the first token."""
        seen: list[int] = []

        def on_token(token: int) -> bool:
            seen.append(token)
            if len(seen) == 1:
                first()
            if self.breaks and len(seen) == 3:
                raise ZeroDivisionError("a bug in the caller's code")
            return self.stop is not None and self.stop in tokenizer.decode(seen)

        constraint = self.constraint() if self.constraint else None
        return engine.submit(replace(self.request, on_token=on_token, constraint=constraint))


@dataclass
class Tally:
    """What happened so far; written by the engine's thread and the main one."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    outcomes: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    waits_by_agent: dict[int, float] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)


def make_agents(model: DeltaMemModel, count: int) -> list[Agent]:
    """Agents of all kinds, their requests drawn with a fixed seed."""
    rng = random.Random(3)
    compiler = GrammarCompiler(tiny_tokenizer(), eos_ids=[2])
    generator = torch.Generator().manual_seed(4)
    agents = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        ids = [rng.randrange(20, 250) for _ in range(rng.randint(1, 120))]
        if kind == "forward error":
            ids[-1] = _POISON
        prompt = _prompt(ids)
        closing = [rng.randrange(20, 250) for _ in range(rng.randint(0, 3))]

        def closed(answer: list[int], ids: list[int] = ids, closing: list[int] = closing) -> Prompt:
            return _prompt([*ids, *answer, *closing])

        sampling = SamplingParams(
            max_new_tokens=rng.randint(3, 40), temperature=1.2 if kind == "sampled" else 0.0, seed=number
        )
        request = GenerationRequest(
            prompt=prompt,
            state=MemoryState(layout=model.layout, values=torch.randn(model.layout.shape, generator=generator)),
            sampling=sampling,
            write=rng.random() < 0.8,
            owner=str(number),
            closed_turn=closed,
            keep_prefix=rng.random() < 0.3,
        )
        agents.append(
            Agent(
                number=number,
                kind=kind,
                request=request,
                constraint=(lambda: compiler.constraint(_GRAMMAR)) if kind == "grammar" else None,
                stop=rng.choice("aeiou") if kind == "stop text" else None,
                breaks=kind == "callback error",
            )
        )
    return agents


def _prompt(ids: list[int]) -> Prompt:
    """Tokens that are all written, as one message."""
    zeros = (0,) * len(ids)
    return Prompt(input_ids=tuple(ids), write_mask=(True,) * len(ids), message_ids=zeros, sentence_ids=zeros)


def make_model() -> DeltaMemModel:
    """A tiny model with a memory that matters, whose forward pass fails on one token."""
    torch.manual_seed(7)
    config = DeltaMemConfig(rank=4, num_state_heads=2, output_init="random", online_gain=3.0)
    model = attach(tiny_model("llama", attn_implementation="sdpa"), config).eval().requires_grad_(False)

    def fails(_: object, arguments: tuple[torch.Tensor, ...]) -> None:
        if bool((arguments[0] == _POISON).any()):
            raise MemoryError("no memory left on the device")

    model.register_forward_pre_hook(fails)
    return model


def run(seconds: float, *, agents_count: int = 200, outstanding: int = 48) -> dict[str, Any]:
    """The soak; raises nothing for what it finds, but says it all.

    Args:
        seconds: how long requests arrive.
        agents_count: agents, each with at most one request under way.
        outstanding: most requests under way or waiting.
    """
    model, tokenizer, rng, tally = make_model(), tiny_tokenizer(), random.Random(11), Tally()
    agents = make_agents(model, agents_count)
    with Engine(model, max_batch_size=1) as engine:
        for agent in agents:
            agent.solo = agent.submit(engine, tokenizer, lambda: None)
            agent.solo.future.exception(120)
    threads = threading.active_count()
    with Engine(model, max_batch_size=SLOTS, max_waiting=outstanding, prefix_cache_bytes=2**20) as engine:
        end, next_sample = time.monotonic() + seconds, time.monotonic()
        running: list[Generation] = []
        while time.monotonic() < end:
            running = [g for g in running if not g.future.done()]
            if time.monotonic() >= next_sample:
                tally.samples.append(_sample(engine))
                next_sample += max(seconds / 60, 0.2)
            idle = [agent for agent in agents if not agent.busy]
            if len(running) < outstanding and idle:
                running.append(_ask(rng.choice(idle), engine, tokenizer, tally))
                if rng.random() < 0.15:
                    rng.choice(running).cancel()
            time.sleep(rng.random() * 0.004 if len(running) < outstanding else 0.004)
        for generation in running:
            generation.future.exception(120)
        time.sleep(0.5)  # a result comes before the end of its step
        left = engine.stats()
        after = threading.active_count()
    return _verdict(tally, seconds, agents_count, left, threads, after)


def _ask(agent: Agent, engine: Engine, tokenizer: PreTrainedTokenizerBase, tally: Tally) -> Generation:
    asked = time.monotonic()
    agent.busy = True

    def first() -> None:
        waited = time.monotonic() - asked
        with tally.lock:
            tally.waits.append(waited)
            tally.waits_by_agent[agent.number] = max(waited, tally.waits_by_agent.get(agent.number, 0.0))

    def done(generation: Generation) -> None:
        outcome, difference = _compare(agent, generation)
        with tally.lock:
            tally.outcomes[f"{agent.kind}: {outcome}"] += 1
            tally.differing += [difference] if difference else []
        agent.busy = False

    generation = agent.submit(engine, tokenizer, first)
    generation.future.add_done_callback(lambda _: done(generation))
    return generation


def _compare(agent: Agent, generation: Generation) -> tuple[str, str | None]:
    """How a request ended, and in what it differs from its solo run."""
    if agent.solo is None:
        raise RuntimeError("Expected the solo runs to come first.")
    error, solo_error = generation.future.exception(), agent.solo.future.exception()
    if error is not None or solo_error is not None:
        same = isinstance(error, EngineError) and str(error) == str(solo_error)
        cancelled = error is None and generation.future.result().finish_reason == "cancelled"
        fine = same or cancelled
        return ("cancelled" if cancelled else "error"), None if fine else f"agent {agent.number}: {error!r}"
    result, solo = generation.future.result(), agent.solo.future.result()
    if result.finish_reason == "cancelled":
        return "cancelled", None
    if (result.token_ids, result.finish_reason) != (solo.token_ids, solo.finish_reason):
        return result.finish_reason, f"agent {agent.number}: {result.token_ids} alone {solo.token_ids}"
    if result.state is not None and solo.state is not None:
        error_of_state = float((result.state.values - solo.state.values).abs().max())
        if not error_of_state <= 1e-5:
            return result.finish_reason, f"agent {agent.number}: states differ by {error_of_state:.1e}"
    return result.finish_reason, None


def _sample(engine: Engine) -> dict[str, float]:
    stats = engine.stats()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss_mb": pages * 4096 / 2**20,
        "threads": threading.active_count(),
        "waiting": stats.waiting,
        "running": stats.running,
        "kv_bytes": stats.kv_bytes,
        "prefix_bytes": stats.prefix_bytes,
        "steps": stats.steps,
    }


def _verdict(tally: Tally, seconds: float, agents: int, left: Any, threads: int, after: int) -> dict[str, Any]:
    requests = sum(tally.outcomes.values())
    failing = sum(KINDS[number % len(KINDS)] == "forward error" for number in range(agents))
    waits = sorted(tally.waits)
    quarter = max(len(tally.samples) // 4, 1)
    rss = [
        statistics.median(s["rss_mb"] for s in part)
        for part in (tally.samples[quarter : 2 * quarter], tally.samples[-quarter:])
    ]
    by_end = Counter[str]()
    for name, count in tally.outcomes.items():
        by_end[name.split(": ")[1]] += count
    p99 = waits[int(0.99 * (len(waits) - 1))]
    return {
        "circumstances": circumstances(),
        "table": {
            "seconds, agents, slots": f"{seconds:g}, {agents}, {SLOTS}",
            "requests (ends)": f"{requests:,} ({', '.join(f'{k} {v:,}' for k, v in sorted(by_end.items()))})",
            "results unlike their solo runs": len(tally.differing),
            "wait for the first token: median, p99, longest": ", ".join(
                f"{wait:.2f} s" for wait in (statistics.median(waits), p99, waits[-1])
            ),
            "agents that got tokens, of those that don't fail before": (
                f"{len(tally.waits_by_agent)} of {agents - failing}"
            ),
            "resident MB, second and last quarter": f"{rss[0]:.1f}, {rss[1]:.1f}",
            "slots, waiting, KV bytes left": f"{left.running}, {left.waiting}, {left.kv_bytes}",
            "threads before and after": f"{threads}, {after - 1}",
        },
        "requests": requests,
        "differing": tally.differing[:20],
        "outcomes": dict(sorted(tally.outcomes.items())),
        "wait_seconds": {"median": statistics.median(waits), "p99": p99, "max": waits[-1]},
        "agents_served": len(tally.waits_by_agent),
        "left": {"running": left.running, "waiting": left.waiting, "kv_bytes": left.kv_bytes,
                 "prefix_bytes": left.prefix_bytes, "threads": after - 1 - threads},
        "rss_mb": {"second_quarter": rss[0], "last_quarter": rss[1]},
        "largest": {name: max(s[name] for s in tally.samples) for name in tally.samples[0]},
        "samples": tally.samples,
    }  # fmt: skip


def main() -> None:
    """Run, write `results/soak.json`, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    found = run(parser.parse_args().seconds)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for what, value in found["table"].items():
        print(f"{what}: {value}")
    for difference in found["differing"]:
        print("  ", difference)


if __name__ == "__main__":
    main()
