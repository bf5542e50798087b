"""Which memory learns fastest: adapters that differ in one setting, trained alike, and their recall.

    python -m benchmarks.ablation [--steps 400] [--episodes 100] [VARIANT ...]

Each variant is trained from fresh weights on one fact of four attributes, half of the rows repeating what was told,
then asked about held-out people: how much likelier an answer is under the own state than under a stranger's, which
tells variants apart before any of them answers right, and how many greedy answers hold the value. Finished variants
are kept in `results/ablation.json`, a variant's checkpoints in `runs/ablation`: interrupted, the same command goes on
where it was. Commands with different variants may run side by side. The paper's own ablations: arXiv 2605.12357, §5.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.report import write_ablation
from benchmarks.run import RESULTS, circumstances
from dmem_agents.engine import Engine
from dmem_agents.evaluate.likelihood import GoldEpisode, measure_likelihood
from dmem_agents.evaluate.recall import measure_recall
from dmem_agents.layers.config import DeltaMemConfig
from dmem_agents.model.adapter import load_adapter
from dmem_agents.model.loading import load_backbone
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.train.data import AgentLife
from dmem_agents.train.recipe import Recipe
from dmem_agents.train.trainer import load_for_training, train_adapter

RECIPE = Path(__file__).parents[1] / "recipes" / "smollm2-135m.toml"
RUNS = Path("runs/ablation")
RESULT = RESULTS / "ablation.json"
ATTRIBUTES = ("name", "city", "food", "colour")
"""Fewer than the recipe's first stage has: with its ten hardly anything is learnt in 400 steps."""
RECONSTRUCT_SHARE = 0.5
"""More than the recipe's, for the same reason."""
_COMMON: dict[str, Any] = {
    "num_state_heads": 4,
    "state_update_mode": "no_lambda",
    "delta_heads": ("q", "o"),
    "output_init": "base_slice",
    "online_gain": 0.2,
}
_WRITES: dict[str, dict[str, Any]] = {
    "TSW": {"num_state_heads": 1},
    "SSW": {"num_state_heads": 1, "memory_write_granularity": "message_mean"},
    "MSW": {"num_state_heads": 4},
}
_GATES: dict[str, dict[str, Any]] = {
    "no_lambda": {"state_update_mode": "no_lambda"},
    "standard": {"state_update_mode": "standard"},
    "separate λ": {"state_update_mode": "standard", "couple_lambda": False},
}
_HEADS: dict[str, tuple[str, ...]] = {"q": ("q",), "o": ("o",), "q, k, v, o": ("q", "k", "v", "o")}
_LAYERS = {"first third": range(10), "middle third": range(10, 20), "last third": range(20, 30)}
VARIANTS: dict[str, dict[str, Any]] = {
    **{f"{writes}, {gates}": {**w, **g} for writes, w in _WRITES.items() for gates, g in _GATES.items()},
    **{f"heads {name}": {"delta_heads": heads} for name, heads in _HEADS.items()},
    **{f"layers: {name}": {"target_layers": tuple(layers)} for name, layers in _LAYERS.items()},
}
"""What each changes in "MSW, no_lambda" with q and o steered."""


def run(name: str, *, steps: int, episodes: int) -> dict[str, Any]:
    """Train one variant and measure it."""
    recipe = _recipe(name, steps)
    trained, tokenizer = load_for_training(recipe, device="cpu")
    folder = RUNS / re.sub(r"\W+", "_", name)
    adapter = train_adapter(recipe, trained, tokenizer, folder, show_progress=sys.stderr.isatty())
    model = load_adapter(load_backbone(None, device="cpu")[0], adapter)
    state = json.loads((folder / f"checkpoint-{steps}" / "trainer_state.json").read_text("utf-8"))
    losses = [entry["answer"] for entry in state["log_history"] if "answer" in entry][-5:]
    life = AgentLife(**{**recipe.stages[0].life, "split": "validation"})
    rng = random.Random(0)
    asked = [life.recall_episode(rng, facts=1, distractors=0) for _ in range(episodes)]
    chat = ChatTokenizer(tokenizer)
    gold = [
        GoldEpisode(written=e.written, question=e.visible[0].content, answer=e.target.content, kind="recall")
        for e in asked
    ]
    likelihood = measure_likelihood(model.eval(), chat, gold, batch_size=16)
    with Engine(model, max_batch_size=16) as engine:
        found = measure_recall(engine, chat, asked, controls=("own",))
    return {
        "settings": VARIANTS[name],
        "parameters": sum(tensor.numel() for tensor in model.adapter_parameters().values()),
        "answer_loss_last_50_steps": round(sum(losses) / len(losses), 3),
        "nll": likelihood["nll"],
        "stranger_minus_own": likelihood["stranger_minus_own"],
        "recall": found["controls"]["own"],
    }


def _recipe(name: str, steps: int) -> Recipe:
    """The first stage of the recipe as it was when the table was measured: without what later legs needed."""
    recipe = Recipe.load(RECIPE)
    stage = recipe.stages[0]
    return dataclasses.replace(
        recipe,
        memory=DeltaMemConfig(**{**_COMMON, **VARIANTS[name]}),
        stages=(dataclasses.replace(stage, steps=steps, life={**stage.life, "attributes": ATTRIBUTES}),),
        start_from="",
        objectives=dataclasses.replace(recipe.objectives, retention=0.0, addressing=0.0),
        optimisation=dataclasses.replace(recipe.optimisation, reconstruct_share=RECONSTRUCT_SHARE),
        rendering=dataclasses.replace(recipe.rendering, system_share=0.0, preamble_share=0.0, online_share=0.0),
        save_every_steps=min(50, steps),
        average_checkpoints=1,
    )


def _result(settings: dict[str, Any]) -> dict[str, Any]:
    """What has been measured so far; read again at every use, as another command may be at work."""
    if RESULT.exists():
        earlier: dict[str, Any] = json.loads(RESULT.read_text("utf-8"))
        return earlier
    return {"circumstances": circumstances(), "settings": settings, "variants": {}}


def main() -> None:
    """Run what is missing in `results/ablation.json`, one variant after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help=f"out of: {'; '.join(VARIANTS)}")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--episodes", type=int, default=100)
    arguments = parser.parse_args()
    if unknown := set(arguments.variants) - set(VARIANTS):
        parser.error(f"expected variants out of {list(VARIANTS)}, got {sorted(unknown)}")
    settings = {
        "steps": arguments.steps,
        "episodes": arguments.episodes,
        "attributes": list(ATTRIBUTES),
        "reconstruct_share": RECONSTRUCT_SHARE,
    }
    if (earlier := _result(settings))["settings"] != settings:
        parser.error(f"{RESULT} was measured with {earlier['settings']}; give the same, or move it away")
    for name in arguments.variants or VARIANTS:
        found = _result(settings)["variants"].get(name)
        if found is None:
            found = run(name, steps=arguments.steps, episodes=arguments.episodes)
            result = _result(settings)
            result["variants"][name] = found
            result["variants"] = {name: result["variants"][name] for name in VARIANTS if name in result["variants"]}
            RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            write_ablation()
        gain, recall = found["stranger_minus_own"]["value"], found["recall"]["rate"]
        print(f"{name:24} stranger − own {gain:.3f} nats  recall {recall:.2f}")


if __name__ == "__main__":
    main()
