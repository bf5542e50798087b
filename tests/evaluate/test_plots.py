"""The picture of recall shows what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from dmem_agents.evaluate.plots import draw_recall
from dmem_agents.evaluate.recall import CONTROLS
from dmem_agents.evaluate.statistics import Share


def cell(**hits: int) -> dict[str, Any]:
    return {"controls": {name: Share(hits=count, n=10).to_dict() for name, count in hits.items()}}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: figures.append(self))
    return figures


def test_every_cell_and_control_is_a_bar_of_its_rate(drawn: list[Figure]) -> None:
    draw_recall({"x": cell(own=8, none=0), "y": cell(own=5, none=1)}, {}, Path("unused.png"))
    (axes,) = drawn[0].axes
    assert sorted(round(bar.get_width()) for bar in axes.patches) == [0, 10, 50, 80]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["own state", "no state"]


def test_cells_that_differ_in_distance_alone_make_a_line(drawn: list[Figure]) -> None:
    cells = {"far": cell(own=2), "near": cell(own=9), "other": cell(own=7)}
    draw_recall(cells, {"near": 0, "far": 30, "not measured": 10}, Path("unused.png"))
    _, axes = drawn[0].axes
    line = axes.lines[0]
    assert list(line.get_xdata()) == [0, 30]
    assert list(line.get_ydata()) == pytest.approx([90, 20])


def test_every_control_has_a_colour_and_a_png_is_written(tmp_path: Path) -> None:
    draw_recall({"x": cell(**dict.fromkeys(CONTROLS, 3)), "y": cell(own=1)}, {"x": 0, "y": 3}, tmp_path / "recall.png")
    assert (tmp_path / "recall.png").read_bytes().startswith(b"\x89PNG")


def test_a_control_measured_in_one_cell_only_has_one_bar(drawn: list[Figure]) -> None:
    draw_recall({"x": cell(own=8), "y": cell(own=5, text=3)}, {}, Path("unused.png"))
    assert len(drawn[0].axes[0].patches) == 3
