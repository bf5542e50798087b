"""Keys and values of the rows that decode together: preallocated, one slot per row, ends aligned.

Row i holds the columns from `end − lengths[i]` to `end` of its slot, so that one slice serves every row and a 2-D mask
says where a shorter row begins: what every attention implementation of transformers understands. Rows join and leave
between steps without the others being copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

KVCache = Cache
"""What the backbone keeps of the tokens it has seen."""
_ROOM = 64
"""Columns kept free for what will be generated when a buffer is made."""


def keys_values(cache: Cache) -> list[tuple[Tensor, Tensor]]:
    """Each attention layer's keys and values, `[B, heads, columns, d]` each."""
    layers = cast("list[CacheLayerMixin]", cache.layers)
    return [(cast(Tensor, layer.keys), cast(Tensor, layer.values)) for layer in layers]


def dynamic_cache(pairs: Sequence[tuple[Tensor, Tensor]]) -> DynamicCache:
    """A cache that goes on from copies of these."""
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(pairs):
        cache.update(keys, values, layer)
    return cache


class SlotCache(Cache):
    """A KV cache whose rows come and go. One column more per `reserve`, forward pass and `advance`.

    Args:
        slots: most rows.
        layers: attention layers of the backbone.
        keep_buffers: hold on to the memory when no row is left, for those who know its addresses.
    """

    def __init__(self, slots: int, layers: int, *, keep_buffers: bool = False) -> None:
        super().__init__(layers=[_SlotLayer(self, number) for number in range(layers)])
        self._slots = slots
        self._keep_buffers = keep_buffers
        self._capacity = 0
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self.end = 0
        self.lengths: list[int] = []
        """Tokens of each row."""

    @property
    def start(self) -> int:
        """First column that a row uses."""
        return self.end - max(self.lengths, default=0)

    @property
    def buffers(self) -> Sequence[tuple[Tensor, Tensor]]:
        """Each layer's keys and values `[slots, heads, capacity, d]`; other tensors when rows outgrew them."""
        return self._buffers

    @property
    def size_bytes(self) -> int:
        """What the buffers take."""
        return sum(buffer.nbytes for buffer in self._each())

    def mask(self, more: int = 0) -> Tensor | None:
        """`[rows, columns + more]` bool, False where a row has not begun; None when all are equally long."""
        width = self.end - self.start
        if all(length == width for length in self.lengths):
            return None
        begin = width - torch.tensor(self.lengths)
        return torch.arange(width + more) >= begin.unsqueeze(1)

    def join(self, joined: Cache, lengths: Sequence[int]) -> None:
        """Take in rows `[m, heads, P, d]` whose ends are aligned; their first columns may be padding.

        Args:
            joined: their keys and values.
            lengths: tokens of each, at most P.
        """
        pairs, width, first = keys_values(joined), max(lengths), len(self.lengths)
        self._require_room(max(width, self.end - self.start) + 1, pairs)
        if width > self.end:
            self._move(width)
        rows, columns = slice(first, first + len(lengths)), slice(self.end - width, self.end)
        for buffer, taken in zip(self._each(), chain.from_iterable(pairs), strict=True):
            buffer[rows, :, columns] = taken[:, :, -width:]
        self.lengths.extend(lengths)

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """One more column behind every row, `[rows, heads, 1, d]`; all columns so far, as views."""
        seen = slice(self.start, self.end + 1)
        for buffer, new in zip(self._buffers[layer], (keys, values), strict=True):
            buffer[: len(new), :, self.end : self.end + 1] = new
        own_keys, own_values = self._buffers[layer]
        return own_keys[: len(keys), :, seen], own_values[: len(keys), :, seen]

    def reserve(self) -> None:
        """Make room for what `put` adds next, which may need larger buffers."""
        self._require_room(self.end - self.start + 1, self._buffers)

    def advance(self) -> None:
        """The column that `put` filled in every layer belongs to the rows from now on."""
        self.end += 1
        self.lengths = [length + 1 for length in self.lengths]

    def keep(self, order: Sequence[int]) -> None:
        """Let rows go: row i becomes the former row `order[i]`. Only rows that change places are copied.

        What a row leaves is wiped: a NaN in it would reach the next row there, since attention multiplies what its mask
        hides by zero.
        """
        if not order and not self._keep_buffers:
            self.end, self._capacity, self._buffers, self.lengths = 0, 0, [], []
            return
        columns = slice(self.start, self.end)
        for place in set(range(len(self.lengths))) - set(order):
            for buffer in self._each():
                buffer[place, :, self.start : self.end + 1] = 0
        for place, source in enumerate(order):
            if place != source:  # a place that is overwritten belongs to a row that left or has moved before
                for buffer in self._each():
                    buffer[place, :, columns] = buffer[source, :, columns]
        self.lengths = [self.lengths[source] for source in order]
        if not order:
            self.end = 0

    def copy_of(self, rows: Sequence[int]) -> tuple[DynamicCache, list[int]]:
        """These rows as a cache of their own, ends aligned, and their lengths."""
        lengths = [self.lengths[row] for row in rows]
        columns = slice(self.end - max(lengths), self.end)
        index = list(rows)
        return dynamic_cache([(k[index, :, columns], v[index, :, columns]) for k, v in self._buffers]), lengths

    def _each(self) -> Sequence[Tensor]:
        return list(chain.from_iterable(self._buffers))

    def _require_room(self, columns: int, like: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Make buffers, or larger ones, or close the gap before the first row, so that `columns` fit."""
        if max(columns, self.end + 1) <= self._capacity:
            return
        width = self.end - self.start
        if columns + _ROOM <= self._capacity:
            self._move(width)
            return
        capacity = max(2 * self._capacity, columns + _ROOM)

        def enlarged(layer: int, which: int) -> Tensor:
            model = like[layer][which]
            new = model.new_zeros(self._slots, model.shape[1], capacity, model.shape[3])
            if self._buffers:
                new[:, :, :width] = self._buffers[layer][which][:, :, self.start : self.end]
            return new

        self._buffers = [(enlarged(layer, 0), enlarged(layer, 1)) for layer in range(len(like))]
        self.end, self._capacity = width, capacity

    def _move(self, end: int) -> None:
        """Shift all rows so that they end at another column."""
        width, rows = self.end - self.start, len(self.lengths)
        for buffer in self._each():
            buffer[:rows, :, end - width : end] = buffer[:rows, :, self.start : self.end].clone()
        self.end = end


class _SlotLayer(CacheLayerMixin):
    """One layer's place in the cache, for transformers; where its columns begin and end is the cache's to say."""

    is_sliding = False

    def __init__(self, owner: SlotCache, number: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        self._owner = owner
        self._number = number

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing: rows bring their buffers when they join."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Put one more column behind every row; all columns so far, as views."""
        return self._owner.put(self._number, key_states, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns that attention sees, and where they begin."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """Columns so far."""
        return self._owner.end - self._owner.start

    def get_max_length(self) -> int:
        """No bound of its own."""
        return -1
