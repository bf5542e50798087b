"""Turning a template and a fact into a sentence in the first, second or third person."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VOWEL = re.compile(r"[aeiou]", re.IGNORECASE)
_CONSONANT_SOUND = re.compile(r"(uni|eu|one\b|use|uku)", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(^|[.!?] )([a-z])")
_PLAIN = re.compile(r"^[^,.!?;:]+\.$")
_KEEPS_CAPITAL = re.compile(r"I\b|\{")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody the user talks about."""

    first: str
    """First name."""
    last: str
    """Last name; first and last together decide the split."""
    woman: bool
    """Which pronoun."""
    relation: str = ""
    """What they are to the user ("sister"), empty for nothing in particular."""

    @property
    def full(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """How a template's person slots read."""

    slots: dict[str, str]

    @classmethod
    def first(cls) -> Voice:
        """The speaker about themselves."""
        slots = {"S": "I", "P": "my", "O": "me", "Sm": "I'm", "he": "I", "his": "my", "him": "me"}
        return cls(slots={**slots, **_PLURAL, "be": "am", "was": "was"})

    @classmethod
    def second(cls) -> Voice:
        """To the user about the user."""
        slots = {
            "S": "you",
            "P": "your",
            "O": "you",
            "Sm": "you are",
            "he": "you",
            "his": "your",
            "him": "you",
        }
        return cls(slots={**slots, **_PLURAL, "be": "are", "was": "were"})

    @classmethod
    def third(cls, subject: str, *, woman: bool) -> Voice:
        """About somebody called `subject`."""
        pronouns = ("she", "her", "her") if woman else ("he", "his", "him")
        slots = {"S": subject, "P": f"{subject}'s", "O": subject, "Sm": f"{subject} is"}
        slots |= dict(zip(("he", "his", "him"), pronouns, strict=True))
        return cls(slots={**slots, **_SINGULAR})


_PLURAL = {"s": "", "es": "", "have": "have", "do": "do", "dont": "don't"}
_SINGULAR = {
    "s": "s",
    "es": "es",
    "be": "is",
    "was": "was",
    "have": "has",
    "do": "does",
    "dont": "doesn't",
}


def fill(template: str, voice: Voice, *, value: str = "", old: str = "", other: str = "") -> str:
    """The sentence a template makes, not yet `capitalised`."""
    values = {"v": value, "old": old, "other": other}
    values |= {"av": with_article(value), "av_old": with_article(old), "av_other": with_article(other)}
    return template.format(**voice.slots, **values)


def with_article(noun: str) -> str:
    """The noun after a or an."""
    if _VOWEL.match(noun) and not _CONSONANT_SOUND.match(noun):
        return f"an {noun}"
    return f"a {noun}"


def capitalised(text: str) -> str:
    """The text with a capital at the start of each sentence."""
    return _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), text)


def contracted(text: str) -> str:
    """The text with "I am" and "I have been" as people say it."""
    return text.replace("I am ", "I'm ").replace("I have been ", "I've been ")


def is_plain(template: str) -> bool:
    """Whether a template is one simple clause that can stand inside a longer sentence."""
    return _PLAIN.match(template) is not None


def lowered(template: str) -> str:
    """A plain template as the second half of a sentence: its first letter small, names and "I" untouched."""
    return template if _KEEPS_CAPITAL.match(template) else template[0].lower() + template[1:]
