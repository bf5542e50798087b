from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from dmem_agents.cli.heat_map import LAYERS_PER_BAND, draw_state, write_figure
from dmem_agents.errors import ConfigError
from dmem_agents.state.memory_state import MemoryState, StateLayout


def made_state(layers: int, heads: int, rank: int = 8, scale: float = 1.0) -> MemoryState:
    layout = StateLayout(layers=tuple(f"model.layers.{2 * n}.self_attn" for n in range(layers)), heads=heads, rank=rank)
    values = torch.randn(layout.shape, generator=torch.Generator().manual_seed(0)) * scale
    return MemoryState(layout=layout, values=values)


def images(figure: Figure) -> list[AxesImage]:
    # Colour bars are drawn as meshes, so every image is data.
    return [image for axes in figure.axes for image in axes.images]


def test_the_upper_picture_holds_every_norm_by_head_and_layer() -> None:
    state = made_state(3, 2)
    drawn = images(draw_state(state, title="t", subtitle="s"))[0].get_array()
    np.testing.assert_allclose(np.asarray(drawn), state.norms().numpy().T, rtol=1e-5)


def test_the_lower_pictures_hold_every_number_once_and_nothing_else() -> None:
    state = made_state(LAYERS_PER_BAND + 5, 2, rank=3)
    bands = images(draw_state(state, title="t", subtitle="s"))[1:]
    drawn = np.concatenate([np.asarray(band.get_array()).ravel() for band in bands])
    assert sorted(drawn[~np.isnan(drawn)].tolist()) == pytest.approx(sorted(state.values.flatten().tolist()))
    first = np.asarray(bands[0].get_array())
    np.testing.assert_array_equal(first[4:7, 8:11], state.values[2, 1].numpy())


def test_the_colours_are_symmetric_around_zero_and_one_scale_serves_all() -> None:
    bands = images(draw_state(made_state(20, 1), title="t", subtitle="s"))[1:]
    limits = {band.get_clim() for band in bands}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high < 0


def test_layers_are_named_by_their_number_in_the_model() -> None:
    figure = draw_state(made_state(3, 1), title="t", subtitle="s")
    labels = [[text.get_text() for text in axes.get_xticklabels()] for axes in figure.axes]
    assert labels.count(["0", "2", "4"]) == 2


@pytest.mark.parametrize(("layers", "heads", "rank"), [(1, 1, 1), (2, 8, 4), (36, 1, 8), (64, 16, 16)])
def test_states_of_any_size_are_drawn(tmp_path: Path, layers: int, heads: int, rank: int) -> None:
    figure = draw_state(made_state(layers, heads, rank), title="t", subtitle="s")
    write_figure(figure, tmp_path / "m.svg")
    assert (tmp_path / "m.svg").stat().st_size > 1000


def test_an_empty_memory_is_drawn(tmp_path: Path) -> None:
    write_figure(draw_state(made_state(2, 2, scale=0.0), title="t", subtitle="s"), tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_a_title_is_shown_as_it_stands_even_if_it_looks_like_mathematics(tmp_path: Path) -> None:
    title = r"agent '$\frac{' 記憶"
    write_figure(draw_state(made_state(1, 1), title=title, subtitle="s"), tmp_path / "m.png")
    assert (tmp_path / "m.png").exists()


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    figure = draw_state(made_state(1, 1), title="t", subtitle="s")
    with pytest.raises(ConfigError, match="nowhere"):
        write_figure(figure, tmp_path / "nowhere" / "m.svg")


def test_a_write_that_fails_half_way_leaves_the_old_picture_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "m.png").write_bytes(b"the old one")
    figure = draw_state(made_state(1, 1), title="t", subtitle="s")
    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(ConfigError, match="No space left"):
        write_figure(figure, tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["m.png"]
