"""Telling facts in chat messages, among turns that tell nothing, and asking for them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dmem_agents.messages import Message, ToolCall
from dmem_agents.train.data.cast import Fact
from dmem_agents.train.data.phrasing import Person, Voice, capitalised, contracted, fill, is_plain, lowered
from dmem_agents.train.data.pools import draw
from dmem_agents.train.data.rows import Phrases
from dmem_agents.train.data.splits import Split
from dmem_agents.train.data.tables import wording
from dmem_agents.train.data.tables.requests import REQUESTS
from dmem_agents.train.data.tables.smalltalk import draw_turn

_FRAMED = 0.2
_QUESTION = re.compile(r"^[^,.!?:]+\?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How facts are told; fields as in `AgentLife`."""

    split: Split
    phrasings: Split
    acknowledgements: float
    joined: float
    openings: float
    speakers: float
    tools: float
    tool_calls: bool
    dialogue: tuple[str, ...]
    asides: float
    replies: tuple[str, ...]


@dataclass(kw_only=True, slots=True)
class _Piece:
    """A message, or a few that stay together, and the facts they tell."""

    messages: list[Message] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


class Telling:
    """One conversation. Remembers how people were introduced, so that questions name them likewise."""

    def __init__(self, rng: random.Random, settings: Settings) -> None:
        """Take the source of chance and the settings."""
        self._rng = rng
        self._settings = settings
        self._introduced: dict[str, str] = {}
        self._pieces: list[_Piece] = []
        self._distractions: set[str] = set()

    @property
    def said(self) -> list[str]:
        """The user's messages, in order."""
        return [m.content for piece in self._pieces for m in piece.messages if m.role == "user"]

    def tell(self, facts: Sequence[Fact], distractors: int, placement: str) -> tuple[Message, ...]:
        """The messages that tell the facts, and that many distractor turns."""
        rng = self._rng
        slots: list[tuple[Fact, bool] | None] = []
        for fact in rng.sample(list(facts), len(facts)):
            slots.append((fact, bool(fact.old)))
        if placement == "mixed":
            for _ in range(distractors):
                slots.insert(rng.randint(0, len(slots)), None)
        else:
            slots += [None] * distractors
        for slot in list(slots):
            if slot is not None and slot[1]:
                slots.insert(rng.randint(0, slots.index(slot)), (slot[0], False))
        self._render(slots)
        return tuple(message for piece in self._pieces for message in piece.messages)

    def _render(self, slots: list[tuple[Fact, bool] | None]) -> None:
        position = 0
        while position < len(slots):
            slot = slots[position]
            after = slots[position + 1] if position + 1 < len(slots) else None
            if slot is None:
                self._pieces.append(self._distraction())
            elif after is not None and not slot[0].old and not after[0].old and self._chance(self._settings.joined):
                self._pieces.append(self._joined(slot[0], after[0]))
                position += 1
            else:
                self._pieces.append(self._piece(*slot))
            position += 1

    def state(self, fact: Fact) -> str:
        """A message that tells one more fact."""
        return capitalised(self._statement(fact, self._statements(fact)))

    def ask(self, fact: Fact, question: str, answer: str) -> tuple[str, str]:
        """The question and its answer, about the fact's owner as the conversation knows them."""
        mine, yours = Voice.first(), Voice.second()
        if _QUESTION.match(question) and self._chance(self._settings.openings / 2):
            question = self._opened(question, wording.QUESTION_OPENINGS)
        if fact.owner is not None:
            subject = self._rng.choice(self._known_as(fact.owner))
            mine = Voice.third(subject, woman=fact.owner.woman)
            yours = Voice.third(subject.replace("my ", "your "), woman=fact.owner.woman)
        return capitalised(fill(question, mine)), capitalised(fill(answer, yours, value=fact.value))

    def is_fair(self, asked: Fact, question: str) -> bool:
        """Whether the value stands only where the asked fact is told, and never in the question."""
        value = asked.value.lower()
        elsewhere = [m.content for piece in self._pieces if asked not in piece.facts for m in piece.messages]
        elsewhere.append(question)
        return not any(value in text.lower() for text in elsewhere)

    def _piece(self, fact: Fact, is_change: bool) -> _Piece:
        if not fact.old and fact.owner is None and fact.attribute.tools() and self._chance(self._settings.tools):
            return self._tool_result(fact)
        if fact.old and not is_change:
            told = Fact(attribute=fact.attribute, owner=fact.owner, value=fact.old)
            return self._user_turn(self._beside_a_request(self._statement(told, self._statements(told))), [])
        templates = self._statements(fact)
        if is_change:
            templates = fact.attribute.changes(self._settings.phrasings, third=fact.owner is not None)
        return self._user_turn(self._beside_a_request(self._statement(fact, templates)), [fact])

    def questions(self, fact: Fact) -> tuple[str, ...]:
        """Templates that ask for a fact: its own, or sometimes those every attribute shares."""
        shared = fact.attribute.framed_questions(self._settings.phrasings)
        if shared and self._chance(_FRAMED):
            return shared
        return fact.attribute.questions(self._settings.phrasings, third=fact.owner is not None)

    def _statements(self, fact: Fact) -> tuple[str, ...]:
        """Templates that tell a fact, likewise."""
        shared = fact.attribute.framed_statements(self._settings.phrasings)
        if shared and self._chance(_FRAMED):
            return shared
        return fact.attribute.statements(self._settings.phrasings, third=fact.owner is not None)

    def _statement(self, fact: Fact, templates: Sequence[str]) -> str:
        """A message that tells a fact, sometimes with an opening, sometimes by the person themselves."""
        template = self._rng.choice(templates)
        owner = fact.owner
        speaks = owner is not None and not owner.relation and not fact.old and self._may_speak(owner)
        if owner and speaks and self._chance(self._settings.speakers):
            self._introduced[owner.first] = owner.first
            return f"{owner.first}: {capitalised(self._fill(template, fact, Voice.first()))}"
        if is_plain(template) and self._chance(self._settings.openings):
            template = self._opened(template, wording.OPENINGS)
        return self._fill(template, fact, self._voice(owner))

    def _beside_a_request(self, statement: str) -> str:
        """A statement, sometimes in one message with what any assistant is asked."""
        if not self._settings.asides or not self._chance(self._settings.asides):
            return statement
        request = self._rng.choice(REQUESTS)
        return f"{request} {statement}" if self._chance(0.7) else f"{statement} {request}"

    def _opened(self, template: str, openings: Phrases) -> str:
        """A plain template with an opening before or after it."""
        opening = self._rng.choice(openings.of(self._settings.phrasings))
        return opening.replace("{x}", template if opening.startswith("{x}") else lowered(template))

    def _may_speak(self, owner: Person) -> bool:
        return self._introduced.get(owner.first, owner.first) == owner.first

    def _joined(self, one: Fact, two: Fact) -> _Piece:
        """Two facts in one sentence, or in one message when their phrasings don't join."""
        first = self._rng.choice(self._statements(one))
        second = self._rng.choice(self._statements(two))
        joint = " "
        if is_plain(first) and is_plain(second):
            first, second = first.removesuffix("."), lowered(second)
            joint = self._rng.choice(wording.JOINTS)
        told = self._fill(first, one, self._voice(one.owner))
        rest = self._fill(second, two, self._voice(two.owner))
        return self._user_turn(f"{told}{joint}{rest}", [one, two])

    def _fill(self, template: str, fact: Fact, voice: Voice) -> str:
        other = ""
        if "other}" in template:
            other = draw(fact.attribute.pool, self._rng, split=self._settings.split)
            while other in (fact.value, fact.old):
                other = draw(fact.attribute.pool, self._rng, split=self._settings.split)
        return fill(template, voice, value=fact.value, old=fact.old, other=other)

    def _voice(self, owner: Person | None) -> Voice:
        """How a statement names the owner; the first mention introduces them."""
        if owner is None:
            return Voice.first()
        if owner.first not in self._introduced:
            name = owner.full if self._chance(0.15) else owner.first
            self._introduced[owner.first] = f"my {owner.relation} {name}" if owner.relation else name
            return Voice.third(self._introduced[owner.first], woman=owner.woman)
        return Voice.third(self._rng.choice(self._known_as(owner)), woman=owner.woman)

    def _known_as(self, owner: Person) -> list[str]:
        """Names the conversation allows for somebody; the first name alone before they are introduced."""
        introduction = self._introduced.get(owner.first, "")
        names = [owner.first, owner.first]
        if introduction.startswith("my "):
            names += [f"my {owner.relation}", f"my {owner.relation} {owner.first}"]
        if introduction.endswith(owner.last):
            names.append(owner.full)
        return names

    def _user_turn(self, text: str, facts: list[Fact]) -> _Piece:
        text = capitalised(contracted(text) if self._chance(0.6) else text)
        messages = [Message(role="user", content=text)]
        if self._settings.replies and self._chance(0.5):
            messages.append(Message(role="assistant", content=self._rng.choice(self._settings.replies)))
        elif not text.endswith("?") and self._chance(self._settings.acknowledgements):
            reply = self._rng.choice(wording.ACKNOWLEDGEMENTS.of(self._settings.phrasings))
            messages.append(Message(role="assistant", content=reply))
        return _Piece(messages=messages, facts=facts)

    def _distraction(self) -> _Piece:
        if self._settings.dialogue and self._chance(0.5):
            return self._user_turn(self._rng.choice(self._settings.dialogue), [])
        user, assistant = draw_turn(self._rng, self._settings.split)
        while user in self._distractions:
            user, assistant = draw_turn(self._rng, self._settings.split)
        self._distractions.add(user)
        if not assistant:
            return self._user_turn(user, [])
        replied = [Message(role="user", content=user), Message(role="assistant", content=assistant)]
        return _Piece(messages=replied)

    def _tool_result(self, fact: Fact) -> _Piece:
        """A request, the assistant's word, and the JSON that a tool returned."""
        name, path = self._rng.choice(fact.attribute.tools())
        is_number = fact.value.isdigit() and not fact.value.startswith("0")
        value: object = int(fact.value) if is_number else fact.value
        result: dict[str, object] = {path[-1]: value}
        if self._chance(0.5):
            key, extra = self._rng.choice(wording.TOOL_EXTRAS)
            result = {key: extra, **result} if self._chance(0.5) else {**result, key: extra}
        for key in reversed(path[:-1]):
            result = {key: result}
        call = f"call_{self._rng.randrange(1000)}"
        calls = (ToolCall(id=call, name=name),) if self._settings.tool_calls else ()
        preface = self._rng.choice(wording.TOOL_PREFACES)
        messages = [
            Message(role="user", content=self._rng.choice(wording.TOOL_REQUESTS[name])),
            Message(role="assistant", content=preface, tool_calls=calls),
            Message(role="tool", content=json.dumps(result), tool_call_id=call, name=name),
        ]
        return _Piece(messages=messages, facts=[fact])

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability
