"""Episodes as tensors: what the memory absorbs, and the questions that are asked of it afterwards.

Uses the very rendering that serving uses (`tokenization.ChatTokenizer`), turn by turn: a turn never sees an earlier
turn's text, only its state. Knows nothing of losses or optimisers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.tokenization import ChatTokenizer, segment_ids
from dmem_agents.train.data import Episode
from dmem_agents.train.data.tables.systems import system_prompt
from dmem_agents.train.ordinary_text import OrdinaryText
from dmem_agents.train.write_passes import Block, WritePass, end_to_end, in_parts

IGNORE = -100
_PASS_TOKENS = 128
"""What a further forward pass costs, in tokens."""
_WRITE_TOKENS = 128
"""Turns lie side by side in one write pass up to this length: attention grows with its square."""
_COMPARED = 48
"""Most places of one row of ordinary text that are compared, its last: each needs the whole vocabulary twice."""
_UNTOLD = ("... You haven't told me", "haven't told me")
"""What decides an answer that holds no value, the first of these that is there."""
_UNTOLD_PLACE = ("...",)
"""What such an answer has in a value's place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingBatch:
    """Conversations to absorb and questions to answer from their states alone."""

    writes: tuple[WritePass, ...]
    """In order; per-token granularity needs a pass for some turns together, segments one per turn."""
    prefix: Tensor
    """`[P]`: what every question's prompt opens with and nobody writes, such as a system prompt; P may be 0."""
    read_ids: Tensor
    """`[Q, T]`, left-padded: the rest of the visible messages and the target answer."""
    read_mask: Tensor
    """`[Q, T]` int64, 0 on padding."""
    read_write_mask: Tensor
    """`[Q, T]` bool: tokens written during the read pass; all False in rows with a frozen state."""
    labels: Tensor
    """`[Q, K]`: targets of the last K positions, −100 where there is none."""
    label_weights: Tensor
    """`[Q, K]` float32: 1, or on the labels that the collator's `value_weight` names that; 0 without a label."""
    asks: Tensor
    """`[Q, K]` int64: labels that are tokens of the answer's value, or of the "..." in its stead, and looked for before
    them: 1 on the last one, 2 on the one before it and so on; 0 elsewhere."""
    told: Tensor
    """`[Q, ΣT]` int64, over the write passes end to end: tokens of the asked value, numbered likewise; 0 elsewhere."""
    untold: Tensor
    """`[Q]` bool: questions for what was never said."""
    conversation: Tensor
    """`[Q]` int64: whose state a question reads."""
    reconstruct: Tensor
    """`[Q]` bool: repeat-what-you-heard rows, weighed on their own."""
    ordinary_ids: Tensor
    """`[P, T]`, left-padded: text that has nothing to do with any state; P may be 0."""
    ordinary_mask: Tensor
    """`[P, T]` int64, 0 on padding."""
    ordinary_write_mask: Tensor
    """`[P, T]` bool: tokens written while it is read; all False in rows with a frozen state."""
    ordinary_compared: Tensor
    """`[P, K]` bool: which of the predictions after the last K tokens count."""
    teacher_ids: Tensor
    """`[Q, T]`, left-padded: everything that was told, the question and its answer; 0 rows without distillation."""
    teacher_mask: Tensor
    """`[Q, T]` int64, 0 on padding."""

    @property
    def conversations(self) -> int:
        """B: conversations that were told something, or are asked."""
        return 1 + max(int(rows.max()) for rows in (self.conversation, *(one.rows for one in self.writes)))

    def to(self, device: torch.device | str) -> Self:
        """The same batch on a device."""
        moved: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved["writes"] = tuple(
            WritePass(**{f.name: getattr(w, f.name).to(device) for f in fields(WritePass)}) for w in self.writes
        )
        moved |= {name: x.to(device) for name, x in moved.items() if isinstance(x, Tensor)}
        return type(self)(**moved)

    def questions(self, rows: Tensor) -> Self:
        """Only these questions (indices `[n]`), with no more padding than they need."""
        tokens = int(self.read_mask[rows].sum(dim=1).max())
        kept = int((self.labels[rows] != IGNORE).sum(dim=1).max())
        taught = int(self.teacher_mask[rows].sum(dim=1).max()) if len(self.teacher_mask) else 0
        return replace(
            self,
            read_ids=self.read_ids[rows, -tokens:],
            read_mask=self.read_mask[rows, -tokens:],
            read_write_mask=self.read_write_mask[rows, -tokens:],
            labels=self.labels[rows, -kept:],
            label_weights=self.label_weights[rows, -kept:],
            asks=self.asks[rows, -kept:],
            told=self.told[rows],
            untold=self.untold[rows],
            conversation=self.conversation[rows],
            reconstruct=self.reconstruct[rows],
            teacher_ids=self.teacher_ids[rows, -taught:] if taught else self.teacher_ids,
            teacher_mask=self.teacher_mask[rows, -taught:] if taught else self.teacher_mask,
        )

    def by_length(self) -> tuple[Tensor, ...]:
        """Indices of short and of long questions, where two forward passes hold less padding than one."""
        lengths, order = self.read_mask.sum(dim=1).sort()
        count = torch.arange(1, len(order), device=order.device)
        cost = count * lengths[:-1] + (len(order) - count) * lengths[-1]
        further = _PASS_TOKENS + len(self.prefix) * self.conversations
        if not len(count) or int(cost.min()) + further > len(order) * int(lengths[-1]):
            return (order,)
        cut = int(cost.argmin()) + 1
        return order[:cut], order[cut:]


@dataclass(frozen=True, kw_only=True, slots=True)
class Collator:
    """Groups episodes that share a past into conversations and makes tensors of them.

    Raises:
        ConfigError: an episode without a target answer, or one longer than `max_tokens`.
    """

    tokenizer: ChatTokenizer
    by_turn: bool = False
    """One write pass per turn, as the segment granularities need."""
    system_share: float = 0.0
    """In how many batches every turn and question shows a system prompt, as that of an agent's author."""
    preamble_share: float = 0.8
    """In how many of the others the system prompt that a template adds by itself is kept, as serving always does."""
    online_share: float = 0.3
    """How many questions are asked, and ordinary rows read, with writes on, as in a live turn."""
    join_share: float = 0.3
    """How often a user message shares its turn with the one before, as when several are absorbed at once."""
    value_weight: float = 1.0
    """Weight of an answer's value tokens, or of "haven't told me", and of its first word, against its other tokens."""
    max_tokens: int = 2048
    """Longest conversation or question, in tokens."""
    pad_id: int = 0
    """Id on padded places; never seen by the model."""
    ordinary: OrdinaryText | None = None
    """Where rows of ordinary text come from."""
    ordinary_rows: int = 0
    """How many of them a batch has."""
    teacher: bool = False
    """Whether a batch also holds what a teacher with the whole text in its prompt would see."""

    def __call__(self, episodes: Sequence[Episode], rng: random.Random) -> TrainingBatch:
        """Tensors of these episodes; `rng` draws what the shares leave open."""
        pasts: dict[tuple[Message, ...], int] = {}
        for episode in episodes:
            pasts.setdefault(episode.written, len(pasts))
        # One choice per batch: a single row with a system prompt would pad all others to its length.
        system = system_prompt(rng, "train") if rng.random() < self.system_share else ""
        preamble = rng.random() < self.preamble_share
        conversations = [
            [self._block(_under(system, turn), preamble) for turn in self._turns(past, rng)] for past in pasts
        ]
        asked = [replace(e, visible=_under(system, e.visible)) for e in episodes]
        reads: dict[str, Any] = self._reads(asked, rng, preamble)
        writes = self._write_passes(conversations)
        conversation = [pasts[e.written] for e in episodes]
        return TrainingBatch(
            writes=writes,
            told=self._told(writes, episodes, conversation),
            untold=torch.tensor([e.task == "unknown" for e in episodes]),
            conversation=torch.tensor(conversation),
            reconstruct=torch.tensor([e.task == "reconstruct" for e in episodes]),
            **reads,
            **self._ordinary(rng),
        )

    def _ordinary(self, rng: random.Random) -> dict[str, Tensor]:
        rows = [self.ordinary.sample(rng) for _ in range(self.ordinary_rows)] if self.ordinary else []
        length = max((len(row.ids) for row in rows), default=0)
        counts = [min(len(row.ids) - row.first, _COMPARED) for row in rows]
        kept = max(counts, default=0)
        ids = [[self.pad_id] * (length - len(row.ids)) + list(row.ids) for row in rows]
        mask = [[0] * (length - len(row.ids)) + [1] * len(row.ids) for row in rows]
        online = [rng.random() < self.online_share for _ in rows]
        written = [[bool(token) and on for token in row] for row, on in zip(mask, online, strict=True)]
        compared = [[False] * (kept - count) + [True] * count for count in counts]
        return {
            "ordinary_ids": torch.tensor(ids, dtype=torch.int64).view(len(rows), length),
            "ordinary_mask": torch.tensor(mask, dtype=torch.int64).view(len(rows), length),
            "ordinary_write_mask": torch.tensor(written, dtype=torch.bool).view(len(rows), length),
            "ordinary_compared": torch.tensor(compared, dtype=torch.bool).view(len(rows), kept),
        }

    def _turns(self, written: Sequence[Message], rng: random.Random) -> list[list[Message]]:
        turns: list[list[Message]] = []
        for message in written:
            follows_user = bool(turns) and turns[-1][-1].role == "user"
            starts = message.role == "user" and not (follows_user and rng.random() < self.join_share)
            if starts or not turns:
                turns.append([message])
            else:
                turns[-1].append(message)
        return turns

    def _block(self, turn: Sequence[Message], preamble: bool) -> Block:
        rendered = self.tokenizer.render(turn, add_generation_prompt=False)
        start = 0 if preamble else _preamble(rendered.message_index)
        told = {i for i, m in enumerate(turn) if m.role != "system"}
        messages, sentences = segment_ids(rendered, turn, told)
        return Block(
            ids=rendered.input_ids[start:],
            written=tuple(i in told for i in rendered.message_index[start:]),
            message_ids=tuple(messages[start:]),
            sentence_ids=tuple(sentences[start:]),
        )

    def _write_passes(self, conversations: list[list[Block]]) -> tuple[WritePass, ...]:
        parts = [in_parts(c, 0 if self.by_turn else _WRITE_TOKENS) for c in conversations]
        passes = []
        for number in range(max(map(len, parts), default=0)):
            going = {row: part[number] for row, part in enumerate(parts) if number < len(part)}
            passes.append(self._write_pass(list(going), list(going.values())))
        return tuple(passes)

    def _write_pass(self, conversations: list[int], rows: list[list[Block]]) -> WritePass:
        length = max(sum(len(b.ids) for b in row) for row in rows)
        self._check_length(length, "the written messages of an episode")

        def padded(values: list[list[int]], fill: int) -> Tensor:
            return torch.tensor([v + [fill] * (length - len(v)) for v in values], dtype=torch.int64).view(
                len(rows), length
            )

        return WritePass(
            rows=torch.tensor(conversations),
            ids=padded([[i for b in row for i in b.ids] for row in rows], self.pad_id),
            positions=padded([[p for b in row for p in range(len(b.ids))] for row in rows], 0),
            turn=padded([[n for n, b in enumerate(row) for _ in b.ids] for row in rows], -1),
            write_mask=padded([[int(w) for b in row for w in b.written] for row in rows], 0).bool(),
            message_ids=padded([[i for b in row for i in b.message_ids] for row in rows], -1),
            sentence_ids=padded([[i for b in row for i in b.sentence_ids] for row in rows], -1),
        )

    def _reads(self, episodes: Sequence[Episode], rng: random.Random, preamble: bool) -> dict[str, Tensor]:
        rows: list[tuple[list[int], list[int], list[bool]]] = []
        prefixes: list[list[int]] = []
        taught: list[list[int]] = []
        for episode in episodes:
            prompt = self.tokenizer.render(episode.visible, add_generation_prompt=True)
            whole = self.tokenizer.render([*episode.visible, episode.target], add_generation_prompt=False)
            answer = list(whole.input_ids[len(prompt.input_ids) :])
            ends = [i for i, token in enumerate(answer) if token in self.tokenizer.eos_ids]
            answer = answer[: ends[-1] + 1] if ends else answer
            if not answer or whole.input_ids[: len(prompt.input_ids)] != prompt.input_ids:
                raise ConfigError(
                    f"Expected a target answer after the question of a {episode.task} episode, found none to train on."
                )
            start = 0 if preamble else _preamble(prompt.message_index)
            ids = [*prompt.input_ids[start:], *answer]
            online = rng.random() < self.online_share
            system = {i for i, m in enumerate(episode.visible) if m.role == "system"}
            index = whole.message_index[start : start + len(ids)]
            rows.append((ids, answer, [online and i not in system and i >= 0 for i in index]))
            asks = (n for n, i in enumerate(index) if i >= 0 and i not in system)
            prefixes.append(ids[: next(asks, 0)])
            if self.teacher:
                taught.append([*self._with_everything(episode), *answer])
        prefix = prefixes[0] if all(p == prefixes[0] for p in prefixes) else []
        rows = [(ids[len(prefix) :], answer, written[len(prefix) :]) for ids, answer, written in rows]
        length, kept = max(len(r[0]) for r in rows), max(len(r[1]) for r in rows)
        self._check_length(len(prefix) + length, "a question and its answer")

        def marked(marks: Callable[[Sequence[int], Sequence[str]], list[bool]], instead: tuple[str, ...]) -> Tensor:
            values = [(e.value,) if e.value else instead for e in episodes]
            return torch.tensor(
                [[False] * (kept - len(a)) + marks(a, v) for (_, a, _), v in zip(rows, values, strict=True)]
            )

        spelling = marked(self._spelling, _UNTOLD_PLACE)
        labelled = torch.tensor([[0.0] * (kept - len(a)) + [1.0] * len(a) for _, a, _ in rows])
        longest = max(map(len, taught), default=0)
        self._check_length(longest, "all that was told, a question and its answer")
        return {
            "prefix": torch.tensor(prefix, dtype=torch.int64),
            "read_ids": torch.tensor([[self.pad_id] * (length - len(i)) + i for i, _, _ in rows]),
            "read_mask": torch.tensor([[0] * (length - len(i)) + [1] * len(i) for i, _, _ in rows]),
            "read_write_mask": torch.tensor([[False] * (length - len(w)) + w for _, _, w in rows]),
            "labels": torch.tensor([[IGNORE] * (kept - len(a)) + a for _, a, _ in rows]),
            "label_weights": torch.where(marked(self._decisive, _UNTOLD), self.value_weight, 1.0) * labelled,
            "asks": spelling.flip(1).cumsum(dim=1).flip(1) * spelling,
            "teacher_ids": torch.tensor(
                [[self.pad_id] * (longest - len(i)) + i for i in taught], dtype=torch.int64
            ).view(len(taught), longest),
            "teacher_mask": torch.tensor(
                [[0] * (longest - len(i)) + [1] * len(i) for i in taught], dtype=torch.int64
            ).view(len(taught), longest),
        }

    def _with_everything(self, episode: Episode) -> Sequence[int]:
        """The prompt of a model that has no memory and is given the whole text."""
        system = [m for m in episode.visible if m.role == "system"]
        asked = [m for m in episode.visible if m.role != "system"]
        return self.tokenizer.render([*system, *episode.written, *asked], add_generation_prompt=True).input_ids

    def _told(self, writes: Sequence[WritePass], episodes: Sequence[Episode], conversation: Sequence[int]) -> Tensor:
        """Which written tokens spell the asked value, as a word inside a sentence or at its start."""
        length = sum(one.ids.shape[1] for one in writes)
        told = torch.zeros(len(episodes), length, dtype=torch.int64)
        if not length:
            return told
        shown = [one.ids.masked_fill(~one.write_mask, -1) for one in writes]
        pasts = end_to_end(shown, writes, max(conversation) + 1, fill=-1).tolist()
        for row, (episode, past) in enumerate(zip(episodes, conversation, strict=True)):
            if not episode.value:
                continue
            opening = episode.value[:1].upper() + episode.value[1:]  # as a sentence writes it that begins with it
            for text in (f" {episode.value}", episode.value, opening):
                spelt = self.tokenizer.encode(text)
                for start in range(length - len(spelt) + 1):
                    if pasts[past][start : start + len(spelt)] == spelt:
                        told[row, start : start + len(spelt)] = torch.arange(len(spelt), 0, -1)
        return told

    def _decisive(self, answer: Sequence[int], values: Sequence[str]) -> list[bool]:
        """Tokens that hold a part of the first of these values that is there, or of the first word.

        The first word decides whether an answer holds a value ("Your …", "You haven't …").
        """
        value = self._spelling(answer, values)
        if not any(value):
            return value
        word = self._spelling(answer, self.tokenizer.decode(answer).split(maxsplit=1)[:1])
        return [a or b for a, b in zip(value, word, strict=True)]

    def _spelling(self, answer: Sequence[int], values: Sequence[str]) -> list[bool]:
        """Tokens that hold a part of the first of these values that is there."""
        text = self.tokenizer.decode(answer)
        value = next((value for value in values if value in text), "")
        start = text.find(value)
        ends = [len(self.tokenizer.decode(answer[: i + 1])) for i in range(len(answer))]
        return [begin < start + len(value) and end > start for begin, end in zip([0, *ends], ends, strict=False)]

    def _check_length(self, length: int, what: str) -> None:
        if length > self.max_tokens:
            raise ConfigError(
                f"Expected {what} within max_tokens = {self.max_tokens}, got {length} tokens. Raise it or shorten them."
            )


def _under(system: str, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages under a system prompt, unless there is none or they have their own."""
    if not system or any(m.role == "system" for m in messages):
        return tuple(messages)
    return (Message(role="system", content=system), *messages)


def _preamble(message_index: Sequence[int]) -> int:
    """Tokens before the first message that the template added by itself."""
    return next((i for i, m in enumerate(message_index) if m >= 0), 0)
