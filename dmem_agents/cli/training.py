"""`dmem train`: an adapter from a recipe, with a curve to watch; interrupted, it goes on where it was."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmem_agents.cli.options import DeviceOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmem_agents.model.attach import DeltaMemModel
    from dmem_agents.tokenization import ChatTokenizer
    from dmem_agents.train.recipe import Recipe


def train(
    recipe: Annotated[Path, typer.Option("--recipe", "-r", help="TOML file that says everything about the run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of checkpoints, curve and adapter.")] = Path(
        "runs/adapter"
    ),
    smoke: Annotated[
        bool, typer.Option("--smoke", help="One small step of every stage, in OUTPUT/smoke: does it run at all?")
    ] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Data sets; instead of the recipe's data_folder.")] = None,
    device: DeviceOption = "auto",
) -> None:
    """Train an adapter. Run the same command again to go on after an interruption."""
    from dmem_agents.tokenization import ChatTokenizer
    from dmem_agents.train.curve import CurveCallback
    from dmem_agents.train.recipe import Recipe
    from dmem_agents.train.trainer import load_for_training, train_adapter

    plan = Recipe.load(recipe)
    if data is not None:
        plan = dataclasses.replace(plan, data_folder=str(data))
    if smoke:
        plan, output = _shortened(plan, device), output / "smoke"  # apart: the real run must not go on from here
        if os.environ.get("RANK", "0") == "0":
            shutil.rmtree(output, ignore_errors=True)  # nor does this one from an earlier try
    model, tokenizer = load_for_training(plan, device=device)
    recall = _recall(plan, model, ChatTokenizer(tokenizer))
    callback = CurveCallback(every_steps=plan.evaluate_every_steps, measure_recall=recall)
    folder = train_adapter(plan, model, tokenizer, output, callbacks=[callback], show_progress=sys.stderr.isatty())
    typer.echo(f"The adapter is in {folder}; its curve in {output / 'curve.png'}. Try it: dmem chat --adapter {folder}")


def _shortened(recipe: Recipe, device: str) -> Recipe:
    """One step a stage, on the generated episodes alone: a first try needs no data folder."""
    from dmem_agents.model.loading import checked_device

    stages = tuple(dataclasses.replace(stage, steps=1, real_share=0.0, reply_share=0.0) for stage in recipe.stages)
    # Without a GPU in float32: a CPU without bfloat16 instructions takes several times as long otherwise.
    bf16 = recipe.optimisation.bf16 and checked_device(device).type != "cpu"
    small = dataclasses.replace(recipe.optimisation, conversations_per_step=2, compile=False, bf16=bf16)
    return dataclasses.replace(
        recipe,
        stages=stages,
        optimisation=small,
        objectives=dataclasses.replace(recipe.objectives, retention=0.0),
        save_every_steps=len(stages),
        evaluate_every_steps=len(stages),
        evaluate_episodes=2,
    )


def _recall(recipe: Recipe, model: DeltaMemModel, chat: ChatTokenizer) -> Callable[[], dict[str, float]]:
    """Recall of one and of three facts on the validation split, own state and a stranger's."""
    from dmem_agents.engine import Engine
    from dmem_agents.evaluate.recall import measure_recall
    from dmem_agents.train.data import AgentLife
    from dmem_agents.train.data.cells import CELLS

    def measure() -> dict[str, float]:
        shares: dict[str, float] = {}
        with Engine(model, max_batch_size=16) as engine:
            for cell in (c for c in CELLS if c.name in ("1 fact", "3 facts, 3 distractors")):
                episodes = cell.episodes(AgentLife(split="validation"), recipe.evaluate_episodes, seed=0)
                found = measure_recall(engine, chat, episodes, controls=("own", "stranger"))
                for control, share in found["controls"].items():
                    shares[f"recall, {cell.name}, {control} state"] = share["rate"]
        return shares

    return measure
