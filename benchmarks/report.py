"""The tables and plots of results: speed and soak in `docs/benchmarks.md`, the ablation in `docs/training.md`.

python -m benchmarks.report     draws them anew; `benchmarks.run` and `benchmarks.ablation` do so at their end
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
PLOTS = PAGE.with_suffix("")
TRAINING = PAGE.with_stem("training")
_BEGIN, _END = "<!-- table: written by benchmarks.report -->", "<!-- end of the table -->"
_OURS, _OTHER, _LIGHT = "#2a6f97", "#bc4b51", "#a9a9a9"


def write_report() -> None:
    """Write the table into the page and draw the plots, from what is measured so far."""
    speed = json.loads((RESULTS / "speed.json").read_text(encoding="utf-8"))
    soak = RESULTS / "soak.json"
    found = json.loads(soak.read_text(encoding="utf-8")) if soak.exists() else None
    _write_table(PAGE, table(speed, found))
    PLOTS.mkdir(exist_ok=True)
    drawings = {"turns": _draw_turns, "concurrency": _draw_concurrency, "memory": _draw_memory, "parts": _draw_parts}
    for name, draw in drawings.items():
        if name in speed and speed[name]["series"]:
            draw(speed[name]["series"][name], PLOTS / f"{name}.png")
    write_ablation()


def write_ablation() -> None:
    """Write the ablation's table into its page and draw its plot, from the variants measured so far."""
    result = json.loads((RESULTS / "ablation.json").read_text(encoding="utf-8"))
    _write_table(TRAINING, ablation_table(result))
    _draw_ablation(result["variants"], RESULTS / "ablation.png")


def _write_table(page: Path, rows: str) -> None:
    text = page.read_text(encoding="utf-8")
    before, after = text.split(_BEGIN)[0], text.split(_END)[1]
    page.write_text(f"{before}{_BEGIN}\n\n{rows}\n{_END}{after}", encoding="utf-8")


def ablation_table(result: dict[str, Any]) -> str:
    """One row a variant: nats per token of held-out answers, and how many greedy answers hold the value."""
    lines = [
        "| variant | parameters | NLL, own state | a stranger's | difference (95 %) | answered (95 %) |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in result["variants"].items():
        nll, gain, recall = found["nll"], found["stranger_minus_own"], found["recall"]
        low, high = gain["bootstrap_95"]
        least, most = (round(100 * x) for x in recall["wilson_95"])
        lines.append(
            f"| {name} | {found['parameters']:,} | {nll['own']:.2f} | {nll['stranger']:.2f} "
            f"| {gain['value']:.2f} ({low:.2f} to {high:.2f}) | {100 * recall['rate']:.0f} % ({least}–{most}) |"
        )
    return "\n".join([*lines, ""])


def table(speed: dict[str, Any], soak: dict[str, Any] | None) -> str:
    """All rows as Markdown, with the circumstances they were measured in."""
    lines = ["| what | measured | target | holds | repeats | clock | commit |", "|---|---|---|---|---|---|---|"]
    for case in speed.values():
        commit, clock = case["circumstances"]["commit"], case["circumstances"].get("clock", "wall")
        for row in case["rows"]:
            lines.append(
                f"| {row['what']} | {_number(row['value'])} {row['unit']} | {_target(row)} | {_verdict(row)} "
                f"| {_repeats(row['details'])} | {clock} | {commit} |"
            )
    if soak:
        lines += ["", *_soak_lines(soak)]
    facts = next(iter(speed.values()))["circumstances"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return "\n".join([*lines, "", f"{facts['cores']} cores, {facts['torch_threads']} threads, {versions}.", ""])


def _target(row: dict[str, Any]) -> str:
    return "" if row["target"] is None else f"{'≤' if row['at'] == 'most' else '≥'} {row['target']:g} {row['unit']}"


def _verdict(row: dict[str, Any]) -> str:
    return "" if row["holds"] is None else ("yes" if row["holds"] else "**no**")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _repeats(details: Any) -> str:
    """The smallest number of repeats among the times of a row."""
    found = [d["repeats"] for d in _dicts(details) if "repeats" in d]
    return str(min(found)) if found else ""


def _dicts(value: Any) -> Iterable[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _dicts(part)


def _soak_lines(soak: dict[str, Any]) -> list[str]:
    lines = [f"**Soak** (`results/soak.json`, commit {soak['circumstances']['commit']})", "", "| what | |", "|---|---|"]
    return [*lines, *(f"| {what} | {value} |" for what, value in soak["table"].items())]


def _axes(title: str, x: str, y: str) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(visible=True, color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_turns(points: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    full = [p for p in points if "full_seconds" in p]
    for axes, key, label in ((left, "seconds", "seconds a turn"), (right, "prompt_tokens", "prompt tokens")):
        axes.plot([p["turn"] for p in points], [p[key] for p in points], color=_OURS, label="memory, no history")
        axes.plot(
            [p["turn"] for p in full], [p[f"full_{key}"] for p in full],
            "o--", color=_OTHER, label="the same agent with full history",
        )  # fmt: skip
        axes.set(xlabel="turn", ylabel=label, ylim=(0, None))
        axes.grid(visible=True, color="#e5e5e5")
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    figure.suptitle("An agent's turns: messages of one length, answers of 8 tokens")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _draw_concurrency(points: list[dict[str, Any]], path: Path) -> None:
    figure, axes = _axes("Agents on one engine, two CPU cores", "agents at once", "tokens per second, all together")
    agents = [p["agents"] for p in points]
    axes.plot(agents, [p["tokens_per_second"] for p in points], "o-", color=_OURS, label="measured")
    axes.plot(
        agents, [n * points[0]["tokens_per_second"] for n in agents], "--", color=_LIGHT, label="in proportion to one"
    )
    axes.set(xticks=agents, ylim=(0, 1.3 * max(p["tokens_per_second"] for p in points)))
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=120)


def _draw_memory(points: list[dict[str, Any]], path: Path) -> None:
    figure, axes = _axes(
        "Peak memory of one prompt over the frozen model's", "prompt tokens", "MB beyond the plain model's peak"
    )
    places = range(len(points))
    fixed = [(p["memory"]["start"] - p["plain"]["start"]) / 2**20 for p in points]
    more = [(p["memory"]["peak"] - p["plain"]["peak"]) / 2**20 - f for p, f in zip(points, fixed, strict=True)]
    axes.bar(places, fixed, color=_LIGHT, label="before the prompt: adapter, its packed copy, Numba")
    axes.bar(places, more, bottom=fixed, color=_OURS, label="during the prompt")
    one_percent = [p["plain"]["peak"] / 2**20 / 100 + f for p, f in zip(points, fixed, strict=True)]
    axes.hlines(
        one_percent, [x - 0.4 for x in places], [x + 0.4 for x in places],
        color=_OTHER, label="1 % of the plain model's peak on top of that",
    )  # fmt: skip
    axes.set_xticks(places, [f"{p['tokens']:,}\n{p['layers']} layers" for p in points])
    axes.set_ylim(0, 1.5 * max(one_percent))
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=120)


def _draw_parts(parts: dict[str, float], path: Path) -> None:
    figure, axes = _axes("What a turn's time goes into", "milliseconds", "")
    ordered = sorted(parts.items(), key=lambda item: item[1])
    bars = axes.barh([name for name, _ in ordered], [1000 * seconds for _, seconds in ordered], color=_OURS)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.margins(x=0.12)
    axes.grid(visible=False)
    figure.savefig(path, dpi=120)


def _draw_ablation(variants: dict[str, Any], path: Path) -> None:
    figure, axes = _axes(
        "What a memory has learnt after the same short training",
        "NLL of held-out answers, a stranger's state − own (nats per token, 95 %)",
        "",
    )
    gains = [found["stranger_minus_own"] for found in variants.values()]
    values = [gain["value"] for gain in gains]
    below = [gain["value"] - gain["bootstrap_95"][0] for gain in gains]
    above = [gain["bootstrap_95"][1] - gain["value"] for gain in gains]
    axes.errorbar(values, list(variants), xerr=[below, above], fmt="o", color=_OURS, capsize=2)
    axes.axvline(0, color=_LIGHT)
    axes.invert_yaxis()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    write_report()
