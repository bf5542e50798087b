"""One template, three persons."""

from __future__ import annotations

import pytest

from dmem_agents.train.data.phrasing import Voice, capitalised, fill, is_plain, lowered, with_article


@pytest.mark.parametrize(
    ("voice", "sentence"),
    [
        (Voice.first(), "I live in Oslo, and I have my dog there."),
        (Voice.second(), "You live in Oslo, and you have your dog there."),
        (Voice.third("my sister Kate", woman=True), "My sister Kate lives in Oslo, and she has her dog there."),
        (Voice.third("Tom", woman=False), "Tom lives in Oslo, and he has his dog there."),
    ],
)
def test_one_template_agrees_with_every_person(voice: Voice, sentence: str) -> None:
    template = "{S} live{s} in {v}, and {he} {have} {his} dog there."
    assert capitalised(fill(template, voice, value="Oslo")) == sentence


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [("owl", "an owl"), ("rabbit", "a rabbit"), ("ukulele", "a ukulele"), ("Alfa Romeo", "an Alfa Romeo")],
)
def test_the_article_follows_the_sound(noun: str, phrase: str) -> None:
    assert with_article(noun) == phrase


def test_only_simple_clauses_stand_inside_longer_sentences() -> None:
    assert is_plain("My home is in {v}.")
    assert not is_plain("Hi, I'm {v}.")
    assert lowered("My home is in {v}.") == "my home is in {v}."
    assert lowered("I live in {v}.") == "I live in {v}."
    assert lowered("{v} is my home.") == "{v} is my home."
