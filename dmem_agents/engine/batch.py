"""Several requests in one forward pass each step: left-padded prompts, one KV cache, one state per row.

A row never sees another: padding is masked, positions count a row's own tokens, and states, write masks and
random generators are per row. Rows leave at the step after their last token; the rest of the batch closes
up.

What is written, and when, depends on the adapter's write granularity:

* `token`: every token reads, then writes, as it passes (delta-mem.md §1.3). When the answer is complete,
  the tokens that close the turn are fed as well. The final state belongs to the canonical form of the turn:
  where the tokens fed so far are not its beginning, the canonical form is run again from the start state.
* `message_mean`, `sentence_mean`: all tokens read the start state, and one pass over the canonical turn
  writes its segments. This deviates from the research session on purpose: there every fed token is a
  segment of its own and is read by the next, so the state depends on how the turn was cut into calls
  (delta-mem.md §9.6).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dmem_agents.engine.requests import Prompt
from dmem_agents.engine.rows import Row
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state.memory_state import MemoryState, stack


class Batch:
    """Rows that run together from their prompts to their ends.

    Args:
        model: runs them; no other thread may use it meanwhile.
        rows: at least one; either all generate or none does.
    """

    def __init__(self, model: DeltaMemModel, rows: Sequence[Row]) -> None:
        self._model = model
        self._rows = list(rows)
        self._writes_by_token = model.config.memory_write_granularity == "token"
        self._mask: Tensor
        self._state: Tensor
        self._cache: Any = None

    def run(self) -> None:
        """Resolve every row's future. An exception of the model fails the rows still in the batch."""
        self._drop_cancelled_prompts()
        try:
            if not self._rows:
                return
            if self._rows[0].request.sampling is None:
                self._write_only()
            else:
                self._generate()
        except Exception as error:
            for row in self._rows:
                row.fail(error)

    def _drop_cancelled_prompts(self) -> None:
        for row in self._rows:
            if row.generation.cancelled:
                row.finish_cancelled()
        self._rows = [row for row in self._rows if not row.generation.cancelled]

    def _write_only(self) -> None:
        states = self._write_pass([row.request.prompt for row in self._rows], self._start_states(self._rows))
        for row, state in zip(self._rows, states, strict=True):
            row.finish(state if row.request.write else None)

    def _generate(self) -> None:
        """Prefill, then one token per row and step until no row is left."""
        prompts = [row.request.prompt for row in self._rows]
        self._state = self._start_states(self._rows)
        ids, self._mask, write_mask = _padded(prompts, self._model.device)
        writes = torch.tensor([row.request.write for row in self._rows], device=ids.device)
        logits = self._forward(ids, write_mask & writes.unsqueeze(1), cache=None)
        while True:
            self._choose(logits)
            self._finish_rows()
            if not self._rows:
                return
            ids = torch.tensor([[row.answer[-1]] for row in self._rows], device=self._model.device)
            self._mask = torch.cat([self._mask, torch.ones_like(ids, dtype=torch.bool)], dim=1)
            written = torch.tensor([[row.writes_generated] for row in self._rows], device=ids.device)
            logits = self._forward(ids, written, cache=self._cache)

    def _forward(self, ids: Tensor, write_mask: Tensor, *, cache: Any) -> Tensor:
        """Feed `[B, T]` more tokens; logits `[B, V]` of the last ones."""
        write = self._writes_by_token and bool(write_mask.any())
        positions = (self._mask.long().cumsum(dim=1) - 1).clamp_min(0)[:, -ids.shape[1] :]
        output = self._model(
            ids,
            state=self._state,
            attention_mask=None if bool(self._mask.all()) else self._mask.long(),
            position_ids=positions,
            write=write,
            write_mask=write_mask if write else None,
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._state, self._cache = output.state, output.cache
        logits: Tensor = output.logits[:, -1]
        return logits

    def _choose(self, logits: Tensor) -> None:
        for index, row in enumerate(self._rows):
            if row.generation.cancelled:
                continue
            try:
                row.choose(logits[index])
            except Exception as error:
                row.fail(error)

    def _finish_rows(self) -> None:
        """End the rows that are done, one by one, and close up."""
        staying = []
        for index, row in enumerate(self._rows):
            if row.generation.future.done():
                continue
            if row.generation.cancelled:
                row.finish_cancelled()
            elif row.finish_reason is None:
                staying.append(index)
            else:
                try:
                    row.finish(self._final_state(index, row) if row.request.write else None)
                except Exception as error:
                    row.fail(error)
        if len(staying) == len(self._rows):
            return
        self._rows = [self._rows[index] for index in staying]
        if staying:
            kept = torch.tensor(staying, device=self._model.device)
            self._mask, self._state = self._mask[kept], self._state[:, kept]
            self._cache.batch_select_indices(kept)

    def _final_state(self, index: int, row: Row) -> MemoryState:
        """The state after the canonical turn: by feeding what is missing, or by running it again."""
        ids, write_mask = row.fed(int(self._mask[index].sum()) - len(row.request.prompt))
        canonical = row.closed()
        if self._writes_by_token:
            if canonical is None:
                return self._as_value(self._state[:, index])
            known = len(ids)
            if canonical.input_ids[:known] == ids and canonical.write_mask[:known] == write_mask:
                return self._feed_rest(index, canonical, known)
        if canonical is None:
            canonical = row.request.prompt
        return self._write_pass([canonical], self._start_states([row]))[0]

    def _feed_rest(self, index: int, canonical: Prompt, known: int) -> MemoryState:
        """Run what the canonical turn has beyond its first `known` tokens, on the row's own KV cache."""
        if not any(canonical.write_mask[known:]):
            return self._as_value(self._state[:, index])
        device = self._model.device
        only = torch.tensor([index], device=device)
        ids = torch.tensor([canonical.input_ids[known:]], device=device)
        mask = torch.cat([self._mask[only], torch.ones_like(ids, dtype=torch.bool)], dim=1)
        output = self._model(
            ids,
            state=self._state[:, only],
            attention_mask=None if bool(mask.all()) else mask.long(),
            position_ids=torch.arange(known, known + ids.shape[1], device=device).unsqueeze(0),
            write_mask=torch.tensor([canonical.write_mask[known:]], device=device),
            cache=self._cache if len(self._rows) == 1 else _rows_of(self._cache, only),
            logits_to_keep=1,
        )
        return self._as_value(output.state[:, 0])

    def _write_pass(self, prompts: Sequence[Prompt], states: Tensor) -> list[MemoryState]:
        """Write whole prompts from their start states `[L, B, H, r, r]`, without a KV cache."""
        device = self._model.device
        ids, mask, write_mask = _padded(prompts, device)
        output = self._model(
            ids,
            state=states,
            attention_mask=None if bool(mask.all()) else mask.long(),
            position_ids=(mask.long().cumsum(dim=1) - 1).clamp_min(0),
            write_mask=write_mask,
            message_ids=_left_padded([p.message_ids for p in prompts], -1, device),
            sentence_ids=_left_padded([p.sentence_ids for p in prompts], -1, device),
            logits_to_keep=1,
        )
        return [self._as_value(state) for state in output.state.unbind(dim=1)]

    def _start_states(self, rows: Sequence[Row]) -> Tensor:
        return stack([row.request.state for row in rows]).to(self._model.device)

    def _as_value(self, state: Tensor) -> MemoryState:
        with torch.inference_mode(False):  # an inference tensor could not be used in training later
            return MemoryState(layout=self._model.layout, values=state)


def _padded(prompts: Sequence[Prompt], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, validity and write mask, `[B, T]` each, aligned at their ends."""
    ids = _left_padded([p.input_ids for p in prompts], 0, device)
    mask = _left_padded([(1,) * len(p) for p in prompts], 0, device).bool()
    return ids, mask, _left_padded([p.write_mask for p in prompts], 0, device).bool()


def _left_padded(rows: Sequence[Sequence[int]], filler: int, device: torch.device) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[filler] * (width - len(row)) + list(row) for row in rows], device=device)


def _rows_of(cache: Any, rows: Tensor) -> Any:
    """A KV cache of these batch rows; the cache it was taken from stays as it is."""
    taken = copy.copy(cache)
    taken.layers = [copy.copy(layer) for layer in cache.layers]
    taken.batch_select_indices(rows)
    return taken
