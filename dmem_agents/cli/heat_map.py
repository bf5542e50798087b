"""A memory state as a picture: the norm of each matrix by layer and head, and below it every matrix.

Knows numbers and drawing; knows nothing of stores. Draws without a display, on matplotlib's own canvas.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from dmem_agents.errors import ConfigError
from dmem_agents.whole_files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dmem_agents.state.memory_state import MemoryState

WIDTH_INCHES = 13.0
LAYERS_PER_BAND = 15
"""The small matrices stand in bands of at most this many layers, so that each stays large enough to read."""
CLIPPED = 0.98
"""This share of the numbers lies inside the colour scale; a few outliers would leave the rest pale."""
DPI = 150

_INK, _FAINT = "#222222", "#666666"
_LABEL = 8


def draw_state(state: MemoryState, *, title: str, subtitle: str) -> Figure:
    """One agent's memory: Frobenius norms as a layers × heads heat map, and every matrix on one scale.

    Args:
        state: values `[L, H, r, r]`; rows of a matrix are value indices, columns key indices.
        title: whose memory it is; shown as it stands, never read as markup.
        subtitle: version, model and sizes, in one line.
    """
    values = state.values.numpy()
    layers, heads = values.shape[:2]
    bands = [range(at, min(at + LAYERS_PER_BAND, layers)) for at in range(0, layers, LAYERS_PER_BAND)]
    panel = min(WIDTH_INCHES - 1.6, LAYERS_PER_BAND) / min(layers, LAYERS_PER_BAND)
    panel = min(panel, 1.2)
    norm_height = 1.15 + 0.3 * heads
    band_height = 0.45 + panel * heads
    figure = Figure(figsize=(WIDTH_INCHES, 0.8 + norm_height + 0.75 + band_height * len(bands)), layout="constrained")
    heights = [0.8, norm_height, 0.75 + band_height * len(bands)]
    parts: Any = figure.subfigures(3, 1, height_ratios=heights)
    head, top, bottom = parts
    head.text(0.01, 0.72, title, fontsize=15, weight="bold", color=_INK, va="center", parse_math=False)
    head.text(0.01, 0.25, subtitle, fontsize=9, color=_FAINT, va="center", parse_math=False)
    numbers = [_layer_number(path, position) for position, path in enumerate(state.layout.layers)]
    _draw_norms(top, np.linalg.norm(values, axis=(2, 3)), numbers)
    _draw_matrices(bottom, values, numbers, bands)
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    """Write the picture in the format that the file's ending names, whole or not at all.

    Raises:
        ConfigError: the file can't be written.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # An agent id may hold characters that the font lacks: they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=path.suffix.lower().lstrip("."), dpi=DPI, facecolor="white")
    try:
        write_whole(path, buffer.getvalue())
    except OSError as error:
        raise ConfigError(
            f"The picture can't be written to {path}: {error.strerror}. Name another file with -o."
        ) from error


def _layer_number(path: str, position: int) -> str:
    """The layer's number as its module path tells it (`model.layers.7.self_attn`), or else its position."""
    found = re.search(r"\.(\d+)(?:\.|$)", path)
    return found.group(1) if found else str(position)


def _draw_norms(figure: SubFigure, norms: np.ndarray[Any, Any], numbers: list[str]) -> None:
    """`norms` `[L, H]` with layers from left to right and each value written in its cell."""
    axes = figure.subplots()
    image = axes.imshow(norms.T, cmap="viridis", aspect="auto", vmin=0.0, vmax=max(float(norms.max()), 1e-12))
    axes.set_title("Norm ‖S‖ (Frobenius) of each matrix; 0 = has seen nothing", fontsize=10, loc="left", color=_INK)
    axes.set_xlabel("layer", fontsize=_LABEL)
    axes.set_ylabel("state head", fontsize=_LABEL)
    axes.set_xticks(range(len(numbers)), numbers, fontsize=_LABEL)
    axes.set_yticks(range(norms.shape[1]), [str(h) for h in range(norms.shape[1])], fontsize=_LABEL)
    axes.tick_params(length=0)
    if len(numbers) <= 40:
        middle = float(norms.max()) / 2
        for layer, row in enumerate(norms):
            for head, value in enumerate(row):
                ink = "white" if value <= middle else "black"
                axes.text(layer, head, f"{value:.2g}", ha="center", va="center", fontsize=6.5, color=ink)
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03)
    bar.set_label("‖S‖, no unit", fontsize=_LABEL)
    bar.ax.tick_params(labelsize=_LABEL)


def _draw_matrices(figure: SubFigure, values: np.ndarray[Any, Any], numbers: list[str], bands: list[range]) -> None:
    """Every matrix of `values` `[L, H, r, r]`, one colour scale for all, symmetric around 0."""
    rank = values.shape[-1]
    limit = float(np.quantile(np.abs(values), CLIPPED)) or float(np.abs(values).max()) or 1.0
    rows: Any = figure.subplots(len(bands), 1, squeeze=False)
    colours = ScalarMappable(Normalize(-limit, limit), "RdBu_r")
    for axes, band in zip(rows[:, 0], bands, strict=True):
        mosaic = _mosaic(values[band.start : band.stop], columns=len(bands[0]))
        axes.imshow(mosaic, norm=colours.norm, cmap=colours.cmap, interpolation="nearest")
        _label_band(axes, [numbers[layer] for layer in band], heads=values.shape[1], rank=rank)
    heading = f"The matrices S: {rank}×{rank} each, rows = value index, columns = key index, both from 0"
    figure.suptitle(heading, fontsize=10, x=0.01, ha="left", color=_INK)
    # panchor: few layers leave room beside them, which belongs on the right.
    bar = figure.colorbar(
        colours, ax=list(rows[:, 0]), pad=0.01, fraction=0.03, extend="both", aspect=40, panchor=(0.0, 0.5)
    )
    bar.set_label(f"entry of S, no unit; {1 - CLIPPED:.0%} lie beyond", fontsize=_LABEL)
    bar.ax.tick_params(labelsize=_LABEL)


def _mosaic(values: np.ndarray[Any, Any], *, columns: int) -> np.ndarray[Any, Any]:
    """`[L, H, r, r]` as one array of `columns` matrices across and H down, with gaps of NaN between them."""
    layers, heads, rank, _ = values.shape
    mosaic = np.full((heads * (rank + 1) - 1, columns * (rank + 1) - 1), math.nan)
    for layer in range(layers):
        for head in range(heads):
            top, left = head * (rank + 1), layer * (rank + 1)
            mosaic[top : top + rank, left : left + rank] = values[layer, head]
    return mosaic


def _label_band(axes: Axes, numbers: list[str], *, heads: int, rank: int) -> None:
    centre = (rank - 1) / 2
    axes.set_xticks([centre + n * (rank + 1) for n in range(len(numbers))], numbers, fontsize=_LABEL)
    axes.set_yticks([centre + n * (rank + 1) for n in range(heads)], [str(h) for h in range(heads)], fontsize=_LABEL)
    axes.set_xlabel("layer", fontsize=_LABEL)
    axes.set_ylabel("state head", fontsize=_LABEL)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    corners = [
        ((rank + 1) * layer - 0.5, (rank + 1) * head - 0.5) for layer in range(len(numbers)) for head in range(heads)
    ]
    frames = [Rectangle(corner, rank, rank) for corner in corners]
    axes.add_collection(PatchCollection(frames, facecolor="none", edgecolor="#999999", linewidth=0.4, clip_on=False))
