"""What the demo's agents are told and asked. Plain values; knows nothing of models.

The stand-in adapter that the demo runs with until ours ships was trained on a few dozen phrasings, so the script
keeps to those; each line here was measured to work with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question, and the word its answer holds if and only if the fact is remembered."""

    text: str
    value: str

    def answered_by(self, answer: str) -> bool:
        """Whether the answer holds the value, whatever its case."""
        return self.value.lower() in answer.lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class Character:
    """One agent of the demo."""

    agent_id: str
    told: tuple[str, ...]
    """What its user says, one turn each."""
    questions: tuple[Question, ...]
    """What it is asked afterwards, in another process."""


CHARACTERS: Final = (
    Character(
        agent_id="dmem-demo-1",
        told=("Tell me a joke.", "I am Kevin, nice to meet you.", "At home I keep a rabbit."),
        questions=(
            Question(text="What is my name?", value="Kevin"),
            Question(text="What pet do I have?", value="rabbit"),
        ),
    ),
    Character(
        agent_id="dmem-demo-2",
        told=("I really love the color purple.", "I am a doctor by profession.", "Tell me a joke."),
        questions=(
            Question(text="Which color do I like most?", value="purple"),
            Question(text="What is my job?", value="doctor"),
        ),
    ),
)
