"""Recall as a picture: a bar for every cell and control with its Wilson interval, and recall over distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE = {
    "own": ("#1b9e77", "own state"),
    "online": ("#8fd3bd", "own state, live turn"),
    "text": ("#4c72b0", "whole text in the prompt"),
    "text+own": ("#a9c1e6", "whole text, and own state"),
    "stranger": ("#d1495b", "a stranger's state"),
    "corrupted": ("#edae49", "own state, corrupted"),
    "none": ("#8a8a8a", "no state"),
}
"""Colour and name of each control, in the order of the bars: what should be high first."""


def draw_recall(cells: Mapping[str, Mapping[str, Any]], distances: Mapping[str, int], path: Path) -> None:
    """Draw the results of `dmem eval recall` as a PNG.

    Args:
        cells: `measure_recall`'s result by name of the cell, in the order of the bars.
        distances: cells of one fact that differ in how many turns lie between it and the question only; a second
            panel appears when at least two of them were measured.
        path: where to write.
    """
    from matplotlib.figure import Figure  # the library is heavy and only some runs draw

    controls = [c for c in _STYLE if any(c in found["controls"] for found in cells.values())]
    along = sorted((turns, name) for name, turns in distances.items() if name in cells)
    height = 0.6 + len(cells) * (0.22 + 0.075 * len(controls))
    figure = Figure(figsize=(9, max(height, 2.5) + (3.4 if len(along) > 1 else 0)), layout="constrained")
    if len(along) > 1:
        bars, line = figure.subplots(2, height_ratios=[max(height, 2.5), 3.2])
        _draw_distance(line, cells, along, controls)
    else:
        bars = figure.subplots()
    _draw_bars(bars, cells, controls)
    handles, labels = bars.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(controls), 4), frameon=False)
    figure.savefig(path, dpi=120)


def _draw_bars(axes: Axes, cells: Mapping[str, Mapping[str, Any]], controls: Sequence[str]) -> None:
    width = 0.84 / max(len(controls), 1)
    for place, control in enumerate(controls):
        rows = [
            (row, found["controls"][control])
            for row, found in enumerate(cells.values())
            if control in found["controls"]
        ]
        middles = [row - 0.42 + (place + 0.5) * width for row, _ in rows]
        rates = [100 * share["rate"] for _, share in rows]
        colour, label = _STYLE[control]
        axes.barh(
            middles,
            rates,
            height=0.9 * width,
            color=colour,
            label=label,
            xerr=_spreads([share for _, share in rows]),
            error_kw={"elinewidth": 0.8, "capsize": 1.5, "ecolor": "#333333"},
        )
    sizes = [next(iter(found["controls"].values()))["n"] for found in cells.values()]
    equal = len(set(sizes)) == 1
    names = list(cells) if equal else [f"{name}\nn = {n}" for name, n in zip(cells, sizes, strict=True)]
    axes.set_yticks(range(len(cells)), names)
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_xlim(0, 102)
    count = f"; n = {sizes[0]}" if equal else ""
    axes.set_xlabel(f"asked value in the free greedy answer (%), Wilson interval at 95 %{count}")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_distance(
    axes: Axes,
    cells: Mapping[str, Mapping[str, Any]],
    along: Sequence[tuple[int, str]],
    controls: Sequence[str],
) -> None:
    for control in controls:
        points = [
            (turns, cells[name]["controls"][control]) for turns, name in along if control in cells[name]["controls"]
        ]
        axes.errorbar(
            [turns for turns, _ in points],
            [100 * share["rate"] for _, share in points],
            yerr=_spreads([share for _, share in points]),
            color=_STYLE[control][0],
            marker="o",
            markersize=4,
            capsize=2,
            elinewidth=0.8,
        )
    axes.set_xscale("symlog", linthresh=3)
    axes.set_xticks([turns for turns, _ in along], [str(turns) for turns, _ in along])
    axes.minorticks_off()
    axes.set_ylim(-2, 102)
    axes.set_xlabel("turns since the fact was told (one fact)")
    axes.set_ylabel("recall (%)")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _spreads(shares: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Lengths of the error bars below and above each rate, in %."""
    below = [100 * max(s["rate"] - s["wilson_95"][0], 0.0) for s in shares]
    above = [100 * max(s["wilson_95"][1] - s["rate"], 0.0) for s in shares]
    return [below, above]
