"""Drawing people and the facts about them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dmem_agents.train.data.attributes import Attribute
from dmem_agents.train.data.phrasing import Person
from dmem_agents.train.data.pools import draw, has_unseen
from dmem_agents.train.data.splits import Split, split_of
from dmem_agents.train.data.tables import ATTRIBUTES, CONFUSABLE, wording

_DRAWS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One thing that is told about somebody."""

    attribute: Attribute
    """What kind of thing."""
    owner: Person | None
    """About whom; None is the user."""
    value: str
    """The value that holds in the end."""
    old: str = ""
    """The value it replaces, when there is one."""

    def updating(self, old: str) -> Fact:
        """The same fact, told first with another value."""
        return replace(self, old=old)


def draw_person(rng: random.Random, split: Split, *, taken: Sequence[Person]) -> Person:
    """Somebody whose full name belongs to the split, unlike those taken in first name and relation."""
    used = {person.first for person in taken}
    while True:
        woman = rng.random() < 0.5
        first = draw("women" if woman else "men", rng, split=split)
        last = draw("last_names", rng, split=split)
        if first not in used and split_of(f"{first} {last}") == split:
            break
    relations = wording.RELATIONS_WOMEN if woman else wording.RELATIONS_MEN
    free = [relation for relation in relations if relation not in {person.relation for person in taken}]
    relation = rng.choice(free) if rng.random() < 0.4 else ""
    return Person(first=first, last=last, woman=woman, relation=relation)


def draw_value(rng: random.Random, split: Split, fact: Fact, *, unseen: bool) -> str:
    """A value for a fact, other than the one it has.

    About third persons, name, attribute and value together belong to the split: no such triple is shared.
    """
    value = fact.value
    for _ in range(_DRAWS):
        value = draw(fact.attribute.pool, rng, split=split, unseen=unseen)
        whose = fact.owner is None or split_of(f"{fact.owner.first}|{fact.attribute.key}|{value}") == split
        if value.lower() != fact.value.lower() and whose:
            return value
    return value


def draw_facts(
    rng: random.Random,
    split: Split,
    *,
    count: int,
    keys: Sequence[str],
    third_person: float,
    rivals: float,
    asked: Callable[[Fact], bool],
    unseen_value: bool,
) -> tuple[Fact, ...] | None:
    """Distinct facts; the first satisfies `asked`. None when chance led into a corner.

    Args:
        rng: Source of chance.
        split: Whose people and values.
        count: How many.
        keys: Attributes to choose from.
        third_person: Probability that a fact is about somebody else than the user.
        rivals: Probability that the second fact is the first one's attribute of somebody else.
        asked: What the first fact must allow.
        unseen_value: Whether the first fact's value is one that training never has.
    """
    people: list[Person] = []
    facts: list[Fact] = []
    for _ in range(_DRAWS * count):
        if len(facts) == count:
            break
        attribute = ATTRIBUTES[rng.choice(keys)]
        owner = _draw_owner(rng, split, people, third_person)
        if len(facts) == 1 and rng.random() < rivals:
            attribute = facts[0].attribute
            owner = _draw_owner(rng, split, people, 1.0 if facts[0].owner is None else 0.5)
        fact = Fact(attribute=attribute, owner=owner, value="")
        if not _fits(fact, facts, people):
            continue
        if not facts and not (asked(fact) and (not unseen_value or has_unseen(attribute.pool, split))):
            continue
        fact = replace(fact, value=draw_value(rng, split, fact, unseen=unseen_value and not facts))
        if any(fact.value.lower() == other.value.lower() for other in facts):
            continue
        facts.append(fact)
        if owner is not None and owner not in people:
            people.append(owner)
    return tuple(facts) if len(facts) == count else None


def draw_untold(
    rng: random.Random, split: Split, told: Sequence[Fact], *, keys: Sequence[str], third_person: float, rivals: float
) -> Fact | None:
    """A fact that could be told beside others and is not; its value is empty. None when chance led into a corner.

    Args:
        rng: Source of chance.
        split: Whose people.
        told: What is told; its people are known.
        keys: Attributes to choose from.
        third_person: Probability that the fact is about somebody else than the user.
        rivals: Probability that it is an attribute that is told of somebody else.
    """
    people = list(dict.fromkeys(fact.owner for fact in told if fact.owner is not None))
    for _ in range(_DRAWS):
        rival = rng.choice(told) if told and rng.random() < rivals else None
        attribute = rival.attribute if rival else ATTRIBUTES[rng.choice(keys)]
        owner = _draw_owner(rng, split, people, 1.0 if rival and rival.owner is None else third_person)
        fact = Fact(attribute=attribute, owner=owner, value="")
        if _fits(fact, told, people):
            return fact
    return None


def _draw_owner(rng: random.Random, split: Split, people: Sequence[Person], third_person: float) -> Person | None:
    """The user, somebody already there, or somebody new."""
    if rng.random() >= third_person:
        return None
    if people and rng.random() < 0.5:
        return rng.choice(people)
    return draw_person(rng, split, taken=people)


def _fits(fact: Fact, facts: Sequence[Fact], people: Sequence[Person]) -> bool:
    """Whether a fact can stand beside others without making a question ambiguous."""
    attribute, owner = fact.attribute, fact.owner
    if owner is not None and not attribute.third:
        return False
    relations = {person.relation for person in (*people, *((owner,) if owner else ()))} - {""}
    if attribute.clashes in relations or any(other.attribute.clashes in relations for other in facts):
        return False
    for other in facts:
        if other.owner != owner:
            continue
        keys = {other.attribute.key, attribute.key}
        if len(keys) == 1 or any(keys <= group for group in CONFUSABLE):
            return False
    return True
