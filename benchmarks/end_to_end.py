"""The whole path on the embedded model with the probe's adapter: agreement, recall, prompt tokens, batches.

    python -m benchmarks.end_to_end [PROBE_FOLDER]     writes results/end_to_end.json

The probe (`tests/probe`) is a small adapter with episodes: token ids written, a question, and
the answer of its own code. It stands in until an adapter of ours is trained.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.run import RESULTS, circumstances
from dmem_agents import LoadedModel, MemorySession, Message, SessionConfig, load_model
from dmem_agents.engine import Engine, GenerationRequest, Prompt, SamplingParams
from dmem_agents.state import MemoryState

PROBE = Path(__file__).parents[1] / "tests" / "probe"
TURNS = 50


def prompt(ids: list[int], *, written: bool) -> Prompt:
    """Ids of which all or none are written."""
    none = (-1,) * len(ids)
    return Prompt(input_ids=tuple(ids), write_mask=(written,) * len(ids), message_ids=none, sentence_ids=none)


def absorbed(engine: Engine, episodes: list[dict[str, Any]]) -> list[MemoryState]:
    """The state of each episode's written ids, from an empty one."""
    empty = MemoryState.zeros(engine.layout)
    requests = [prompt(e["write_ids"], written=True) for e in episodes]
    running = [engine.submit(GenerationRequest(prompt=p, state=empty, sampling=None)) for p in requests]
    return [state for g in running if (state := g.result().state) is not None]


def answers(
    engine: Engine, loaded: LoadedModel, episodes: list[dict[str, Any]], states: list[MemoryState]
) -> list[list[int]]:
    """Greedy answers to the questions alone, each from its state."""
    running = [
        engine.submit(
            GenerationRequest(
                prompt=prompt(e["question_ids"], written=False),
                state=state,
                write=False,
                sampling=SamplingParams(max_new_tokens=16),
                stop_ids=frozenset({loaded.tokenizer.eos_token_id}),
            )
        )
        for e, state in zip(episodes, states, strict=True)
    ]
    return [list(g.result().token_ids) for g in running]


def probe_agreement(loaded: LoadedModel, folder: Path) -> dict[str, Any]:
    """Our answers against the probe's own code, and recall under each control."""
    episodes = json.loads((folder / "episodes.json").read_text())
    end = loaded.tokenizer.eos_token_id
    wanted = [[i for i in e["answer_ids"] if i != end] for e in episodes]
    with Engine(loaded.model, max_batch_size=8) as engine:
        own = absorbed(engine, episodes)
        empty = [MemoryState.zeros(engine.layout)] * len(own)
        found = {
            "own": answers(engine, loaded, episodes, own),
            "stranger": answers(engine, loaded, episodes, [*own[1:], own[0]]),
            "none": answers(engine, loaded, episodes, empty),
        }
    with Engine(loaded.model, max_batch_size=1) as engine:
        alone = absorbed(engine, episodes)
        alone_answers = answers(engine, loaded, episodes, alone)
    norms = torch.stack([torch.tensor(e["state_norm_by_layer"]) for e in episodes])
    ours = torch.stack([s.values.flatten(1).norm(dim=1) for s in own])
    texts = {name: [loaded.tokenizer.decode(ids) for ids in rows] for name, rows in found.items()}
    recalled = {
        name: sum(e["value"].lower() in text.lower() for e, text in zip(episodes, rows, strict=True))
        for name, rows in texts.items()
    }
    return {
        "episodes": len(episodes),
        "identical_answers": sum(a == b for a, b in zip(found["own"], wanted, strict=True)),
        "largest_relative_norm_error": float(((ours - norms).abs() / norms).max()),
        "recalled_with_state": recalled,
        "batch_of_8_against_alone": {
            "identical_answers": sum(a == b for a, b in zip(found["own"], alone_answers, strict=True)),
            "largest_relative_state_difference": max(
                float((a.values - b.values).norm() / b.values.norm()) for a, b in zip(own, alone, strict=True)
            ),
        },
    }


def fifty_turns(loaded: LoadedModel) -> dict[str, Any]:
    """A caller that resends its whole history at each of 50 turns."""
    session = MemorySession(SessionConfig(store="memory://"), loaded=loaded)
    history: list[Message] = []
    shown, absorbed_messages = [], 0
    options = {"options": _short()}
    for turn in range(TURNS):
        history.append(Message(role="user", content=f"This is message number {turn % 10}."))
        reply = session.reply(history, agent_id="fifty", **options)
        history.append(Message(role="assistant", content=reply.text))
        shown.append(reply.prompt_tokens)
        absorbed_messages += reply.absorbed_messages
    info = session.info("fifty")
    session.close()
    full = len(
        loaded.tokenizer.apply_chat_template([{"role": m.role, "content": m.content} for m in history])["input_ids"]
    )
    return {
        "prompt_tokens_turn_2": shown[1],
        "prompt_tokens_turn_50": shown[-1],
        "prompt_tokens_of_the_full_history": full,
        "messages": len(history),
        "absorbed_messages": absorbed_messages,
        "state_bytes": info.state_bytes if info else 0,
        "record_bytes": info.record_bytes if info else 0,
    }


def _short() -> Any:
    from dmem_agents import TurnOptions

    return TurnOptions(sampling=SamplingParams(max_new_tokens=12))


def main() -> None:
    """Measure, write `results/end_to_end.json`, print it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PROBE
    loaded = load_model(adapter=folder)
    result = {
        "circumstances": circumstances(),
        "adapter": "feasibility probe (not ours, does not ship)",
        "probe": probe_agreement(loaded, folder),
        "fifty_turns": fifty_turns(loaded),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "end_to_end.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
