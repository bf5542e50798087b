"""`dmem eval`: what an adapter's memory holds, measured beside every control."""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dmem_agents import __version__
from dmem_agents.cli.console import print_table
from dmem_agents.cli.options import AdapterOption, DeviceOption, DtypeOption, ModelOption
from dmem_agents.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Measure an adapter's memory.")


@app.callback()
def root() -> None:
    """Measure an adapter's memory."""


@app.command()
def recall(
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON file; a plot is written beside it.")] = Path(
        "recall.json"
    ),
    n: Annotated[int, typer.Option("--episodes", "-n", min=2, help="Episodes per cell.")] = 300,
    cells: Annotated[list[str] | None, typer.Option("--cell", "-c", help="Only this cell; may be repeated.")] = None,
    controls: Annotated[list[str] | None, typer.Option("--control", help="Only this control; may be repeated.")] = None,
    split: Annotated[str, typer.Option(help="validation or test.")] = "test",
    seed: Annotated[int, typer.Option(help="Of the episodes.")] = 0,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
) -> None:
    """Tell, then ask with nothing but the question in the prompt. Finished cells are kept when interrupted."""
    from tqdm import tqdm

    from dmem_agents.engine import Engine
    from dmem_agents.evaluate.recall import CONTROLS, measure_recall
    from dmem_agents.model.loading import load_model
    from dmem_agents.tokenization import ChatTokenizer
    from dmem_agents.train.data import AgentLife
    from dmem_agents.train.data.cells import CELLS

    chosen = _chosen("cell", cells, {cell.name: cell for cell in CELLS})
    compared = _chosen("control", controls, {name: name for name in CONTROLS})
    loaded = load_model(model, adapter, dtype=dtype, device=device)
    settings = {"episodes": n, "split": split, "seed": seed, "fingerprint": loaded.model.fingerprint}
    results = _earlier(output, settings)
    life = AgentLife(split=split)  # type: ignore[arg-type]  # it checks the name itself
    chat = ChatTokenizer(loaded.tokenizer)
    with Engine(loaded.model, max_batch_size=16) as engine:
        for cell in chosen:
            if set(compared) <= set(results.get(cell.name, {}).get("controls", {})):
                continue
            bar = tqdm(total=n, desc=cell.name, disable=not sys.stderr.isatty(), leave=False)
            started = time.monotonic()
            found = measure_recall(
                engine, chat, cell.episodes(life, n, seed=seed), controls=compared, on_progress=bar.update
            )
            bar.close()
            results[cell.name] = found | {"seconds": round(time.monotonic() - started, 1)}
            _write(output, settings, results)
    rows = [[name, *_rates(results[name], compared)] for name in (c.name for c in chosen)]
    print_table(f"Exact value in the free greedy answer, n = {n}", ["cell", *compared], rows, right=compared)
    for name in compared:
        typer.echo(f"{name:>10}: {CONTROLS[name]}")


def _chosen(what: str, asked: list[str] | None, known: dict[str, Any]) -> list[Any]:
    unknown = [name for name in asked or [] if name not in known]
    if unknown:
        raise ConfigError(f"Expected a {what} out of: {'; '.join(known)}. Got {', '.join(unknown)}.")
    return [known[name] for name in (asked or known)]


def _rates(found: dict[str, Any], controls: list[str]) -> list[str]:
    return [f"{100 * found['controls'][c]['rate']:.1f} %" for c in controls]


def _earlier(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Cells that an interrupted run of the same settings has finished."""
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        same = stored["settings"] == settings
    except (ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise ConfigError(f"{path} holds other results. Name another file with --output, or move it away.")
    cells: dict[str, Any] = stored["cells"]
    return cells


def _write(path: Path, settings: dict[str, Any], results: dict[str, Any]) -> None:
    import torch

    machine = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    content = {"what": "recall", "version": __version__, "settings": settings, "machine": machine, "cells": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(path)
