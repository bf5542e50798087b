"""Turns as tokens, and the forward passes that write several of them. Knows no questions and draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dmem_agents.backbones import as_additive


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One turn as tokens."""

    ids: tuple[int, ...]
    written: tuple[bool, ...]
    """Whether a token is written; template preambles and system prompts are only read."""
    message_ids: tuple[int, ...]
    sentence_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WritePass:
    """One writing forward over the b conversations that go on; several turns lie side by side, unseen by each other."""

    rows: Tensor
    """`[b]` int64: which of the batch's conversations these are."""
    ids: Tensor
    """`[b, T]`."""
    positions: Tensor
    """`[b, T]`, counted from 0 in each turn."""
    turn: Tensor
    """`[b, T]` int64: which turn a token belongs to; −1 on padding."""
    write_mask: Tensor
    """`[b, T]` bool."""
    message_ids: Tensor
    """`[b, T]`, −1 = not written; used by the segment granularities."""
    sentence_ids: Tensor
    """`[b, T]`."""

    def attention_mask(self, dtype: torch.dtype) -> Tensor:
        """Additive `[b, 1, T, T]`: causal inside a turn, nothing across turns; padding sees itself."""
        length = self.ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=self.ids.device).tril()
        same = self.turn.unsqueeze(2) == self.turn.unsqueeze(1)
        return as_additive((same & causal).unsqueeze(1), dtype)


def end_to_end(parts: Sequence[Tensor], writes: Sequence[WritePass], conversations: int, *, fill: int = 0) -> Tensor:
    """What write passes gave, `[b, T, ...]` each, side by side for all conversations `[B, ΣT, ...]`, else `fill`."""
    whole = [part.new_full((conversations, *part.shape[1:]), fill) for part in parts]
    filled = [w.index_copy(0, one.rows, part) for w, one, part in zip(whole, writes, parts, strict=True)]
    return torch.cat(filled, dim=1)


def in_parts(turns: Sequence[Block], tokens: int) -> list[list[Block]]:
    """Consecutive turns, as many together as fit into so many tokens, at least one."""
    parts: list[list[Block]] = []
    room = 0
    for turn in turns:
        room -= len(turn.ids)
        if not parts or room < 0:
            parts.append([])
            room = tokens - len(turn.ids)
        parts[-1].append(turn)
    return parts
