"""Records of float32, bfloat16 and float16 states: their size, their time, and what the agent still recalls.

Each agent's state is rounded after each turn, as a store would that keeps it in that type; then the question alone is
shown, with the state frozen. The same episodes for every type, so the answers are paired. `python -m
benchmarks.store_precision` writes `results/store_precision.json` as it goes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

import torch
import zstandard

from benchmarks.run import RESULTS, circumstances
from dmem_agents.engine import Engine, GenerationRequest
from dmem_agents.evaluate.memories import answer_all, turns_of
from dmem_agents.evaluate.recall import is_hit
from dmem_agents.evaluate.statistics import Share, mean_difference
from dmem_agents.messages import Message
from dmem_agents.model.loading import load_model
from dmem_agents.session.prompts import closed_prompt
from dmem_agents.state import MemoryState
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.data import AgentLife
from dmem_agents.train.data.cells import CELLS

T = TypeVar("T")
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
NAMES = ("1 fact", "3 facts, 3 distractors")
PATH = RESULTS / "store_precision.json"


def states_after(
    engine: Engine, chat: ChatTokenizer, pasts: Sequence[Sequence[Message]], kept: torch.dtype
) -> list[MemoryState]:
    """The state of each past, turn by turn, kept in a type between the turns."""
    states = [MemoryState.zeros(engine.layout) for _ in pasts]
    for level in zip_longest(*(list(turns_of(past)) for past in pasts)):
        running = []
        for row, turn in enumerate(level):
            if turn:
                prompt = closed_prompt(chat, turn, range(len(turn)))
                running.append((row, engine.submit(GenerationRequest(prompt=prompt, state=states[row], sampling=None))))
        for row, generation in running:
            state = generation.result().state
            if state is not None:
                states[row] = MemoryState(layout=state.layout, values=state.values.to(kept).float())
    return states


def recalled(
    engine: Engine, chat: ChatTokenizer, name: str, *, episodes: int, rows: int
) -> Iterator[dict[str, dict[str, Any]]]:
    """Hits of each type in one cell, the paired differences from float32, and how far the states are: so far."""
    cell = next(cell for cell in CELLS if cell.name == name)
    drawn = cell.episodes(AgentLife(split="test"), episodes, seed=0)
    hits: dict[str, list[bool]] = {kept: [] for kept in TYPES}
    texts: dict[str, list[str]] = {kept: [] for kept in TYPES}
    distances: dict[str, list[float]] = {kept: [] for kept in TYPES}
    for start in range(0, len(drawn), rows):
        part = drawn[start : start + rows]
        states = {k: states_after(engine, chat, [e.written for e in part], t) for k, t in TYPES.items()}
        for kept, own in states.items():
            answers = answer_all(engine, chat, [e.visible for e in part], own)
            texts[kept] += answers
            hits[kept] += [is_hit(e, text) for e, text in zip(part, answers, strict=True)]
            pairs = zip(own, states["float32"], strict=True)
            distances[kept] += [float((a.values - b.values).norm() / b.values.norm()) for a, b in pairs]
        print(name, {k: f"{sum(h)}/{len(h)}" for k, h in hits.items()}, flush=True)
        yield {
            kept: {
                **Share(hits=sum(hits[kept]), n=len(hits[kept])).to_dict(),
                "answers_unlike_float32": sum(a != b for a, b in zip(texts[kept], texts["float32"], strict=True)),
                "gained": sum(a and not b for a, b in zip(hits[kept], hits["float32"], strict=True)),
                "lost": sum(b and not a for a, b in zip(hits[kept], hits["float32"], strict=True)),
                "difference": mean_difference(hits[kept], hits["float32"]).to_dict(),
                "state_distance_median": statistics.median(distances[kept]),
            }
            for kept in TYPES
        }


def sizes(states: Sequence[MemoryState]) -> dict[str, Any]:
    """Bytes of one real state in each type, plain and with zstd, and the microseconds to and from them: medians."""
    found = {}
    for kept, dtype in TYPES.items():
        for packed in ("none", "zstd"):
            coder, decoder = zstandard.ZstdCompressor(3), zstandard.ZstdDecompressor()
            encode, decode = _coding(dtype, coder if packed == "zstd" else None, decoder)
            data = [encode(state.values) for state in states]
            found[f"{kept}, {packed}"] = {
                "bytes": statistics.median(map(len, data)),
                "encode_microseconds": statistics.median(_microseconds(encode, state.values) for state in states),
                "decode_microseconds": statistics.median(_microseconds(decode, blob) for blob in data),
            }
    return found


def _coding(
    dtype: torch.dtype, coder: zstandard.ZstdCompressor | None, decoder: zstandard.ZstdDecompressor
) -> tuple[Callable[[torch.Tensor], bytes], Callable[[bytes], torch.Tensor]]:
    def encode(values: torch.Tensor) -> bytes:
        data = values.to(dtype).view(torch.uint8).numpy().tobytes()
        return coder.compress(data) if coder else data

    def decode(data: bytes) -> torch.Tensor:
        plain = decoder.decompress(data) if coder else data
        return torch.frombuffer(bytearray(plain), dtype=dtype).float()

    return encode, decode


def _microseconds(work: Callable[[T], object], argument: T, *, calls: int = 20) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        work(argument)
    return (time.perf_counter() - started) / calls * 1e6


def main() -> None:
    """Measure the chosen cells, and keep those measured before."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cell", action="append", choices=NAMES)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--rows", type=int, default=20)
    chosen = parser.parse_args()
    result: dict[str, Any] = json.loads(PATH.read_text()) if PATH.exists() else {"recall": {}}
    loaded = load_model(None, None, dtype="auto", device="auto")
    chat = ChatTokenizer(loaded.tokenizer)
    result |= {"circumstances": circumstances(), "fingerprint": loaded.model.fingerprint}
    with Engine(loaded.model, max_batch_size=chosen.rows) as engine:
        pasts = [e.written for e in CELLS[0].episodes(AgentLife(split="test"), 8, seed=1)]
        result["one_state"] = sizes(states_after(engine, chat, pasts, torch.float32))
        for name in chosen.cell or NAMES:
            for so_far in recalled(engine, chat, name, episodes=chosen.episodes, rows=chosen.rows):
                result["recall"][name] = so_far
                PATH.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
