"""A training run you can watch: its curve as a picture, drawn again at every checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

CURVE_FILE = "curve.png"
_NOT_TERMS = frozenset(("step", "epoch", "grad_norm", "learning_rate", "loss"))


class CurveCallback(TrainerCallback):
    """Draws `curve.png` beside the checkpoints, and measures recall on the validation split every so many steps.

    Args:
        every_steps: interval of the recall check.
        measure_recall: gives shares by name, such as `{"recall own": 0.4}`; None draws the losses alone.
    """

    def __init__(self, *, every_steps: int, measure_recall: Callable[[], dict[str, float]] | None = None) -> None:
        self._every_steps = every_steps
        self._measure_recall = measure_recall

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Measure recall when it is due; the shares go into the log with the losses."""
        if self._measure_recall is not None and state.global_step % self._every_steps == 0:
            state.log_history.append({"step": state.global_step, **self._measure_recall()})

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Draw what was logged so far."""
        if state.is_world_process_zero:
            draw_curve(state.log_history, Path(str(args.output_dir)) / CURVE_FILE)


def draw_curve(history: list[dict[str, float]], path: Path) -> None:
    """Loss terms, and recall where it was measured, over steps, as a PNG.

    Args:
        history: `Trainer`'s log: one dict per entry with `step`.
        path: where to write.
    """
    from matplotlib.figure import Figure  # the library is heavy and only some runs draw

    series: dict[str, list[tuple[float, float]]] = {}
    for entry in history:
        for name, value in entry.items():
            if name not in _NOT_TERMS and not name.startswith("train_") and name != "total_flos":
                series.setdefault(name, []).append((entry["step"], float(value)))
    recalls = {name: points for name, points in series.items() if name.startswith("recall")}
    losses = {name: points for name, points in series.items() if name not in recalls}
    figure = Figure(figsize=(8, 3 + 2.5 * bool(recalls)), layout="constrained")
    axes = figure.subplots(2 if recalls else 1, sharex=True, squeeze=False)[:, 0]
    panels = [(axes[0], losses, "loss (nats per token)")]
    if recalls:
        panels.append((axes[1], recalls, "recall, validation"))
        axes[1].set_ylim(-0.02, 1.02)
    for axis, group, label in panels:
        for name, points in sorted(group.items()):
            axis.plot(*zip(*points, strict=True), label=name, marker=".", markersize=8 if group is recalls else 3)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if group:
            axis.legend(frameon=False)
    axes[-1].set_xlabel("step")
    figure.savefig(path, dpi=120)
