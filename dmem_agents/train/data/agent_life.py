"""Episodes of an agent's life: people tell it facts among small talk, and ask for them later.

Chance decides a cast, facts (who, attribute, value), their order among distractors and every phrasing. A
draft in which the answer could be guessed (its value stands in the question or in another message) is thrown
away and drawn again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.train.data.cast import Fact, draw_facts, draw_untold, draw_value
from dmem_agents.train.data.episode import Episode, episode
from dmem_agents.train.data.pools import is_made
from dmem_agents.train.data.splits import SPLITS, Split
from dmem_agents.train.data.tables import ATTRIBUTES, wording
from dmem_agents.train.data.telling import Settings, Telling

DEFAULT_TASKS: Mapping[str, float] = {
    "recall": 0.6,
    "update": 0.1,
    "reconstruct": 0.15,
    "unknown": 0.08,
    "preference": 0.07,
    "acknowledge": 0.05,
}
"""Weight of each task when nothing else is said."""
_UNTOLD_FACT = ("unknown", "acknowledge")
"""Tasks about a fact that the past doesn't hold."""
_ATTEMPTS = 200
_VALUE_SLOT = re.compile(r"\{a?v\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentLife:
    """The generator. All settings are probabilities or ranges, so a curriculum is `dataclasses.replace`.

    Training sees the train split's phrasings, seen values and its own people. Validation and test have their
    own phrasings and people (full names; and about third persons their own triples of name, attribute and
    value) with seen values by default, and values of their own when `unseen_value` is set. Answers, and
    requests to tools, read alike in all splits.
    """

    split: Split = "train"
    """Whose people, phrasings and values."""
    facts: tuple[int, int] = (1, 3)
    """Fewest and most facts told."""
    distractors: tuple[int, int] = (0, 3)
    """Fewest and most turns that tell nothing."""
    tasks: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TASKS))
    """Weight of each task: recall, update, reconstruct, unknown, preference, acknowledge."""
    attributes: tuple[str, ...] = ()
    """Only these attributes; empty for all."""
    third_person: float = 0.35
    """Probability that a fact is about somebody else than the user."""
    rivals: float = 0.25
    """Probability that two people of the episode have the same attribute."""
    acknowledgements: float = 0.25
    """Probability that the assistant answers a told message ("Got it.")."""
    joined: float = 0.12
    """Probability that two facts share a sentence."""
    openings: float = 0.25
    """Probability that a plain statement gets an opening ("By the way, ...")."""
    speakers: float = 0.1
    """Probability that a third person speaks for themselves ("Kate: I live in Rome.")."""
    tools: float = 0.08
    """Probability that a fact the tools know arrives as JSON."""
    tool_calls: bool = False
    """Whether the assistant's message before a tool result carries the call; needs a template with tools."""
    dialogue: tuple[str, ...] = ()
    """Lines of real dialogue that replace half of the distractors."""
    asides: float = 0.0
    """Probability that a fact is told beside a request ("What is a verb? By the way, I live in Rome.")."""
    usual_answer: float = 0.7
    """Probability that an answer is worded as usual; what is worded by chance can only be guessed."""
    replies: tuple[str, ...] = ()
    """Long texts, one of which the assistant answers half of the turns with."""
    questions: int = 1
    """Most questions asked about one past in `conversation`: the drawn one, then plain ones about its other facts."""
    untold: float = 0.0
    """Probability that `conversation` also asks for something that was never said, often said of somebody else."""
    numbers: float = 0.0
    """Probability that an episode is about numbers, dates and codes alone: token by token, they are the most alike."""
    unseen_value: bool = False
    """Whether `sample` asks for values that training never has; not for the train split."""
    unseen_phrasing: bool = True
    """Whether `sample` uses the split's own phrasings or those of training (all that the train split has)."""

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ConfigError(f"Expected a split out of {', '.join(SPLITS)}; got {self.split!r}.")
        ranges = (("facts", self.facts, 1), ("distractors", self.distractors, 0))
        for name, (low, high), least in ranges:
            if not least <= low <= high:
                raise ConfigError(f"Expected {name} as (fewest, most), fewest at least {least}; got {(low, high)}.")
        if unknown := [key for key in self.attributes if key not in ATTRIBUTES]:
            raise ConfigError(f"Expected attributes out of {', '.join(ATTRIBUTES)}; got {unknown}.")
        if unknown := [task for task in self.tasks if task not in DEFAULT_TASKS]:
            raise ConfigError(f"Expected tasks out of {', '.join(DEFAULT_TASKS)}; got {unknown}.")
        if not self.tasks or min(self.tasks.values()) < 0 or sum(self.tasks.values()) <= 0:
            raise ConfigError(f"Expected task weights of 0 or more with a positive sum; got {dict(self.tasks)}.")
        if self.unseen_value and self.split == "train":
            raise ConfigError("Expected unseen_value=False for the train split: what training shows is seen.")

    def episode(self, seed: int, index: int) -> Episode:
        """Episode number `index` of the stream `seed`."""
        return episode(self, seed, index)

    def sample(self, rng: random.Random) -> Episode:
        """An episode of a task drawn by weight, with facts and distractors drawn from their ranges."""
        return self.conversation(rng)[0]

    def conversation(self, rng: random.Random) -> tuple[Episode, ...]:
        """Such an episode, and up to `questions` − 1 more questions about the same past."""
        task = rng.choices(list(self.tasks), list(self.tasks.values()))[0]
        facts, distractors = rng.randint(*self.facts), rng.randint(*self.distractors)
        if task == "reconstruct":
            facts, distractors = min(facts, 3), min(distractors, 1)
        if task in _UNTOLD_FACT and rng.random() < 0.15:
            facts, distractors = 0, max(distractors, 1)
        return self._make_all(task, rng, facts, distractors, self.unseen_value, self.unseen_phrasing, "mixed")

    def recall_episode(
        self,
        rng: random.Random,
        *,
        facts: int = 3,
        distractors: int = 3,
        unseen_value: bool = False,
        unseen_phrasing: bool = True,
        placement: str = "mixed",
    ) -> Episode:
        """A question for one of several facts.

        Args:
            rng: Source of chance.
            facts: Number of facts told.
            distractors: Number of turns that tell nothing.
            unseen_value: Whether the asked value is one that training never has.
            unseen_phrasing: Whether phrasings are the split's own, or those of training.
            placement: "mixed" among the facts, or "after" all of them (then `distractors` is the distance).
        """
        return self._make_all("recall", rng, facts, distractors, unseen_value, unseen_phrasing, placement)[0]

    def update_episode(
        self,
        rng: random.Random,
        *,
        facts: int = 1,
        distractors: int = 2,
        unseen_value: bool = False,
        unseen_phrasing: bool = True,
        placement: str = "mixed",
    ) -> Episode:
        """A question for a fact that was told and later replaced; the value is the latest.

        Arguments as in `recall_episode`; `facts` counts the asked one once.
        """
        return self._make_all("update", rng, facts, distractors, unseen_value, unseen_phrasing, placement)[0]

    def unknown_episode(
        self, rng: random.Random, *, facts: int = 2, distractors: int = 2, unseen_phrasing: bool = True
    ) -> Episode:
        """A question for what was never said; the answer contains "haven't told me"."""
        return self._make_all("unknown", rng, facts, distractors, False, unseen_phrasing, "mixed")[0]

    def preference_episode(
        self,
        rng: random.Random,
        *,
        facts: int = 2,
        distractors: int = 2,
        unseen_value: bool = False,
        unseen_phrasing: bool = True,
    ) -> Episode:
        """An open request ("Plan my dinner.") whose answer must contain a told preference."""
        return self._make_all("preference", rng, facts, distractors, unseen_value, unseen_phrasing, "mixed")[0]

    def reconstruct_episode(
        self, rng: random.Random, *, facts: int = 1, distractors: int = 0, unseen_phrasing: bool = True
    ) -> Episode:
        """A request to repeat what was told, word for word."""
        return self._make_all("reconstruct", rng, facts, distractors, False, unseen_phrasing, "mixed")[0]

    def _make_all(
        self,
        task: str,
        rng: random.Random,
        facts: int,
        distractors: int,
        unseen_value: bool,
        unseen_phrasing: bool,
        placement: str,
    ) -> tuple[Episode, ...]:
        if placement not in ("mixed", "after"):
            raise ConfigError(f"Expected placement 'mixed' or 'after'; got {placement!r}.")
        if unseen_value and self.split == "train":
            raise ConfigError("Expected unseen_value=False for the train split: what training shows is seen.")
        phrasings: Split = self.split if unseen_phrasing else "train"
        draft = _Draft(
            life=self, rng=rng, task=task, count=facts, distractors=distractors, placement=placement,
            phrasings=phrasings, unseen_value=unseen_value,
        )  # fmt: skip
        for _ in range(_ATTEMPTS):
            made = draft.attempt()
            if made is not None:
                return made
        raise ConfigError(
            f"Found no {task} episode with {facts} facts and {distractors} distractors in {_ATTEMPTS} "
            "attempts. Allow more attributes or fewer facts."
        )

    def settings(self, phrasings: Split) -> Settings:
        """What the teller of facts needs to know."""
        return Settings(
            split=self.split,
            phrasings=phrasings,
            acknowledgements=self.acknowledgements,
            joined=self.joined,
            openings=self.openings,
            speakers=self.speakers,
            tools=self.tools,
            tool_calls=self.tool_calls,
            dialogue=self.dialogue,
            asides=self.asides,
            replies=self.replies,
        )


@dataclass(kw_only=True, slots=True)
class _Draft:
    """Attempts at one episode."""

    life: AgentLife
    rng: random.Random
    task: str
    count: int
    distractors: int
    placement: str
    phrasings: Split
    unseen_value: bool

    def attempt(self) -> tuple[Episode, ...] | None:
        """An episode and further questions about its past, or None when the drawn facts don't allow a fair one."""
        rng, life = self.rng, self.life
        keys = life.attributes or tuple(ATTRIBUTES)
        if life.numbers and rng.random() < life.numbers:
            keys = tuple(key for key in keys if is_made(ATTRIBUTES[key].pool)) or keys
        extra = 1 if self.task in _UNTOLD_FACT else 0
        facts = draw_facts(
            rng,
            life.split,
            count=self.count + extra,
            keys=keys,
            third_person=life.third_person,
            rivals=max(life.rivals, 0.5) if self.task == "unknown" else life.rivals,
            asked=lambda fact: self._askable(fact),
            unseen_value=self.unseen_value,
        )
        if facts is None:
            return None
        asked, told = facts[0], facts[extra:]
        if self.task == "update":
            old = draw_value(rng, life.split, asked, unseen=False)
            asked = asked.updating(old)
            told = (asked, *told[1:])
        teller = Telling(rng, life.settings(self.phrasings))
        written = teller.tell(told, self.distractors, self.placement)
        if self.task == "reconstruct":
            question, answer, value = self._reconstruction(teller, told)
        else:
            question, answer, value = self._question(teller, asked)
            if value and not teller.is_fair(asked, question):
                return None
        cell = self._cell(asked)
        first = _asked(written, question, answer, value, task=self.task, cell=cell)
        others = [fact for fact in told if fact is not asked]
        return (
            first,
            *self._further(teller, others, written),
            *self._untold(teller, told, written, keys),
        )

    def _further(self, teller: Telling, facts: list[Fact], written: tuple[Message, ...]) -> list[Episode]:
        """Plain questions about other facts of the same past, where the answer can't be guessed."""
        wanted = min(self.life.questions - 1, len(facts))
        found = []
        for fact in self.rng.sample(facts, wanted) if wanted > 0 else ():
            question, answer, value = self._recall(teller, fact)
            if teller.is_fair(fact, question):
                cell = self._cell(fact)
                found.append(_asked(written, question, answer, value, task="recall", cell=cell))
        return found

    def _untold(
        self, teller: Telling, told: tuple[Fact, ...], written: tuple[Message, ...], keys: tuple[str, ...]
    ) -> list[Episode]:
        """Perhaps a question for what was never said."""
        life = self.life
        if not life.untold or self.rng.random() >= life.untold:
            return []
        fact = draw_untold(
            self.rng, life.split, told, keys=keys, third_person=life.third_person, rivals=max(life.rivals, 0.5)
        )
        if fact is None:
            return []
        question, answer = self._about_untold(teller, fact)
        cell = self._cell(fact)
        return [_asked(written, question, answer, "", task="unknown", cell=cell)]

    def _about_untold(self, teller: Telling, fact: Fact) -> tuple[str, str]:
        """Question for what was never said, and its answer: the usual one up to where the value would stand.

        There a read asks for the value itself, so that finding none decides; at an answer's first word it can't.
        """
        template = self.rng.choice(teller.questions(fact))
        stem = _VALUE_SLOT.split(self._worded(fact.attribute.answers(third=fact.owner is not None)))[0].rstrip()
        return teller.ask(fact, template, f"{stem}{wording.NOT_TOLD}" if stem else wording.UNTOLD)

    def _cell(self, asked: Fact) -> dict[str, int | str | bool]:
        return {
            "facts": self.count,
            "distractors": self.distractors,
            "unseen_value": self.unseen_value,
            "unseen_phrasing": self.phrasings != "train",
            "attribute": asked.attribute.key,
            "person": "user" if asked.owner is None else "third",
        }

    def _askable(self, fact: Fact) -> bool:
        """Whether the task can be put about this fact."""
        third = fact.owner is not None
        if self.task == "update":
            return bool(fact.attribute.changes(self.phrasings, third=third))
        if self.task == "preference":
            return bool(fact.attribute.uses(self.phrasings, third=third))
        return True

    def _question(self, teller: Telling, asked: Fact) -> tuple[str, str, str]:
        """Question, answer and value."""
        third = asked.owner is not None
        if self.task == "preference":
            request, answer = self.rng.choice(asked.attribute.uses(self.phrasings, third=third))
            return (*teller.ask(asked, request, answer), asked.value)
        if self.task == "unknown":
            return (*self._about_untold(teller, asked), "")
        if self.task == "acknowledge":
            return teller.state(asked), self.rng.choice(wording.ACKNOWLEDGEMENTS.of("train")), ""
        return self._recall(teller, asked)

    def _recall(self, teller: Telling, asked: Fact) -> tuple[str, str, str]:
        """A plain question, its answer and the value in it."""
        template = self.rng.choice(teller.questions(asked))
        answer = self._worded(asked.attribute.answers(third=asked.owner is not None))
        return (*teller.ask(asked, template, answer), asked.value)

    def _worded(self, answers: Sequence[str]) -> str:
        """One of the answers, mostly the first."""
        return answers[0] if self.rng.random() < self.life.usual_answer else self.rng.choice(answers)

    def _reconstruction(self, teller: Telling, told: tuple[Fact, ...]) -> tuple[str, str, str]:
        """Request, everything (or the first or last thing) that the user said, and a value in it."""
        said = teller.said
        if len(said) == 1 or (len(said) <= 3 and self.rng.random() < 0.6):
            prompts, answer = wording.REPEAT_ALL, " ".join(said)
        elif self.rng.random() < 0.5:
            prompts, answer = wording.REPEAT_FIRST, said[0]
        else:
            prompts, answer = wording.REPEAT_LAST, said[-1]
        values = [fact.value for fact in told if fact.value in answer]
        return self.rng.choice(prompts.of(self.phrasings)), answer, values[0] if values else ""


def _asked(
    written: tuple[Message, ...], question: str, answer: str, value: str, *, task: str, cell: dict[str, Any]
) -> Episode:
    return Episode(
        written=written,
        visible=(Message(role="user", content=question),),
        target=Message(role="assistant", content=answer),
        value=value,
        task=task,
        cell=cell,
    )
