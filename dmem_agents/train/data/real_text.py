"""Episodes from published data sets, read from a folder of the user's and never copied.

The folder is laid out like `synthetic_persona_chat/…_valid.csv.gz`, `squadv2/test.jsonl.gz`,
`hotpotqa/train_100.json.gz` and `babi/qa1_single-supporting-fact_train.txt.gz`. Each source splits its file
by the spelling of what is told: a passage is in one split only. Synthetic-Persona-Chat and bAbI take the test
split from their published test files.
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dmem_agents.errors import ConfigError
from dmem_agents.messages import Message
from dmem_agents.train.data.episode import Episode, Mixture
from dmem_agents.train.data.phrasing import capitalised
from dmem_agents.train.data.splits import Split, split_of
from dmem_agents.train.data.text_files import read_json, read_json_lines, read_text, with_columns

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"(])")
_FIRST_PERSON = re.compile(r"\b(i|i'm|i've|i'd|i'll|im|ive|my|mine|me|we|our|user)\b|\[", re.IGNORECASE)
_TO_SECOND = {
    "i": "you",
    "i'm": "you're",
    "im": "you're",
    "i've": "you've",
    "ive": "you've",
    "i'd": "you'd",
    "i'll": "you'll",
    "my": "your",
    "mine": "yours",
    "me": "you",
    "am": "are",
    "myself": "yourself",
}
_STOP_WORDS = frozenset(
    """
    about after also always been being cannot could does doesn don every from have having just like likes love
    lots many more most much never only other really some than that their them there they this want wants when
    where which while with work would years your favorite favourite enjoy going
    """.split()
)
_INTRODUCTION = re.compile(r"\b([Nn]ame|[Cc]all|[Nn]ice|[Mm]eet)\b|, [A-Z]")
_BABI_FILES = {
    "qa1": "qa1_single-supporting-fact",
    "qa2": "qa2_two-supporting-facts",
    "qa5": "qa5_three-arg-relations",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """A passage in pieces, a question and its answer."""

    told: tuple[str, ...]
    """What is written, one message each."""
    question: str
    """What is asked."""
    answer: str
    """The answer's sentence."""
    value: str
    """The string a correct answer contains."""
    kind: str
    """Which data set, for reports."""


class Stories:
    """Episodes out of a fixed list of stories."""

    def __init__(self, stories: Sequence[Story], *, task: str) -> None:
        """Take the stories; raises `ConfigError` when there is none."""
        if not stories:
            raise ConfigError(f"Expected at least one {task} story in this split; the file has none.")
        self.stories = tuple(stories)
        self._task = task

    def sample(self, rng: random.Random) -> Episode:
        """An episode of one story, any as likely as another."""
        story = rng.choice(self.stories)
        return Episode(
            written=tuple(Message(role="user", content=text) for text in story.told),
            visible=(Message(role="user", content=story.question),),
            target=Message(role="assistant", content=story.answer),
            value=story.value,
            task=self._task,
            cell={"facts": len(story.told), "distractors": 0, "attribute": story.kind},
        )


class PersonaChat:
    """Synthetic-Persona-Chat: people state their personas; the agent is asked what they said.

    Train and validation come from the published valid file, test from its test file.
    """

    def __init__(
        self,
        data_folder: Path | str,
        split: Split = "train",
        *,
        facts: tuple[int, int] = (1, 3),
        dialogue: int = 2,
    ) -> None:
        """Read the personas.

        Args:
            data_folder: Folder with `synthetic_persona_chat/`.
            split: Which rows.
            facts: Fewest and most persona sentences told.
            dialogue: Most lines of dialogue among them.

        Raises:
            ConfigError: When the file is missing or has other columns.
        """
        rows = list(_persona_rows(Path(data_folder), split))
        self.personas = [
            p for row in rows for key in ("user 1 personas", "user 2 personas") if (p := _sentences(row[key]))
        ]
        self._dialogue = persona_dialogue(data_folder, split)
        self._facts, self._most_dialogue = facts, dialogue

    def sample(self, rng: random.Random) -> Episode:
        """Some sentences of one persona; the question names a word of one of them, or asks for everything."""
        persona = rng.choice(self.personas)
        told = rng.sample(persona, min(len(persona), rng.randint(*self._facts)))
        noise = rng.choices(self._dialogue, k=rng.randint(0, self._most_dialogue)) if self._dialogue else []
        lines = rng.sample([*told, *noise], len(told) + len(noise))
        asked = told[0]
        question, answer = (
            rng.choice(("What do you know about me?", "What did I tell you about myself?")),
            asked,
        )
        if len(told) > 1 or rng.random() < 0.5:
            others = " ".join(line for line in lines if line != asked).lower()
            words = [w for w in _content_words(asked) if w not in others]
            if words:
                question = f"What did I say about {rng.choice(words[-2:])}?"
            else:
                lines, told = [asked], [asked]
        return Episode(
            written=tuple(Message(role="user", content=line) for line in lines),
            visible=(Message(role="user", content=question),),
            target=Message(role="assistant", content=second_person(answer)),
            task="persona",
            cell={"facts": len(told), "distractors": len(lines) - len(told), "attribute": "persona"},
        )


def persona_dialogue(data_folder: Path | str, split: Split = "train") -> tuple[str, ...]:
    """Short lines of Synthetic-Persona-Chat dialogue that tell nothing about their speaker.

    Meant for `AgentLife.dialogue`; arguments and errors as in `PersonaChat`.
    """
    found: dict[str, None] = {}
    for row in _persona_rows(Path(data_folder), split):
        for line in row["Best Generated Conversation"].splitlines():
            text = line.partition(": ")[2].strip()
            tells = _FIRST_PERSON.search(text) or _INTRODUCTION.search(text)
            if 3 <= len(text.split()) <= 14 and not tells and split_of(text) == split:
                found[text] = None
    return tuple(found)


def persona_conversations(data_folder: Path | str, split: Split = "train") -> tuple[tuple[str, ...], ...]:
    """Whole conversations of Synthetic-Persona-Chat, line by line without the speakers; errors as in `PersonaChat`."""
    conversations = []
    for row in _persona_rows(Path(data_folder), split):
        said = (line.partition(": ")[2].strip() for line in row["Best Generated Conversation"].splitlines())
        conversations.append(tuple(line for line in said if line))
    return tuple(c for c in conversations if c)


def squad(data_folder: Path | str, split: Split = "train", *, longest: int = 45) -> Stories:
    """SQuAD 2.0, answerable questions: the sentence that holds the answer is told, then asked for.

    Args:
        data_folder: Folder with `squadv2/`.
        split: By the spelling of the sentence.
        longest: Most words of a sentence; longer ones are left out.
    """
    stories = []
    for record in read_json_lines(Path(data_folder) / "squadv2" / "test.jsonl.gz", ("context", "question", "answers")):
        if not record["answers"]:
            continue
        value = str(record["answers"][0]["text"])
        sentence = next((s for s in _SENTENCE_END.split(record["context"]) if value in s), "")
        if sentence and len(sentence.split()) <= longest and split_of(sentence) == split:
            question = str(record["question"]).strip()
            stories.append(_story((sentence,), question, value, kind="squad"))
    return Stories(stories, task="squad")


def replies(data_folder: Path | str, split: Split = "train", *, words: int = 60) -> tuple[str, ...]:
    """The starts of SQuAD 2.0's passages, as what an assistant answers at length; meant for `AgentLife.replies`.

    Args:
        data_folder: Folder with `squadv2/`.
        split: By the spelling of the start.
        words: About how many each has; it ends with a sentence.
    """
    found: dict[str, None] = {}
    for record in read_json_lines(Path(data_folder) / "squadv2" / "test.jsonl.gz", ("context",)):
        start = ""
        for sentence in _SENTENCE_END.split(record["context"]):
            start = f"{start} {sentence}".strip()
            if len(start.split()) >= words:
                break
        if start and split_of(start) == split:
            found[start] = None
    return tuple(found)


def hotpot(data_folder: Path | str, split: Split = "train", *, longest: int = 60) -> Stories:
    """HotpotQA without yes/no: the supporting sentences are told one by one, then the question.

    Args:
        data_folder: Folder with `hotpotqa/`.
        split: By the spelling of the question.
        longest: Most words of all told sentences together.
    """
    path = Path(data_folder) / "hotpotqa" / "train_100.json.gz"
    stories = []
    for record in read_json(path, ("context", "question", "answer", "supporting_facts")):
        passages = dict(record["context"])
        told = tuple(
            passages[title][i].strip()
            for title, i in record["supporting_facts"]
            if title in passages and i < len(passages[title])
        )
        value, question = str(record["answer"]), str(record["question"]).strip()
        words = sum(len(text.split()) for text in told)
        if value in " ".join(told) and words <= longest and split_of(question) == split:
            stories.append(_story(told, question, value, kind="hotpot"))
    return Stories(stories, task="hotpot")


def babi(
    data_folder: Path | str,
    split: Split = "train",
    *,
    tasks: Sequence[str] = ("qa1", "qa2", "qa5"),
    longest: int = 8,
) -> Stories:
    """Tasks 1, 2 and 5 of bAbI: the story from its first supporting line on, then the question.

    Args:
        data_folder: Folder with `babi/`.
        split: Test from the test files; train and validation by the spelling of the told lines.
        tasks: Which of qa1, qa2, qa5.
        longest: Most lines told; longer stories are left out.
    """
    stories = []
    for task in tasks:
        if task not in _BABI_FILES:
            raise ConfigError(f"Expected bAbI tasks out of {', '.join(_BABI_FILES)}; got {task!r}.")
        part = "test" if split == "test" else "train"
        path = Path(data_folder) / "babi" / f"{_BABI_FILES[task]}_{part}.txt.gz"
        for told, question, value in _babi_stories(path):
            own = split == "test" or (split_of(" ".join(told)) == "validation") == (split == "validation")
            if own and len(told) <= longest:
                answer = _babi_answer(question, value)
                stories.append(Story(told=told, question=question, answer=answer, value=value, kind=task))
    return Stories(stories, task="babi")


def real_text(data_folder: Path | str, split: Split = "train") -> Mixture:
    """All real sources together: half personas, the rest bAbI, SQuAD and HotpotQA."""
    return Mixture(
        sources=(
            (0.5, PersonaChat(data_folder, split)),
            (0.3, babi(data_folder, split)),
            (0.12, squad(data_folder, split)),
            (0.08, hotpot(data_folder, split)),
        )
    )


def second_person(sentence: str) -> str:
    """A first-person sentence told back to its speaker: "I love my dog." becomes "You love your dog."."""
    turned = re.sub(r"[A-Za-z']+", lambda match: _TO_SECOND.get(match[0].lower(), match[0]), sentence)
    turned = re.sub(r"\byou was\b", "you were", turned)
    return turned[:1].upper() + turned[1:]


def _story(told: tuple[str, ...], question: str, value: str, *, kind: str) -> Story:
    answer = f"It is {value}" + ("" if value.endswith(".") else ".")
    return Story(told=told, question=question, answer=answer, value=value, kind=kind)


def _babi_answer(question: str, value: str) -> str:
    """The answer as a sentence, made from the question's words."""
    if where := re.fullmatch(r"Where is (.+)\?", question):
        return capitalised(f"{where[1]} is in the {value}.")
    if given := re.fullmatch(r"What did (\w+) give to (\w+)\?", question):
        return f"{given[1]} gave the {value} to {given[2]}."
    if giver := re.fullmatch(r"Who gave (.+)\?", question):
        return f"{value} gave {giver[1]}."
    if receiver := re.fullmatch(r"Who did (\w+) give (.+) to\?", question):
        return f"{receiver[1]} gave {receiver[2]} to {value}."
    if received := re.fullmatch(r"Who received (.+)\?", question):
        return f"{value} received {received[1]}."
    return f"It is {value}."


def _babi_stories(path: Path) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Lines from the first supporting one to the question; question; answer."""
    story: dict[int, str] = {}
    for line in read_text(path).splitlines():
        number, _, rest = line.partition(" ")
        if not number.isdigit():
            raise ConfigError(f"Expected numbered bAbI lines in {path}; got a line without a number.")
        if number == "1":
            story = {}
        if "\t" not in rest:
            story[int(number)] = rest.strip()
            continue
        fields = rest.split("\t")
        if len(fields) != 3:
            raise ConfigError(f"Expected question, answer and supporting lines in {path}; got {len(fields)} fields.")
        support = min(int(n) for n in fields[2].split())
        yield tuple(text for n, text in story.items() if n >= support), fields[0].strip(), fields[1].strip()


def _persona_rows(data_folder: Path, split: Split) -> Iterator[Mapping[str, str]]:
    part = "test" if split == "test" else "valid"
    path = data_folder / "synthetic_persona_chat" / f"Synthetic-Persona-Chat_{part}.csv.gz"
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    columns = ("user 1 personas", "user 2 personas", "Best Generated Conversation")
    for row in with_columns(path, list(rows), columns):
        held = split_of(row["user 1 personas"]) == "validation"
        if split == "test" or held == (split == "validation"):
            yield row


def _sentences(persona: str) -> list[str]:
    """Persona sentences fit to be told: first person, short, capitalised, ending with a full stop."""
    kept = []
    for line in persona.splitlines():
        text = line.strip().rstrip(".")
        if 3 <= len(text.split()) <= 14 and re.match(r"(i|i'm|i've|my)\b", text, re.IGNORECASE):
            text = re.sub(r"\bi\b", "I", text)
            kept.append(f"{text[0].upper()}{text[1:]}.")
    return list(dict.fromkeys(kept))


def _content_words(sentence: str) -> list[str]:
    return [w for w in re.findall(r"[a-z]{4,}", sentence.lower()) if w not in _STOP_WORDS]
