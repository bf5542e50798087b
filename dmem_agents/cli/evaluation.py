"""`dmem eval`: what an adapter's memory holds, measured beside every control, and what it costs elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmem_agents.cli.console import print_table
from dmem_agents.cli.evaluation_results import ResultsFile
from dmem_agents.cli.options import AdapterOption, DeviceOption, DtypeOption, ModelOption
from dmem_agents.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmem_agents.model.loading import LoadedModel
    from dmem_agents.train.data.cells import Cell

app = typer.Typer(no_args_is_help=True, help="Measure an adapter's memory.")

DataOption = Annotated[Path, typer.Option("--data", help="Folder with the published data sets, one folder each.")]
SeedOption = Annotated[int, typer.Option(help="Of the draw.")]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, help="Rows in one forward pass.")]


@app.callback()
def root() -> None:
    """Measure an adapter's memory. Interrupted, each command goes on where it was when it is run again."""


@app.command()
def recall(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="JSON file; a picture is drawn beside it, as .png.")
    ] = Path("recall.json"),
    n: Annotated[int, typer.Option("--episodes", "-n", min=2, help="Episodes per cell.")] = 300,
    cells: Annotated[list[str] | None, typer.Option("--cell", "-c", help="Only this cell; may be repeated.")] = None,
    controls: Annotated[list[str] | None, typer.Option("--control", help="Only this control; may be repeated.")] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    seed: SeedOption = 0,
    batch_size: BatchOption = 16,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
) -> None:
    """Tell, then ask with nothing but the question in the prompt. Finished cells are kept when interrupted."""
    from dmem_agents.cli.evaluation_data import progress
    from dmem_agents.engine import Engine
    from dmem_agents.evaluate.plots import draw_recall
    from dmem_agents.evaluate.recall import CONTROLS, measure_recall
    from dmem_agents.tokenization import ChatTokenizer
    from dmem_agents.train.data import AgentLife
    from dmem_agents.train.data.cells import CELLS

    # What training shows is seen: its split has no unseen values.
    chosen = _chosen("cell", cells, {c.name: c for c in CELLS if not (c.unseen_value and split == "train")})
    compared = _chosen("control", controls, {name: name for name in CONTROLS})
    life = AgentLife(split=split)  # type: ignore[arg-type]  # it checks the name itself
    loaded = _load(model, adapter, dtype, device)
    settings = {
        "episodes": n,
        "split": split,
        "seed": seed,
        "fingerprint": loaded.model.fingerprint,
        "dtype": _dtype(loaded),
    }
    results = ResultsFile.open(output, "recall", settings)
    chat = ChatTokenizer(loaded.tokenizer)
    with Engine(loaded.model, max_batch_size=batch_size) as engine:
        for cell in chosen:
            earlier = results.parts.get(cell.name, {"controls": {}, "samples": []})
            missing = [name for name in compared if name not in earlier["controls"]]
            if missing:
                advance, end = progress(n, cell.name)
                found = measure_recall(
                    engine, chat, cell.episodes(life, n, seed=seed), controls=missing, on_progress=advance
                )
                end()
                results.keep(cell.name, _merged(earlier, found))
    draw_recall(
        {c.name: results.parts[c.name] for c in CELLS if c.name in results.parts}, _distances(CELLS), _picture(output)
    )
    rows = [[c.name, *_rates(results.parts[c.name], compared)] for c in chosen]
    print_table(f"Exact value in the free greedy answer, n = {n}", ["cell", *compared], rows, right=compared)
    for name in compared:
        typer.echo(f"{name:>10}: {CONTROLS[name]}")
    typer.echo(f"Numbers and samples: {output}; picture: {_picture(output)}")


@app.command()
def likelihood(
    data: DataOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON file.")] = Path("likelihood.json"),
    n: Annotated[int, typer.Option("--episodes", "-n", min=2, help="Most episodes per data set.")] = 200,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Only this data set, persona or longmemeval; may be repeated.")
    ] = None,
    most_tokens: Annotated[
        int, typer.Option("--max-message-tokens", min=1, help="Episodes with a longer written message are left out.")
    ] = 256,
    seed: SeedOption = 0,
    batch_size: BatchOption = 8,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
) -> None:
    """How likely the gold answers of real dialogues are, given the own state, a stranger's, none, or the whole text."""
    from dmem_agents.cli.evaluation_data import GOLD_SETS, gold_episodes, progress
    from dmem_agents.evaluate.likelihood import VIEWS, measure_likelihood
    from dmem_agents.tokenization import ChatTokenizer

    chosen = _chosen("data set", sets, {name: name for name in GOLD_SETS})
    loaded = _load(model, adapter, dtype, device)
    settings = {
        "episodes": n,
        "max_message_tokens": most_tokens,
        "seed": seed,
        "fingerprint": loaded.model.fingerprint,
        "dtype": _dtype(loaded),
    }
    results = ResultsFile.open(output, "likelihood", settings)
    chat = ChatTokenizer(loaded.tokenizer)
    for name in chosen:
        if name not in results.parts:
            episodes = gold_episodes(name, data, n, seed=seed, most_tokens=most_tokens, encode=_encoder(loaded))
            advance, end = progress(len(episodes) * len(VIEWS), name)
            found = measure_likelihood(loaded.model, chat, episodes, batch_size=batch_size, on_progress=advance)
            end()
            results.keep(name, found)
    rows = [_likelihood_row(name, results.parts[name], list(VIEWS)) for name in chosen]
    columns = ["n", *VIEWS, "stranger − own", "95 %"]
    print_table("Gold answer, nats per token", ["data set", *columns], rows, right=columns)
    for view, meaning in VIEWS.items():
        typer.echo(f"{view:>10}: {meaning}")


@app.command()
def general(
    data: DataOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON file.")] = Path("general.json"),
    texts: Annotated[int, typer.Option("--paragraphs", help="Of held-out plain text; 0 leaves it out.")] = 400,
    prompts: Annotated[
        int, typer.Option(help="Of IFEval, a fixed subset; 0 leaves it out. Needs lm-eval[ifeval].")
    ] = 150,
    strangers: Annotated[int, typer.Option(min=1, help="People whose states are loaded in turn.")] = 16,
    most_tokens: Annotated[int, typer.Option("--max-tokens", min=2, help="Of a paragraph; the rest is cut.")] = 256,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Of an IFEval answer.")] = 1500,
    seed: SeedOption = 0,
    batch_size: BatchOption = 16,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
) -> None:
    """What a stranger's state costs where memory can't help: plain text and IFEval, against the frozen model."""
    from dmem_agents.cli.evaluation_data import ifeval_prompts, plain_texts, progress, stranger_pasts
    from dmem_agents.engine import Engine
    from dmem_agents.evaluate.general import lm_eval_checker, measure_ifeval, measure_plain_text
    from dmem_agents.evaluate.memories import absorb_all
    from dmem_agents.tokenization import ChatTokenizer

    _require_some("--paragraphs", texts)
    _require_some("--prompts", prompts)
    records = ifeval_prompts(data, prompts) if prompts else []
    check = lm_eval_checker() if prompts else None
    loaded = _load(model, adapter, dtype, device)
    paragraphs = plain_texts(data, texts, most_tokens=most_tokens, encode=_encoder(loaded)) if texts else []
    settings = {
        "paragraphs": texts,
        "prompts": prompts,
        "strangers": strangers,
        "max_tokens": most_tokens,
        "max_new_tokens": max_new_tokens,
        "seed": seed,
        "fingerprint": loaded.model.fingerprint,
        "dtype": _dtype(loaded),
    }
    results = ResultsFile.open(output, "general", settings)
    chat = ChatTokenizer(loaded.tokenizer)
    with Engine(loaded.model, max_batch_size=batch_size) as engine:
        states = absorb_all(engine, chat, stranger_pasts(strangers, seed=seed))
        if check is not None and "ifeval" not in results.parts:
            advance, end = progress(2 * len(records), "IFEval")
            found = measure_ifeval(
                engine,
                chat,
                records,
                states,
                check=check,
                max_new_tokens=max_new_tokens,
                rows=batch_size,
                on_progress=advance,
            )
            end()
            results.keep("ifeval", found)
    if paragraphs and "plain text" not in results.parts:
        advance, end = progress(2 * len(paragraphs), "plain text")
        rows = measure_plain_text(
            loaded.model, paragraphs, states, batch_size=max(batch_size // 4, 1), on_progress=advance
        )
        end()
        results.keep("plain text", rows)
    _print_general(results.parts)


def _load(model: str | None, adapter: str | None, dtype: str, device: str) -> LoadedModel:
    from dmem_agents.model.loading import load_model

    return load_model(model, adapter, dtype=dtype, device=device)


def _dtype(loaded: LoadedModel) -> str:
    return str(loaded.model.backbone.dtype).removeprefix("torch.")


def _encoder(loaded: LoadedModel) -> Callable[[str], list[int]]:
    return lambda text: list(loaded.tokenizer(text)["input_ids"])


def _chosen(what: str, asked: list[str] | None, known: dict[str, Any]) -> list[Any]:
    unknown = [name for name in asked or [] if name not in known]
    if unknown:
        raise ConfigError(f"Expected a {what} out of: {'; '.join(known)}. Got {', '.join(unknown)}.")
    return [known[name] for name in dict.fromkeys(asked or known)]


def _require_some(option: str, count: int) -> None:
    if count < 0 or count == 1:
        raise ConfigError(f"Expected {option} 0, or at least 2 for an interval; got {count}.")


def _merged(earlier: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Controls measured at different times on the same episodes."""
    old = earlier["samples"] or [{} for _ in found["samples"]]
    samples = [a | b for a, b in zip(old, found["samples"], strict=True)]
    return {"controls": earlier["controls"] | found["controls"], "samples": samples}


def _distances(cells: tuple[Cell, ...]) -> dict[str, int]:
    """Cells that are like "1 fact" in all but the turns after it."""
    from dmem_agents.train.data.cells import Cell

    plain = [c for c in cells if replace(c, name="", distractors=0, placement="mixed") == Cell(name="")]
    return {c.name: c.distractors for c in plain if c.placement == "after" or not c.distractors}


def _picture(output: Path) -> Path:
    return output.with_suffix(".png")


def _rates(found: dict[str, Any], controls: list[str]) -> list[str]:
    return [f"{100 * found['controls'][c]['rate']:.1f} %" for c in controls]


def _likelihood_row(name: str, found: dict[str, Any], views: list[str]) -> list[str]:
    difference = found["stranger_minus_own"]
    low, high = difference["bootstrap_95"]
    means = [f"{found['nll'][view]:.3f}" for view in views]
    return [name, str(found["n"]), *means, f"{difference['value']:+.4f}", f"{low:+.4f} … {high:+.4f}"]


def _print_general(parts: dict[str, Any]) -> None:
    rows = []
    if found := parts.get("plain text"):
        nll, rise = found["nll"], found["rise_percent"]
        rows.append(
            ["plain text, nats per token", f"{nll['frozen']:.4f}", f"{nll['stranger']:.4f}", *_change(rise, "%")]
        )
    if found := parts.get("ifeval"):
        rates = [f"{100 * found['prompt_level'][who]['rate']:.1f} %" for who in ("frozen", "stranger")]
        rows.append(["IFEval, prompts strictly followed", *rates, *_change(found["drop_points"], "points", sign=-1)])
    columns = ["frozen model", "stranger's state", "change", "95 %"]
    print_table("General ability", ["", *columns], rows, right=columns)


def _change(estimate: dict[str, Any], unit: str, *, sign: int = 1) -> list[str]:
    low, high = sorted(sign * bound for bound in estimate["bootstrap_95"])
    return [f"{sign * estimate['value']:+.2f} {unit}", f"{low:+.2f} … {high:+.2f}"]
