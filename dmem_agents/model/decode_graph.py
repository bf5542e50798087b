"""One token of every row as a CUDA graph that is captured once and replayed: a step costs one launch, not thousands.

Stands in for `DeltaMemModel` where rows decode together. A graph sees nothing but tensors that stay where they are, so
shapes are rounded up: rows to a power of two, the cache's columns by an eighth; what is too much is masked. Whatever
can't be captured runs as before, and the log says so once. Unmeasured on a GPU: docs/gpu.md.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from dmem_agents.backbones import as_additive
from dmem_agents.layers.projection import MemoryPass, active_pass
from dmem_agents.model.attach import DeltaMemModel, ForwardOutput
from dmem_agents.model.kv_cache import SlotCache

Outputs = tuple[Tensor, Tensor]
Capture = Callable[[Callable[[], Outputs]], tuple[Callable[[], None], Outputs]]
"""From a step that makes logits and states of tensors that stay: what repeats it, and where its results will lie."""
_WARM_UPS = 2
_LEAST_COLUMNS = 256
_MOST_GRAPHS = 32


def fits(model: DeltaMemModel) -> bool:
    """Whether this model's steps can be captured: on one CUDA device, with plain masks and no sliding windows."""
    config = model.backbone.config
    layer_types = getattr(config, "layer_types", None)
    slides = "sliding_attention" in layer_types if layer_types else bool(getattr(config, "sliding_window", None))
    return (
        {p.device.type for p in model.parameters()} == {"cuda"}
        and len({p.device for p in model.parameters()}) == 1
        and config._attn_implementation in ("sdpa", "eager")
        and not slides
    )


class DecodeGraphs:
    """Captured steps of one model over one `SlotCache`, called as the model is for one token of each row.

    Args:
        model: runs the steps; nothing else may use it meanwhile.
        capture: makes a step repeatable; by default CUDA's own.
    """

    def __init__(self, model: DeltaMemModel, *, capture: Capture | None = None) -> None:
        self._model = model
        self._capture = capture or _CudaCapture(model.device)
        self._graphs: dict[tuple[int, int, bool], _Graph] = {}
        self._buffer: weakref.ref[Tensor] | None = None
        self.works = True
        """Whether steps are captured; False from the first one that could not be."""

    def __call__(
        self,
        input_ids: Tensor,
        *,
        state: Tensor,
        attention_mask: Tensor | None,
        position_ids: Tensor,
        cache: SlotCache,
        write: bool = True,
        write_mask: Tensor | None = None,
        logits_to_keep: int = 1,
    ) -> ForwardOutput:
        """As `DeltaMemModel.forward`, for `[B, 1]` ids and the B rows of `cache`."""
        if self.works:
            try:
                graph = self._graph(len(input_ids), cache, write=write)
            except Exception as error:
                self.works = False
                self._graphs.clear()
                logging.getLogger(__name__).warning(
                    "Decoding runs without CUDA graphs, launch by launch, because capturing one failed: %s: %s",
                    type(error).__name__,
                    error,
                )
            else:
                logits, after = graph.replay(input_ids, state, position_ids, write_mask, cache)
                return ForwardOutput(logits=logits, state=after, cache=cache)
        output: ForwardOutput = self._model(
            input_ids,
            state=state,
            attention_mask=attention_mask,
            position_ids=position_ids,
            write=write,
            write_mask=write_mask,
            cache=cache,
            logits_to_keep=logits_to_keep,
        )
        return output

    def _graph(self, rows: int, cache: SlotCache, *, write: bool) -> _Graph:
        """The graph for so many rows and columns, made if there is none."""
        buffer = cache.buffers[0][0]
        if self._buffer is None or self._buffer() is not buffer:  # other memory than the graphs know
            self._graphs.clear()
            self._buffer = weakref.ref(buffer)
        slots, _, capacity, _ = buffer.shape
        key = (min(_power_of_two(rows), slots), min(_rounded(cache.end + 1), capacity), write)
        graph = self._graphs.pop(key, None) or _Graph(self._model, cache, *key, self._capture)
        self._graphs[key] = graph  # the last used comes last
        if len(self._graphs) > _MOST_GRAPHS:
            del self._graphs[next(iter(self._graphs))]
        return graph


class _Graph:
    """One captured step and the tensors that it reads.

    Args:
        model: what is captured.
        cache: whose buffers it reads and writes.
        rows: batch size; rows that are not there attend to themselves and write nothing.
        columns: of the cache, from the first.
        write: whether the memory is written.
        capture: see `DecodeGraphs`.
    """

    def __init__(
        self, model: DeltaMemModel, cache: SlotCache, rows: int, columns: int, write: bool, capture: Capture
    ) -> None:
        layers, *matrix = model.layout.shape
        self._inputs = _Inputs(
            ids=torch.zeros(rows, 1, dtype=torch.int64, device=model.device),
            positions=torch.zeros(rows, 1, dtype=torch.int64, device=model.device),
            begin=torch.zeros(rows, dtype=torch.int64, device=model.device),
            column=torch.full((1,), cache.end, dtype=torch.int64, device=model.device),
            state=torch.zeros(layers, rows, *matrix, dtype=torch.float32, device=model.device),
            write_mask=torch.zeros(rows, 1, dtype=torch.bool, device=model.device),
        )
        kv = [(keys[:rows, :, :columns], values[:rows, :, :columns]) for keys, values in cache.buffers]
        view = _StaticCache(kv, self._inputs.column)
        additive = model.backbone.config._attn_implementation == "eager"
        self._replay, self._outputs = capture(lambda: _step(model, self._inputs, view, columns, write, additive))

    def replay(
        self, ids: Tensor, state: Tensor, positions: Tensor, write_mask: Tensor | None, cache: SlotCache
    ) -> Outputs:
        """Logits `[B, 1, V]` and the next states, copied out, since the next replay overwrites them."""
        rows, inputs = len(ids), self._inputs
        inputs.ids[:rows] = ids
        inputs.positions[:rows] = positions
        inputs.state[:, :rows] = state
        inputs.state[:, rows:] = 0  # one that is not a number would leave its mark in a free slot
        inputs.column.fill_(cache.end)
        inputs.begin.fill_(cache.end)
        inputs.begin[:rows] = cache.end - positions[:, 0]  # a row's tokens so far lie right before the new one
        inputs.write_mask[:rows] = True if write_mask is None else write_mask
        self._replay()
        logits, after = self._outputs
        return logits[:rows].clone(), after[:, :rows].clone()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Inputs:
    """What a graph reads besides the weights and the KV cache."""

    ids: Tensor
    """`[R, 1]` int64."""
    positions: Tensor
    """`[R, 1]` int64: tokens that the row had before."""
    begin: Tensor
    """`[R]` int64, the row's first column."""
    column: Tensor
    """`[1]` int64, the new token's."""
    state: Tensor
    """`[L, R, H, r, r]` float32."""
    write_mask: Tensor
    """`[R, 1]` bool."""


def _step(
    model: DeltaMemModel, inputs: _Inputs, cache: _StaticCache, columns: int, write: bool, additive: bool
) -> Outputs:
    """Logits and next states of one token per row: device tensors alone, no number that a later step would change."""
    places = torch.arange(columns, device=model.device)
    seen = ((places >= inputs.begin[:, None]) & (places <= inputs.column))[:, None, None]  # [R, 1, 1, columns]
    current = MemoryPass(
        state=inputs.state, valid=None, write=write, write_mask=inputs.write_mask if write else None, segments=None
    )
    token = active_pass.set(current)
    try:
        output = model.backbone(
            input_ids=inputs.ids,
            attention_mask=as_additive(seen, model.backbone.dtype) if additive else seen,
            position_ids=inputs.positions,
            past_key_values=cache,
            use_cache=True,
        )
    finally:
        active_pass.reset(token)
    return output.logits, current.next_state()


class _StaticCache(Cache):
    """A `SlotCache`'s first rows and columns, for a step whose column is a tensor.

    Args:
        pairs: each layer's keys and values, `[R, heads, columns, d]`.
        column: `[1]` int64, where the new token goes.
    """

    def __init__(self, pairs: list[tuple[Tensor, Tensor]], column: Tensor) -> None:
        super().__init__(layers=[_StaticLayer(keys, values, column) for keys, values in pairs])


class _StaticLayer(CacheLayerMixin):
    """One layer's keys and values at an address that stays."""

    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor, column: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        self._pair = (keys, values)
        self._column = column

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing: the buffers are there."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Put the new token into its column; all columns, of which a mask hides what no row holds."""
        for buffer, new in zip(self._pair, (key_states, value_states), strict=True):
            buffer.index_copy_(2, self._column, new)
        return self._pair

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """All columns."""
        return self.get_max_length(), 0

    def get_seq_length(self) -> int:
        """Nobody's business: positions and mask are given."""
        return 0

    def get_max_length(self) -> int:
        """The columns."""
        return self._pair[0].shape[2]


class _CudaCapture:
    """CUDA's capture; graphs share one pool of memory.

    Args:
        device: where the step runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    def __call__(self, step: Callable[[], Outputs]) -> tuple[Callable[[], None], Outputs]:
        with torch.cuda.device(self._device):
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):  # kernels are compiled and workspaces made before, not inside
                for _ in range(_WARM_UPS):
                    step()
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            # Other threads may use CUDA meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                outputs = step()
        return graph.replay, outputs


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _rounded(columns: int) -> int:
    """Up to a multiple of an eighth of the power of two below: few sizes, and at most an eighth (or 255) too many."""
    step = max(_LEAST_COLUMNS, _power_of_two(columns) // 16)
    return -(-columns // step) * step
