"""Which tokens are pooled into which write."""

from __future__ import annotations

import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from dmem_agents.layers.write_spans import Segments

ROWS = st.integers(0, 12).flatmap(
    lambda tokens: st.lists(
        st.lists(st.tuples(st.integers(-1, 1000), st.booleans()), min_size=tokens, max_size=tokens),
        min_size=1,
        max_size=3,
    )
)


def _groups(row: list[tuple[int, bool]]) -> list[list[int]]:
    """Tokens of each write, by ascending id: the definition, written out."""
    wanted = sorted({key for key, active in row if active})
    return [[t for t, (key, active) in enumerate(row) if active and key == want] for want in wanted]


@settings(deadline=None)
@given(rows=ROWS)
def test_each_write_is_the_mean_of_its_tokens_in_ascending_id_order(
    rows: list[list[tuple[int, bool]]],
) -> None:
    ids = torch.tensor([[key for key, _ in row] for row in rows], dtype=torch.int64).view(len(rows), -1)
    active = torch.tensor([[on for _, on in row] for row in rows], dtype=torch.bool).view(len(rows), -1)
    segments = Segments.from_ids(ids, active)
    hidden = torch.randn(*ids.shape, 3, generator=torch.Generator().manual_seed(0))
    means = segments.mean(hidden)
    for row, content in enumerate(rows):
        expected = [hidden[row, tokens].mean(dim=0) for tokens in _groups(content)]
        assert int(segments.present[row].sum()) == len(expected)
        assert segments.present[row, : len(expected)].all(), "a row's writes come first, absent ones last"
        for got, mean in zip(means[row], expected, strict=False):
            torch.testing.assert_close(got, mean, atol=1e-6, rtol=1e-5)


def test_cost_follows_the_number_of_writes_and_not_the_size_of_the_ids() -> None:
    """In the research code a decode step in message 400 costs 400 writes."""
    ids: Tensor = torch.tensor([[400_000_000, 400_000_001]])
    assert Segments.from_ids(ids, ids >= 0).mean(torch.zeros(1, 2, 3)).shape == (1, 2, 3)


def test_nothing_active_and_nothing_at_all_are_no_writes() -> None:
    for ids in (torch.full((2, 4), -1), torch.zeros(2, 0, dtype=torch.int64)):
        segments = Segments.from_ids(ids, ids >= 0)
        assert not segments.present.any()
        assert segments.mean(torch.zeros(*ids.shape, 3)).shape[0] == 2
