"""Which of the incoming messages are new, from which state they are absorbed, and which are shown.

Pure logic over message digests. Knows nothing of tokens, states or stores.

Words: *head* is the state after the last absorbed message, *base* the state before the current turn. A turn
opens with a user message that no user message precedes, and reaches up to the next such message: the
answer, tool calls and tool results are part of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from dmem_agents.errors import ConfigError, HistoryDivergedError, MessageError, StateError
from dmem_agents.messages import Message

MAX_DIGESTS = 512
"""So many digests of absorbed messages are kept."""

OnDivergence = Literal["absorb_new", "rebuild", "error"]
Start = Literal["head", "base", "empty"]
_OWN, _ASKED = 0x01, 0x02


@dataclass(frozen=True, kw_only=True, slots=True)
class Watermark:
    """How far an agent's state has come. Raises `StateError` for counts that contradict each other."""

    digests: tuple[bytes, ...] = ()
    """Digests of the last absorbed messages, oldest first. The lowest bit of each: whether the agent itself said it;
    the next: whether it was put as a question, to be answered by a call to come."""
    absorbed: int = 0
    """Messages absorbed in all; more than `digests` holds once the oldest were dropped."""
    turn_length: int = 0
    """How many of the absorbed messages head stands for and base does not."""

    def __post_init__(self) -> None:
        if not 0 <= self.turn_length <= self.absorbed or len(self.digests) > self.absorbed:
            raise StateError(
                f"Expected at most as many digests ({len(self.digests)}) and messages of the current turn "
                f"({self.turn_length}) as absorbed messages, got {self.absorbed} absorbed. The record is "
                "damaged: restore it from an export, or forget the agent."
            )

    @property
    def messages(self) -> tuple[bytes, ...]:
        """`digests` without their marks, to compare with those of incoming messages."""
        return tuple(map(_marked, self.digests))

    @property
    def ends_in_own_answer(self) -> bool:
        """Whether the last absorbed message is an answer that the agent gave, not one that a caller brought."""
        return bool(self.digests) and bool(self.digests[-1][-1] & _OWN)

    @property
    def question(self) -> bytes | None:
        """The message that was put as a question and awaits its answer; None when there is none."""
        asked = self.turn_length == 1 and self.opening is not None and self.digests[-1][-1] & _ASKED
        return self.opening if asked else None

    @property
    def told(self) -> tuple[bytes, ...]:
        """What was absorbed after the agent's last answer and put as no question, as `remember` does it.

        Empty where the current turn holds more than that, or the agent never answered.
        """
        answers = [i for i, digest in enumerate(self.digests) if digest[-1] & _OWN]
        told = self.messages[answers[-1] + 1 :] if answers and self.question is None else ()
        return told if len(told) >= self.turn_length else ()

    @property
    def opening(self) -> bytes | None:
        """The message that the current turn opened with; None when there is none, or it was dropped."""
        return self.messages[-self.turn_length] if 0 < self.turn_length <= len(self.digests) else None

    def base(self) -> Watermark:
        """The watermark of base, as far as the kept digests know it."""
        known = self.digests[: max(0, len(self.digests) - self.turn_length)]
        return Watermark(digests=known, absorbed=self.absorbed - self.turn_length)


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnPlan:
    """What to do with one call's messages. All numbers are indices into the incoming messages."""

    start: Start
    """The state to begin with: the stored head, the stored base, or an empty one."""
    kept: Watermark
    """What that state stands for."""
    absorb: tuple[tuple[int, ...], ...]
    """Older turns that are new: to be written one after the other, before the current turn."""
    turn: tuple[int, ...]
    """The current turn, shown to the model."""
    write: frozenset[int]
    """Those of `turn` that are new to the state the turn runs from."""
    appended: tuple[int, ...]
    """The messages that the new head stands for and `kept` does not, in order."""
    skipped: int
    """How many messages are left out, as absorbed already or as older than what was absorbed."""
    diverged: bool = False
    """The messages contradict what was absorbed."""
    reason: str = ""
    """What a warning should say, when `diverged` or when the current turn gave way to another; else empty."""


@dataclass(frozen=True, slots=True)
class _Run:
    """`incoming[first:end]` ends what was absorbed."""

    first: int
    end: int


_NOTHING = _Run(0, 0)


def align(
    incoming: Sequence[Message],
    watermark: Watermark,
    *,
    on_divergence: OnDivergence = "absorb_new",
    regenerate: bool = False,
    answering: bool = True,
    may_be_last_turn: bool = False,
) -> TurnPlan:
    """Find what is new in a call's messages, whatever part of the history the caller sent again.

    System messages are shown by the caller of this function and never aligned. A call with one user message
    brings new text, even text that was said before, unless that awaits its answer (`Watermark.question`) or the
    caller knows better (`regenerate`, `may_be_last_turn`).

    Messages that fit base and then leave the current turn are an edit of it where the caller sends back an answer
    of ours, so carries the history. Where base ends in messages that the caller brought, they may as well be a
    prompt's fixed examples before the next question: nothing is rolled back for them without `regenerate`.
    Nor where the agent was told something since its last answer: a history that lacks it goes on after it.

    Args:
        incoming: The messages of this call, in order.
        watermark: How far the agent's stored state has come.
        on_divergence: What to do with messages that contradict the absorbed ones further back than the
            current turn: absorb those that are new on top of everything, absorb all of them into an empty
            state, or refuse.
        regenerate: These messages replace the current turn: roll back to base where they fit it.
        answering: The call wants an answer. Without one, messages that were all absorbed are left as they are.
        may_be_last_turn: The agent may have absorbed these messages while it answered them, in these words or in
            others. If they open as the last turn did they are that turn: known, to go on, or to replace it.

    Raises:
        MessageError: There is no message but the system's.
        HistoryDivergedError: The messages contradict the absorbed ones, and `on_divergence` is "error".
        ConfigError: `on_divergence` is none of its values.
    """
    if on_divergence not in ("absorb_new", "rebuild", "error"):
        raise ConfigError(f'Expected on_divergence as "absorb_new", "rebuild" or "error", got {on_divergence!r}.')
    chat = _Chat(incoming)
    rolls_back = regenerate and watermark.turn_length > 0
    is_last_turn = may_be_last_turn and chat.digests[0] == watermark.opening
    if chat.roles == ["user"]:
        if rolls_back or (answering and (is_last_turn or chat.digests[0] == watermark.question)):
            return _plan(chat, "base", watermark.base())
        return _plan(chat, "head", watermark, _Run(0, 1) if is_last_turn else _NOTHING)
    if not rolls_back:
        run = _find_run(chat, watermark)
        if run is not None:
            known = run.end == len(chat) and not answering
            return _plan(chat, "head", watermark, run) if known else _continue(chat, watermark, run)
        run = _find_run_before_told(chat, watermark)
        if run is not None and not is_last_turn:
            return _plan(chat, "head", watermark, run)
        if not answering and not is_last_turn and _holds(watermark.messages, chat.digests):
            return _plan(chat, "head", watermark, _Run(0, len(chat)))
        rolls_back = is_last_turn
    return _from_base(chat, watermark, rolls_back, answering, on_divergence)


def next_watermark(
    plan: TurnPlan,
    digests: Sequence[bytes],
    answer: bytes | None,
    *,
    asked: bool = False,
    max_digests: int = MAX_DIGESTS,
) -> Watermark:
    """The watermark to store with the new head; its base is the state that the current turn ran from.

    Args:
        plan: The plan that was carried out.
        digests: One digest per incoming message, the system's included.
        answer: Digest of the answer; None when none was generated.
        asked: Without an answer: the last message was put as a question, and is no text by itself.
        max_digests: So many digests are kept, the newest ones.
    """
    added = [_marked(digests[index]) for index in plan.appended]
    if answer is not None:
        added.append(_marked(answer, _OWN))
    elif asked and plan.appended:
        added[-1] = _marked(added[-1], _ASKED)
    current = set(plan.turn)
    return Watermark(
        digests=(*plan.kept.digests, *added)[-max_digests:],
        absorbed=plan.kept.absorbed + len(added),
        turn_length=sum(index in current for index in plan.appended) + (answer is not None),
    )


def shown_context(
    incoming: Sequence[Message], plan: TurnPlan, context: Literal["turn", "full"] | int
) -> tuple[int, ...]:
    """Indices of the earlier messages that are shown before the current turn, for reading only.

    Args:
        incoming: The messages of this call.
        plan: What `align` said about them.
        context: "turn" for none, a number for so many of the last ones, "full" for all that were sent.

    Raises:
        ConfigError: `context` is none of these.
    """
    if context not in ("turn", "full") and (isinstance(context, bool) or not isinstance(context, int) or context < 0):
        raise ConfigError(f'Expected context as "turn", "full" or a number of messages, got {context!r}.')
    earlier = [i for i, m in enumerate(incoming) if m.role != "system" and i < plan.turn[0]]
    if context == "full":
        return tuple(earlier)
    return () if context in ("turn", 0) else tuple(earlier[-int(context) :])


class _Chat:
    """The messages that count (all but the system's), addressed by position; `index` leads back."""

    def __init__(self, incoming: Sequence[Message]) -> None:
        self.index = [i for i, message in enumerate(incoming) if message.role != "system"]
        self.roles = [incoming[i].role for i in self.index]
        self.digests = [_marked(incoming[i].digest()) for i in self.index]
        self.calls = [bool(incoming[i].tool_calls) for i in self.index]
        if not self.index:
            raise MessageError(
                f"Expected at least one message of a user, assistant or tool, got {len(incoming)} messages, "
                "none of them such. Add a user message."
            )

    def __len__(self) -> int:
        return len(self.index)

    def opens_turn(self, position: int) -> bool:
        return self.roles[position] == "user" and (position == 0 or self.roles[position - 1] != "user")

    def turn_start(self, position: int) -> int | None:
        """Where the turn around `position` opens; None when it opened before the first message."""
        return next((p for p in range(position, -1, -1) if self.opens_turn(p)), None)

    def shown_from(self, run: _Run) -> int:
        """Where the turn that goes on after `run` opens; a summary before the run is no part of it."""
        opening = self.turn_start(min(run.end, len(self) - 1)) or 0
        return run.first if set(self.roles[opening : run.first]) == {"user"} else opening

    def turns(self, positions: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """The messages at `positions`, grouped by turn."""
        groups: dict[int, list[int]] = {}
        for position in positions:
            opening = self.turn_start(position)
            groups.setdefault(-1 if opening is None else opening, []).append(self.index[position])
        return tuple(tuple(group) for group in groups.values())

    def indices(self, positions: Sequence[int]) -> tuple[int, ...]:
        return tuple(self.index[position] for position in positions)


def _marked(digest: bytes, mark: int = 0) -> bytes:
    """The digest with this mark alone."""
    return digest[:-1] + bytes([digest[-1] & ~(_OWN | _ASKED) | mark])


def _find_run(chat: _Chat, watermark: Watermark) -> _Run | None:
    """The longest run of incoming messages that ends as the absorbed ones end, when it is evidence enough.

    It is when nothing precedes it (a full or trimmed history), when it holds all we know, or two messages, or a
    call, whose id no other has.
    """
    digests, known = chat.digests, watermark.messages
    best: tuple[tuple[int, bool, bool, int], _Run] | None = None
    for end in range(1, len(digests) + 1):
        length = 0
        while length < min(end, len(known)) and digests[end - 1 - length] == known[-1 - length]:
            length += 1
        first = end - length
        if length >= 2 or (length == 1 and (first == 0 or len(known) == 1 or chat.calls[first])):
            # Among equally long runs of repeated texts: the one where a full history would have it, then
            # one that leaves nothing before it unexplained, then the latest.
            explained = first == 0 or length == len(known)
            rank = (length, end == watermark.absorbed, explained, end)
            if best is None or rank > best[0]:
                best = (rank, _Run(first, end))
    return best[1] if best else None


def _find_run_before_told(chat: _Chat, watermark: Watermark) -> _Run | None:
    """The run that ends in the agent's last answer, where a history goes on from there without what was told since."""
    told = watermark.told
    if not told:
        return None
    answered = replace(
        watermark, digests=watermark.digests[: -len(told)], absorbed=watermark.absorbed - len(told), turn_length=0
    )
    run = _find_run(chat, answered)
    return None if run is None or (run.end < len(chat) and chat.digests[run.end] in told) else run


def _is_edit(digests: Sequence[bytes], watermark: Watermark, run: _Run) -> bool:
    """Whether messages that fit base up to `run` belong to the current turn, rather than to another beside it."""
    return watermark.base().ends_in_own_answer or run.end == len(digests) or digests[run.end] == watermark.opening


def _reopened(chat: _Chat, watermark: Watermark, *, anyhow: bool) -> _Run | None:
    """The empty run before messages that repeat the current turn from its opening and then leave it.

    Either they stop short of its end; or they have another answer to its opening, and either nothing was absorbed
    before the turn or the agent never absorbed that answer, so that it is no older turn's. One message alone is no
    evidence, unless the caller said so (`anyhow`): then the opening may differ too if nothing was absorbed before it.
    """
    length = watermark.turn_length
    if not 0 < length <= len(watermark.digests):
        return None
    digests, current, first_turn = tuple(chat.digests), watermark.messages[-length:], length == watermark.absorbed
    stops_short = 2 <= len(digests) < length and current[: len(digests)] == digests
    asked = next((p for p, role in enumerate(chat.roles) if role != "user"), 0)
    answered_otherwise = (
        asked > 0 and current[:asked] == digests[:asked] and (first_turn or digests[asked] not in watermark.messages)
    )
    if stops_short or answered_otherwise or (anyhow and (digests[0] == current[0] or first_turn)):
        return _Run(0, 0)
    return None


def _contradicts(digests: Sequence[bytes], watermark: Watermark) -> bool:
    """Whether some of the absorbed history is in `digests`: its first message, or any two in a row."""
    if len(digests) < 2:
        return False
    known = watermark.messages
    return digests[0] in known or not set(pairwise(known)).isdisjoint(pairwise(digests))


def _holds(known: Sequence[bytes], digests: Sequence[bytes]) -> bool:
    """Whether all of `digests` were absorbed, one after the other."""
    length = len(digests)
    return any(list(known[first : first + length]) == list(digests) for first in range(len(known) - length + 1))


def _from_base(
    chat: _Chat, watermark: Watermark, rolls_back: bool, answering: bool, on_divergence: OnDivergence
) -> TurnPlan:
    """What to do with messages that do not reach head: replace the current turn, where they fit base, or diverge."""
    base = watermark.base()
    run = _find_run(chat, base) or _find_run_before_told(chat, base)
    if run is not None and not rolls_back:
        if _answers_a_call(chat, watermark, run):
            return _plan(chat, "head", watermark, run)
        if not _is_edit(chat.digests, watermark, run):
            return _diverged(chat, watermark, answering, on_divergence)
        if watermark.opening not in chat.digests[run.end : run.end + 1]:
            return replace(_plan(chat, "base", base, run), reason=_replaced(watermark))
    run = run or _reopened(chat, watermark, anyhow=rolls_back)
    if run is not None:
        return _plan(chat, "base", base, run)
    if not _contradicts(chat.digests, watermark):
        return _plan(chat, "base", base) if rolls_back else _plan(chat, "head", watermark)
    return _diverged(chat, watermark, answering, on_divergence)


def _answers_a_call(chat: _Chat, watermark: Watermark, run: _Run) -> bool:
    """Whether base ends in a call whose result comes now, after a turn that the agent had elsewhere meanwhile."""
    return run.end < len(chat) and chat.roles[run.end] == "tool" and chat.digests[run.end] != watermark.opening


def _continue(chat: _Chat, watermark: Watermark, run: _Run) -> TurnPlan:
    """Go on after a run that reaches head; inside a turn, run the whole turn again from base if it fits."""
    start = chat.shown_from(run)
    if run.first <= start < run.end and run.end - start == watermark.turn_length:
        return _plan(chat, "base", watermark.base(), _Run(start, start))
    return _plan(chat, "head", watermark, run)


def _plan(chat: _Chat, start: Start, kept: Watermark, run: _Run = _NOTHING) -> TurnPlan:
    """Absorb everything after `run`; the last turn is the current one, shown whole if `run` cuts it."""
    last = chat.turn_start(len(chat) - 1)
    if last is None or last < run.end:
        last = chat.shown_from(run)
    new = range(run.end, len(chat))
    return TurnPlan(
        start=start,
        kept=kept,
        absorb=chat.turns([position for position in new if position < last]),
        turn=chat.indices(range(last, len(chat))),
        write=frozenset(chat.indices([position for position in new if position >= last])),
        appended=chat.indices(new),
        skipped=run.end,
    )


def _replaced(watermark: Watermark) -> str:
    return (
        f"The last {watermark.turn_length} absorbed messages were taken back: these messages go on from before "
        "them, as where a user edits the last question. If they are another conversation's of the same agent, send "
        "only what is new (DeltaMemMiddleware does) or use an agent id for each; if it is an edit, ask to regenerate, "
        "which warns of nothing."
    )


def _diverged(chat: _Chat, watermark: Watermark, answering: bool, on_divergence: OnDivergence) -> TurnPlan:
    """Follow `on_divergence` for messages that contradict what was absorbed before the current turn."""
    known = Counter(watermark.messages)
    new = []
    for position, digest in enumerate(chat.digests):
        said_now = answering and position == len(chat) - 1 and chat.roles[position] == "user"
        if known[digest] and not said_now:
            known[digest] -= 1
        else:
            new.append(position)
    what = (
        f"Expected messages that continue the {watermark.absorbed} absorbed ones, or those before the "
        f"current turn of {watermark.turn_length}; got {len(chat)}, of which {len(chat) - len(new)} were "
        "absorbed, but in another order or place: the history was edited further back than the agent's last answers, "
        "or opens with the same examples at every call."
    )
    if on_divergence == "error":
        raise HistoryDivergedError(
            f"{what} Send the history as it was answered, ask to regenerate the current turn, or choose "
            'on_divergence="absorb_new" (absorb what is new on top) or "rebuild" (absorb these messages into an '
            "empty state, which replaces the old)."
        )
    if on_divergence == "rebuild":
        plan = _plan(chat, "empty", Watermark())
        return replace(plan, diverged=True, reason=f"{what} The state is rebuilt from these messages alone.")
    last = chat.turn_start(len(chat) - 1) or 0
    return TurnPlan(
        start="head",
        kept=watermark,
        absorb=chat.turns([position for position in new if position < last]),
        turn=chat.indices(range(last, len(chat))),
        write=frozenset(chat.indices([position for position in new if position >= last])),
        # From the first new one on, known ones included: so the next call finds them in one run.
        appended=chat.indices(range(new[0], len(chat)) if new else ()),
        skipped=len(chat) - len(new),
        diverged=True,
        reason=f"{what} The {len(new)} new ones are absorbed on top; what they replace stays absorbed.",
    )
