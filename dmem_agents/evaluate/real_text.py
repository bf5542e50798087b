"""Published dialogues as pasts with questions and gold answers. Knows their records; reads no files.

Synthetic-Persona-Chat: User 1 talks to the agent, which speaks User 2's lines. Each user line and its reply is a turn.
The question is what the agent knows about the user; the gold answer is those sentences of the published persona
that the user's written lines speak of (at least half of their words of four letters or more), in the second person.
At most the first 24 messages are written.

LongMemEval-oracle: the turns marked `has_answer` are written, each marked answer with the user message before it,
in the order of the sessions' dates, without the dates. Left out: abstention questions, whose evidence is that there is
none; preference questions, whose gold text is a grading rubric and no answer; questions without a marked turn;
and those whose evidence has a message above the token cap, rather than cutting evidence out of it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dmem_agents.evaluate.likelihood import GoldEpisode
from dmem_agents.messages import Message

PERSONA_COLUMNS = ("user 1 personas", "user 2 personas", "Best Generated Conversation")
LONGMEMEVAL_COLUMNS = (
    "question_id",
    "question_type",
    "question",
    "answer",
    "haystack_dates",
    "haystack_sessions",
)
PERSONA_QUESTION = "What do you know about me?"
_WORD = re.compile(r"[a-z]{4,}")


def persona_episodes(
    rows: Iterable[Mapping[str, str]],
    n: int,
    *,
    seed: int,
    second_person: Callable[[str], str],
    count_tokens: Callable[[str], int],
    most_tokens: int = 256,
    most_messages: int = 24,
) -> list[GoldEpisode]:
    """Up to `n` conversations of Synthetic-Persona-Chat, drawn by `seed`.

    Args:
        rows: with `PERSONA_COLUMNS`.
        n: most episodes; rows whose user tells nothing of the persona are passed over.
        seed: of the draw.
        second_person: turns "I love my dog." into "You love your dog.".
        count_tokens: length of a message's text.
        most_tokens: of one written message; a conversation with a longer one is left out.
        most_messages: written of one conversation, from its start.
    """
    episodes: list[GoldEpisode] = []
    for row in _shuffled(rows, seed):
        if len(episodes) == n:
            break
        written = _dialogue(row["Best Generated Conversation"])[:most_messages]
        said = set(_WORD.findall(" ".join(m.content for m in written if m.role == "user").lower()))
        told = [line.strip() for line in row["user 1 personas"].splitlines() if _is_told(line, said)]
        if told and all(count_tokens(m.content) <= most_tokens for m in written):
            answer = " ".join(second_person(line) for line in told)
            episodes.append(
                GoldEpisode(written=tuple(written), question=PERSONA_QUESTION, answer=answer, kind="persona")
            )
    return episodes


def longmemeval_episodes(
    records: Iterable[Mapping[str, Any]],
    n: int,
    *,
    seed: int,
    count_tokens: Callable[[str], int],
    most_tokens: int = 256,
) -> list[GoldEpisode]:
    """Up to `n` questions of LongMemEval-oracle with their evidence turns, drawn by `seed`.

    Args:
        records: with `LONGMEMEVAL_COLUMNS`.
        n: most episodes.
        seed: of the draw.
        count_tokens: length of a message's text.
        most_tokens: of one written message; a question with a longer one is left out.
    """
    episodes: list[GoldEpisode] = []
    for record in _shuffled(records, seed):
        if len(episodes) == n:
            break
        kind = str(record["question_type"])
        if str(record["question_id"]).endswith("_abs") or kind == "single-session-preference":
            continue
        written = _evidence(record)
        if written and all(count_tokens(m.content) <= most_tokens for m in written):
            episodes.append(
                GoldEpisode(
                    written=tuple(written), question=str(record["question"]), answer=str(record["answer"]), kind=kind
                )
            )
    return episodes


def _shuffled(records: Iterable[Mapping[str, Any]], seed: int) -> list[Mapping[str, Any]]:
    listed = list(records)
    random.Random(seed).shuffle(listed)
    return listed


def _dialogue(text: str) -> list[Message]:
    """User 1's lines as the user's, User 2's as the agent's; a conversation that User 2 opens begins with User 1."""
    roles: Mapping[str, Any] = {"User 1": "user", "User 2": "assistant"}
    pairs = [line.partition(": ") for line in text.splitlines()]
    messages = [
        Message(role=roles[who], content=said.strip()) for who, _, said in pairs if who in roles and said.strip()
    ]
    first = next((i for i, m in enumerate(messages) if m.role == "user"), len(messages))
    return messages[first:]


def _is_told(line: str, said: set[str]) -> bool:
    words = _WORD.findall(line.lower())
    return bool(words) and 2 * sum(word in said for word in words) >= len(words)


def _evidence(record: Mapping[str, Any]) -> list[Message]:
    """Marked turns, sessions by date; a marked answer together with the user message before it."""
    sessions = list(zip(record["haystack_dates"], record["haystack_sessions"], strict=True))
    chosen: list[Message] = []
    for _, session in sorted(sessions, key=lambda pair: str(pair[0])):
        marked = {i for i, turn in enumerate(session) if turn.get("has_answer")}
        marked |= {
            i - 1 for i in marked if i and session[i]["role"] == "assistant" and session[i - 1]["role"] == "user"
        }
        chosen += [Message(role=session[i]["role"], content=session[i]["content"]) for i in sorted(marked)]
    return chosen
