"""Continuous batching: rows join and leave between steps. One thread's; knows no queue.

A row never sees another: padding is masked, positions count a row's own tokens, and states, write masks, grammars and
random generators are per row. Prompts come in by chunks, so that rows that run meanwhile don't wait for a long one.

What is written, and when, depends on the adapter's write granularity:

* `token`: every token reads, then writes, as it passes (delta-mem.md §1.3). When the answer is complete, the tokens
  that close the turn are fed as well. The final state belongs to the canonical form of the turn: where the tokens fed
  so far are not its beginning, the canonical form is run again from the start state.
* `message_mean`, `sentence_mean`: all tokens read the start state, and one pass over the canonical turn writes its
  segments. This deviates from the research session on purpose: there every fed token is a segment of its own and is
  read by the next, so the state depends on how the turn was cut into calls (delta-mem.md §9.6).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dmem_agents.engine.padding import left_padded
from dmem_agents.engine.prefill import Prefill
from dmem_agents.engine.prefix_cache import Prefix, PrefixCache
from dmem_agents.engine.requests import Prompt
from dmem_agents.engine.rows import Row
from dmem_agents.model import decode_graph
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.model.kv_cache import KVCache, SlotCache
from dmem_agents.state.memory_state import MemoryState, stack

CHUNK_TOKENS = 256
"""Prompt tokens between two steps of the rows that run."""
ALONE_TOKENS = 2048
"""The same when no row runs."""


class Scheduler:
    """All rows under way, those that decode in slots and those whose prompts are being fed.

    Args:
        model: runs them; no other thread may use it meanwhile.
        slots: most rows under way.
        prefix_bytes: what keys and values of turns that may go on may take.
    """

    def __init__(self, model: DeltaMemModel, *, slots: int, prefix_bytes: int = 0) -> None:
        self._model = model
        self._writes_by_token = model.config.memory_write_granularity == "token"
        self._slots = slots
        graphs = decode_graph.fits(model)
        self._decoder = decode_graph.DecodeGraphs(model) if graphs else model
        self._kv = SlotCache(slots, model.backbone.config.num_hidden_layers, keep_buffers=graphs)
        self._rows: list[Row] = []
        self._state: Tensor
        self._prefills: deque[Prefill] = deque()
        self._tries = 0
        self.prefixes = PrefixCache(prefix_bytes)

    @property
    def under_way(self) -> int:
        """Rows in slots, and prompts on their way in."""
        return len(self._rows) + sum(len(p.rows) for p in self._prefills)

    @property
    def free_slots(self) -> int:
        """Rows that could join."""
        return self._slots - self.under_way

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._rows and not self._prefills

    @property
    def kv_bytes(self) -> int:
        """Keys and values of the slots; prompts that are being fed and kept prefixes not counted."""
        return self._kv.size_bytes

    def admit(self, rows: Sequence[Row]) -> None:
        """Take rows in; there must be as many free slots."""
        together = []
        for row in rows:
            if row.request.sampling is None and not self._writes_by_token:
                self._write_only(row)
            elif (prefix := self._prefix_of(row)) is not None:
                self._begin([row], prefix)
            else:
                together.append(row)
        if together:
            self._begin(together)

    def step(self) -> None:
        """Feed a chunk of a prompt, if one waits, and one token of each running row. No exception leaves it.

        Of no kind: nobody above the engine's thread could handle an exit or an interrupt that some code in it raises,
        and the other agents' requests would end with it.
        """
        if self._prefills:
            self._feed_prompts()
        if self._rows:
            self._decode()

    def _begin(self, rows: Sequence[Row], prefix: Prefix | None = None) -> None:
        """Let prompts come in together; where that fails, each alone."""
        try:
            self._prefills.append(Prefill(self._model, rows, prefix))
        except BaseException as error:
            if len(rows) == 1:
                rows[0].fail(error)
                return
            for row in rows:
                self._begin([row])
        else:
            if prefix is not None:
                rows[0].cached_tokens = len(prefix.input_ids)

    def _prefix_of(self, row: Row) -> Prefix | None:
        if not (row.request.keep_prefix and self._writes_by_token and row.request.write):
            return None
        return self.prefixes.find(row.request.prompt, row.request.state)

    def _write_only(self, row: Row) -> None:
        try:
            row.finish(self._write_pass(row.request.prompt, row) if row.request.write else None)
        except BaseException as error:
            row.fail(error)

    def _feed_prompts(self) -> None:
        prefill = self._prefills[0]
        try:
            prefill.drop_cancelled()
            if prefill.rows:
                prefill.step(CHUNK_TOKENS if self._rows else ALONE_TOKENS)
            if prefill.rows and prefill.logits is None:
                return
            self._join(prefill)
        except BaseException as error:
            rows = [row for row in prefill.rows if not row.generation.future.done()]
            if len(rows) == 1:
                rows[0].fail(error)
            else:  # whose fault it is shows when each runs alone
                for row in rows:
                    self._begin([row])
        self._prefills.remove(prefill)

    def _join(self, prefill: Prefill) -> None:
        """Rows whose prompts are in begin to decode; those that only write are done."""
        staying = []
        for index, row in enumerate(prefill.rows):
            if row.request.sampling is None:
                row.finish(self._as_value(prefill.state[:, index]) if row.request.write else None)
            else:
                staying.append(index)
        if not staying:
            return
        rows = [prefill.rows[index] for index in staying]
        kept = torch.tensor(staying, device=self._model.device)
        if len(rows) < len(prefill.rows):
            prefill.cache.batch_select_indices(kept)
        assert prefill.logits is not None
        state, logits = prefill.state[:, kept], prefill.logits[kept]
        state = torch.cat([self._state, state], dim=1) if self._rows else state
        self._kv.join(prefill.cache, [len(row.request.prompt) for row in rows])
        self._state = state
        self._rows.extend(rows)
        self._choose(rows, logits)

    def _decode(self) -> None:
        """One more token for every running row."""
        device = self._model.device
        try:
            self._kv.reserve()
        except BaseException as error:  # no memory for one column more: the row that needs most of them goes
            longest = max(self._kv.lengths)
            self._rows[self._kv.lengths.index(longest)].fail(error)
            self._close_up()
            return
        try:
            mask = self._kv.mask(1)
            output = self._decoder(
                torch.tensor([[row.answer[-1]] for row in self._rows], device=device),
                state=self._state,
                attention_mask=None if mask is None else mask.long().to(device),
                position_ids=torch.tensor([[length] for length in self._kv.lengths], device=device),
                **self._writes([[row.writes_generated] for row in self._rows]),
                cache=self._kv,
                logits_to_keep=1,
            )
        except BaseException as error:
            self._isolate(error)
            return
        self._tries = 0
        self._state = output.state
        self._kv.advance()
        self._choose(self._rows, output.logits[:, -1])

    def _writes(self, mask: list[list[bool]]) -> dict[str, Any]:
        """What a forward is told about writing; nothing is written unless some token is."""
        write = self._writes_by_token and any(map(any, mask))
        return {"write": write, "write_mask": torch.tensor(mask, device=self._model.device) if write else None}

    def _isolate(self, error: BaseException) -> None:
        """After a step that failed: end the rows that fail alone too; if none does, try once more, then with fewer."""
        if len(self._rows) == 1:
            self._rows[0].fail(error)
        else:
            for index, row in enumerate(self._rows):
                try:
                    cache, lengths = self._kv.copy_of([index])
                except BaseException as own:  # its copy finds no memory: that says nothing of the row
                    error = own
                    continue
                try:
                    self._model(
                        torch.tensor([[row.answer[-1]]], device=self._model.device),
                        state=self._state[:, index : index + 1],
                        position_ids=torch.tensor([lengths], device=self._model.device),
                        **self._writes([[row.writes_generated]]),
                        cache=cache,
                        logits_to_keep=1,
                    )
                except BaseException as own:
                    row.fail(own)
            if not any(row.generation.future.done() for row in self._rows):
                self._tries += 1
                if self._tries > 1:  # too many for the device's memory, say: the last to come goes first
                    self._rows[-1].fail(error)
        self._close_up()

    def _choose(self, rows: Sequence[Row], logits: Tensor) -> None:
        """Take each row's next token `[B, V]`, and end the rows that are done."""
        for row, scores in zip(rows, logits, strict=True):
            if row.generation.cancelled:
                continue
            try:
                row.choose(scores)
            except BaseException as error:
                row.fail(error)
        self._close_up()

    def _close_up(self) -> None:
        """End the rows that are done or given up, and fill their slots with the last rows."""
        ending = []
        for index, row in enumerate(self._rows):
            if row.generation.cancelled:
                row.finish_cancelled()
            elif row.finish_reason is not None and not row.generation.future.done():
                ending.append(index)
        self._end(ending)
        staying = [i for i, row in enumerate(self._rows) if not row.generation.future.done()]
        if len(staying) == len(self._rows):
            return
        movers = [i for i in staying if i >= len(staying)]
        taken = set(staying)
        order = [i if i in taken else movers.pop() for i in range(len(staying))]
        self._rows = [self._rows[i] for i in order]
        self._kv.keep(order)
        if order:
            self._state = self._state[:, torch.tensor(order, device=self._model.device)]

    def _end(self, indices: Sequence[int]) -> None:
        """Resolve rows whose answer is complete."""
        feeding: list[tuple[int, Prompt, int]] = []
        for index in indices:
            row = self._rows[index]
            try:
                if not row.request.write:
                    row.finish(None)
                    continue
                canonical = row.closed()
                if not self._writes_by_token:
                    row.finish(self._write_pass(canonical or row.request.prompt, row))
                elif canonical is None:
                    row.finish(self._as_value(self._state[:, index]))
                elif (known := self._known(index, canonical)) is None:
                    row.finish(self._write_pass(canonical, row))
                else:
                    feeding.append((index, canonical, known))
            except BaseException as error:
                row.fail(error)
        alone = [item for item in feeding if self._rows[item[0]].request.keep_prefix]
        for group in [[item for item in feeding if item not in alone], *([item] for item in alone)]:
            if group:
                self._feed_rests(group)

    def _known(self, index: int, canonical: Prompt) -> int | None:
        """How many of the canonical turn's tokens were fed; None when others were."""
        row = self._rows[index]
        ids, write_mask = row.fed(self._kv.lengths[index] - len(row.request.prompt))
        known = len(ids)
        same = canonical.input_ids[:known] == ids and canonical.write_mask[:known] == write_mask
        return known if same else None

    def _feed_rests(self, group: Sequence[tuple[int, Prompt, int]]) -> None:
        """Run what canonical turns have beyond the tokens known, on copies of the rows' keys and values."""
        rows = [self._rows[index] for index, _, _ in group]
        try:
            states, cache = self._after_rests(group)
            for row, state in zip(rows, states.unbind(dim=1), strict=True):
                if row.request.keep_prefix:
                    (_, canonical, _), tokens = group[0], cache.get_seq_length()
                    self.prefixes.keep(canonical, row.request.state, tokens, state, cache)
                row.finish(self._as_value(state))
        except BaseException as error:
            if len(group) == 1:
                rows[0].fail(error)
                return
            for item in group:
                self._feed_rests([item])

    def _after_rests(self, group: Sequence[tuple[int, Prompt, int]]) -> tuple[Tensor, KVCache]:
        """States `[L, B, H, r, r]` after the canonical turns, and a cache; rests that write nothing are not fed."""
        device = self._model.device
        indices = [index for index, _, _ in group]
        state = self._state[:, torch.tensor(indices, device=device)]
        cache, lengths = self._kv.copy_of(indices)
        if not any(any(canonical.write_mask[known:]) for _, canonical, known in group):
            return state, cache
        rests = [canonical.input_ids[known:] for _, canonical, known in group]
        width = max(lengths)
        before = torch.arange(width) >= width - torch.tensor(lengths).unsqueeze(1)
        new = left_padded([(True,) * len(rest) for rest in rests], False, torch.device("cpu"))
        mask = torch.cat([before, new], dim=1)
        positions = torch.tensor(lengths).unsqueeze(1) + (new.long().cumsum(dim=1) - 1).clamp_min(0)
        output = self._model(
            left_padded(rests, 0, device),
            state=state,
            attention_mask=None if bool(mask.all()) else mask.long().to(device),
            position_ids=positions.to(device),
            write_mask=left_padded([canonical.write_mask[known:] for _, canonical, known in group], False, device),
            cache=cache,
            logits_to_keep=1,
        )
        return output.state, cache

    def _write_pass(self, prompt: Prompt, row: Row) -> MemoryState:
        """Write a whole turn from the row's start state, without a KV cache."""
        device = self._model.device
        output = self._model(
            torch.tensor([prompt.input_ids], device=device),
            state=stack([row.request.state]).to(device),
            write_mask=torch.tensor([prompt.write_mask], device=device),
            message_ids=torch.tensor([prompt.message_ids], device=device),
            sentence_ids=torch.tensor([prompt.sentence_ids], device=device),
            logits_to_keep=1,
        )
        return self._as_value(output.state[:, 0])

    def _as_value(self, state: Tensor) -> MemoryState:
        with torch.inference_mode(False):  # an inference tensor could not be used in training later
            return MemoryState(layout=self._model.layout, values=state)
