"""Nothing that validation and test keep for themselves is ever seen in training."""

from __future__ import annotations

import itertools
import random
import re
from functools import cache

import pytest

from dmem_agents.train.data import SPLITS, AgentLife, Split
from dmem_agents.train.data.cast import Fact, draw_person, draw_value
from dmem_agents.train.data.frames import ASKING, TELLING
from dmem_agents.train.data.pools import POOLS, draw, has_unseen, listed, ngrams, words
from dmem_agents.train.data.splits import split_of
from dmem_agents.train.data.tables import ATTRIBUTES, wording
from dmem_agents.train.data.tables.names import LAST_NAMES, MEN, WOMEN
from dmem_agents.train.data.tables.smalltalk import draw_turn

HELD: tuple[Split, ...] = ("validation", "test")
GENERATED = sorted(key for key, pool in POOLS.items() if pool.generate and not pool.closed)
FIRST = {*WOMEN, *MEN}
LAST = set(LAST_NAMES)
_SPELT = re.compile(r"\{\w+\}|[a-z0-9']+")


@cache
def phrasings(split: Split) -> frozenset[str]:
    """Every template of a split, spelled alike."""
    found: set[str] = set()
    for attribute in ATTRIBUTES.values():
        found.update(attribute.statements(split), attribute.questions(split), attribute.changes(split))
        found.update(request for request, _ in attribute.uses(split))
    for phrases in (
        TELLING,
        ASKING,
        wording.OPENINGS,
        wording.QUESTION_OPENINGS,
        wording.REPEAT_ALL,
        wording.REPEAT_FIRST,
        wording.REPEAT_LAST,
        wording.ACKNOWLEDGEMENTS,
    ):
        found.update(phrases.of(split))
    return frozenset(text.lower() for text in found)


@cache
def training_texts() -> tuple[str, ...]:
    """All that 2,500 training episodes show."""
    life = AgentLife(facts=(1, 4), tools=0.2, speakers=0.2)
    made = (life.episode(11, index) for index in range(2500))
    return tuple(m.content for one in made for m in (*one.written, *one.visible, one.target))


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(SPLITS, 2)))
def test_no_phrasing_is_in_two_splits(one: Split, other: Split) -> None:
    assert phrasings(one)
    assert phrasings(one) & phrasings(other) == frozenset()


@pytest.mark.parametrize("key", sorted(ATTRIBUTES))
def test_no_phrasing_that_is_kept_runs_inside_a_longer_one_of_training(key: str) -> None:
    attribute = ATTRIBUTES[key]
    for lines in (attribute.statements, attribute.questions, attribute.changes):
        trained = [f" {' '.join(_SPELT.findall(line.lower()))} " for line in lines("train")]
        kept = [f" {' '.join(_SPELT.findall(line.lower()))} " for split in HELD for line in lines(split)]
        assert not any(one in longer for one in kept for longer in trained), key  # which is not said: it is kept


@pytest.mark.parametrize("key", sorted(ATTRIBUTES))
def test_every_attribute_has_phrasings_for_every_split_and_person(key: str) -> None:
    attribute = ATTRIBUTES[key]
    assert len(attribute.statements("train")) >= 8
    assert len(attribute.questions("train")) >= 5
    assert sum(len(attribute.statements(split)) for split in HELD) >= 3
    assert sum(len(attribute.questions(split)) for split in HELD) >= 3
    for split, third in itertools.product(SPLITS, (False, True) if attribute.third else (False,)):
        assert attribute.statements(split, third=third)
        assert attribute.questions(split, third=third)
        assert bool(attribute.changes(split, third=third)) == bool(attribute.change)
        assert attribute.answers(third=third)


def test_no_unseen_value_occurs_in_training() -> None:
    shown = {ngram for text in training_texts() for ngram in ngrams(text)}
    held = {v for pool in POOLS for split in HELD for v in listed(pool, split)}
    assert len(held) > 250
    assert [value for value in sorted(held) if words(value) in shown] == []


def test_no_unseen_code_date_or_number_occurs_in_training() -> None:
    shown = {run for text in training_texts() for run in token_runs(text)}
    rng = random.Random(9)
    for pool, split in itertools.product(GENERATED, HELD):
        held = {draw(pool, rng, split=split, unseen=True) for _ in range(100)}
        assert held.isdisjoint(shown), pool


def token_runs(text: str) -> set[str]:
    """All runs of up to 3 tokens, without the punctuation around them."""
    tokens = [token.strip('".,;:!?{}').removesuffix("'s") for token in text.split()]
    return {" ".join(tokens[i : i + n]) for i in range(len(tokens)) for n in (1, 2, 3)}


@pytest.mark.parametrize("pool", GENERATED)
def test_generated_values_belong_to_one_split(pool: str) -> None:
    rng = random.Random(2)
    for split in HELD:
        assert all(split_of(draw(pool, rng, split=split, unseen=True)) == split for _ in range(20))
    if pool != "full_names":
        assert all(split_of(draw(pool, rng, split="test")) == "train" for _ in range(20))


def test_seen_values_are_those_of_training_in_every_split() -> None:
    rng = random.Random(4)
    seen = set(listed("cities", "train"))
    for split in SPLITS:
        assert {draw("cities", rng, split=split) for _ in range(200)} <= seen
    for split in HELD:
        assert has_unseen("cities", split)
        assert {draw("cities", rng, split=split, unseen=True) for _ in range(200)}.isdisjoint(seen)


def full_names(texts: tuple[str, ...]) -> set[str]:
    """Pairs of neighbouring words that are a first and a last name."""
    found = set()
    for text in texts:
        tokens = [token.removesuffix("'s").strip(".,;:!?") for token in text.split()]
        found |= {f"{a} {b}" for a, b in itertools.pairwise(tokens) if a in FIRST and b in LAST}
    return found


def test_full_names_of_people_belong_to_one_split() -> None:
    in_training = full_names(training_texts())
    assert len(in_training) > 200
    assert {split_of(name) for name in in_training} == {"train"}
    for split in HELD:
        life = AgentLife(split=split)
        made = (life.episode(11, index) for index in range(1500))
        held = full_names(tuple(m.content for one in made for m in (*one.written, *one.visible)))
        assert len(held) > 50
        assert {split_of(name) for name in held} == {split}


@pytest.mark.parametrize("split", SPLITS)
def test_what_is_told_about_third_persons_belongs_to_one_split(split: Split) -> None:
    rng = random.Random(3)
    for _ in range(50):
        owner = draw_person(rng, split, taken=())
        value = draw_value(rng, split, Fact(attribute=ATTRIBUTES["city"], owner=owner, value=""), unseen=False)
        assert split_of(owner.full) == split
        assert split_of(f"{owner.first}|city|{value}") == split


def test_small_talk_belongs_to_one_split() -> None:
    rng = random.Random(6)
    drawn = {split: {draw_turn(rng, split)[0] for _ in range(2000)} for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert drawn[one].isdisjoint(drawn[other])


def test_asking_for_unseen_values_gives_only_those() -> None:
    for split in HELD:
        life = AgentLife(split=split)
        rng = random.Random(8)
        for _ in range(200):
            made = life.recall_episode(rng, facts=2, distractors=1, unseen_value=True)
            assert split_of(made.value) == split
            made = life.recall_episode(rng, facts=2, distractors=1)
            pool = ATTRIBUTES[str(made.cell["attribute"])].pool
            known = POOLS[pool].closed or pool == "full_names" or made.value in listed(pool, "train")
            assert known or split_of(made.value) == "train"
