"""What the demo's agents are told and asked. Plain values; knows nothing of models.

The shipped adapter still misses some facts (its README has the figures); these lines are among those it gets. The
demo shows the mechanism, not the adapter's accuracy.
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
        told=("Tell me a joke.", "I play the violin.", "At home I keep a rabbit."),
        questions=(
            Question(text="Which instrument do I play?", value="violin"),
            Question(text="What pet do I have?", value="rabbit"),
        ),
    ),
    Character(
        agent_id="dmem-demo-2",
        told=("Tell me a joke.", "My sister Kate lives in Oslo.", "My favourite food is sushi."),
        questions=(
            Question(text="Where does Kate live?", value="Oslo"),
            Question(text="What food do I like most?", value="sushi"),
        ),
    ),
)
