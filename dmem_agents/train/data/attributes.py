"""What an attribute of a person is: a pool of values and the phrasings that tell, change, ask and use it.

Phrasings are templates over one fact. The same line serves the first person ("I live in Oslo"), the third
("Kate lives in Oslo") and the answer's second person ("You live in Oslo"):

    {v} value   {av} value with a/an   {old} value it replaces   {other} some other value of the pool
    {S} I · you · Kate     {P} my · your · Kate's     {O} me · you · Kate     {Sm} I'm · you are · Kate is
    {s} {es} third-person ending     {be} {was} {have} {do} {dont} the verb that agrees
    {he} {his} {him} the pronoun

A line without {S}, {P}, {O} or {Sm} is about the user alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dmem_agents.train.data.frames import ASKING, TELLING, framed
from dmem_agents.train.data.rows import lines
from dmem_agents.train.data.splits import Split

_PERSON_SLOT = re.compile(r"\{(S|P|O|Sm)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """One thing that can be told about a person."""

    key: str
    """Its name in reports."""
    pool: str
    """Where its values come from, a key of `pools.POOLS`."""
    tell: str
    """Statements, one per line, seen in training."""
    tell_held: str
    """Statements kept for validation (the first third) and test (the rest)."""
    ask: str
    """Questions seen in training."""
    ask_held: str
    """Questions kept for validation and test, split likewise."""
    answer: str
    """Answers; shared by all splits, the first is the usual one."""
    change: str = ""
    """Statements that replace {old} by {v}, seen in training."""
    change_held: str = ""
    """Replacements kept for validation (the first half) and test (the rest)."""
    use: str = ""
    """Open requests and the answer that shows the value, `request => answer`, seen in training."""
    use_held: str = ""
    """The same for validation (the first half) and test (the rest)."""
    noun: str = ""
    """What the value is called, for the frames every attribute shares ("shoe size"); empty for none."""
    noun_value: str = "{v}"
    """The value behind that noun ("the {v}")."""
    tool: str = ""
    """`tool_name key.path.value` of JSON results that hold the value, one per line."""
    third: bool = True
    """Whether it is also told about other people."""
    clashes: str = ""
    """Relation that other people of the episode must not have (their name would answer the question)."""

    def statements(self, split: Split, *, third: bool = False) -> tuple[str, ...]:
        """Statement templates of a split, about another person when `third`."""
        return _for_person(_share(self.tell, self.tell_held, split), third)

    def questions(self, split: Split, *, third: bool = False) -> tuple[str, ...]:
        """Question templates of a split."""
        return _for_person(_share(self.ask, self.ask_held, split), third)

    def framed_statements(self, split: Split) -> tuple[str, ...]:
        """Statement templates made from the shared frames; empty without a noun."""
        return framed(TELLING.of(split), noun=self.noun, value=self.noun_value)

    def framed_questions(self, split: Split) -> tuple[str, ...]:
        """Question templates made from the shared frames; empty without a noun."""
        return framed(ASKING.of(split), noun=self.noun, value=self.noun_value)

    def changes(self, split: Split, *, third: bool = False) -> tuple[str, ...]:
        """Templates of a split that replace {old} by {v}; may be empty."""
        return _for_person(_share(self.change, self.change_held, split, first_part=2), third)

    def answers(self, *, third: bool = False) -> tuple[str, ...]:
        """Answer templates."""
        return _for_person(lines(self.answer), third)

    def uses(self, split: Split, *, third: bool = False) -> tuple[tuple[str, str], ...]:
        """Pairs of an open request and its answer; may be empty."""
        pairs = (line.split(" => ") for line in _share(self.use, self.use_held, split, first_part=2))
        return tuple((request, answer) for request, answer in pairs if about_person(request) or not third)

    def tools(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Pairs of a tool's name and the path of the value in its JSON result."""
        pairs = (line.split(" ") for line in lines(self.tool))
        return tuple((name, tuple(path.split("."))) for name, path in pairs)


def about_person(template: str) -> bool:
    """Whether a template can speak of somebody else than the user."""
    return _PERSON_SLOT.search(template) is not None


def _share(train: str, held: str, split: Split, *, first_part: int = 3) -> tuple[str, ...]:
    """The lines of one split; validation gets the first 1/`first_part` of the held lines, test the rest.

    Held lines that can speak of anybody come first, so that validation has some for other people too.
    """
    if split == "train":
        return lines(train)
    kept = sorted(lines(held), key=about_person, reverse=True)
    cut = max(1, len(kept) // first_part) if kept else 0
    return tuple(kept[:cut] if split == "validation" else kept[cut:])


def _for_person(templates: tuple[str, ...], third: bool) -> tuple[str, ...]:
    return tuple(t for t in templates if about_person(t)) if third else templates
