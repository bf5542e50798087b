"""Prompts on their way in: several rows, chunk by chunk, until each can choose its first token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dmem_agents.engine.padding import left_padded
from dmem_agents.engine.prefix_cache import Prefix
from dmem_agents.engine.rows import Row
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.model.kv_cache import KVCache, dynamic_cache
from dmem_agents.state.memory_state import stack

_LEAST_COLUMNS = 16


class Prefill:
    """Rows whose prompts are fed together, left-padded; their state and cache are theirs alone.

    Args:
        model: runs them.
        rows: at least one; exactly one when there is a prefix.
        prefix: what the row's prompt goes on from.
    """

    def __init__(self, model: DeltaMemModel, rows: Sequence[Row], prefix: Prefix | None = None) -> None:
        device = model.device
        self._model = model
        self.rows = list(rows)
        self._fed = 0
        if prefix is None:
            self.cache: KVCache = dynamic_cache(())
            self.state = stack([row.request.state for row in rows]).to(device)
        else:
            self._fed = len(prefix.input_ids)
            self.cache, self.state = prefix.cache(), prefix.state.unsqueeze(1).to(device)
        prompts = [row.request.prompt for row in rows]
        self._ids = left_padded([p.input_ids for p in prompts], 0, device)
        self._valid = left_padded([(True,) * len(p) for p in prompts], False, device)
        writes = [[w and row.request.write for w in row.request.prompt.write_mask] for row in rows]
        self._write_mask = left_padded(writes, False, device)
        self.logits: Tensor | None = None
        """`[B, V]` after the last token; None while there is more to feed."""

    def drop_cancelled(self) -> None:
        """Let rows go that nobody waits for."""
        staying = [i for i, row in enumerate(self.rows) if not row.generation.cancelled]
        if len(staying) == len(self.rows):
            return
        for row in self.rows:
            if row.generation.cancelled:
                row.finish_cancelled()
        self.rows = [self.rows[i] for i in staying]
        if not staying:
            return
        kept = torch.tensor(staying, device=self._model.device)
        self.state = self.state[:, kept]
        self._ids, self._valid, self._write_mask = self._ids[kept], self._valid[kept], self._write_mask[kept]
        if self._fed:
            self.cache.batch_select_indices(kept)

    def step(self, most_tokens: int) -> None:
        """Feed the next columns, about `most_tokens` tokens over all rows."""
        columns = max(_LEAST_COLUMNS, most_tokens // len(self.rows))
        until = min(self._fed + columns, self._ids.shape[1])
        now, seen = slice(self._fed, until), self._valid[:, :until]
        write_mask = self._write_mask[:, now]
        write = self._model.config.memory_write_granularity == "token" and bool(write_mask.any())
        output = self._model(
            self._ids[:, now],
            state=self.state,
            attention_mask=None if bool(seen.all()) else seen.long(),
            position_ids=(seen.long().cumsum(dim=1) - 1).clamp_min(0)[:, now],
            write=write,
            write_mask=write_mask if write else None,
            cache=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.state, self._fed = output.state, until
        if until == self._ids.shape[1]:
            self.logits = output.logits[:, -1]
