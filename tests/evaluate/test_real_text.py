"""Records of published data sets become pasts, questions and gold answers."""

from __future__ import annotations

from typing import Any

from dmem_agents.evaluate.real_text import longmemeval_episodes, persona_episodes
from dmem_agents.train.data.real_text import second_person

COUNT: dict[str, Any] = {"seed": 0, "count_tokens": lambda text: len(text.split())}


def persona_row(persona: str, *lines: str) -> dict[str, str]:
    return {
        "user 1 personas": persona,
        "user 2 personas": "I am someone else.",
        "Best Generated Conversation": "\n".join(lines),
    }


def persona(*rows: dict[str, str], n: int = 9, **options: Any) -> list[Any]:
    return persona_episodes(rows, n, second_person=second_person, **COUNT, **options)


def turn(role: str, content: str, *, marked: bool = False) -> dict[str, Any]:
    return {"role": role, "content": content, **({"has_answer": True} if marked else {})}


def question(*sessions: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    dates = [f"2023/04/{9 - i:02d}" for i in range(len(sessions))]  # the later session stands first
    record = {"question_id": "q1", "question_type": "multi-session", "question": "How many?", "answer": 2}
    return record | {"haystack_dates": dates, "haystack_sessions": list(sessions)} | fields


def test_user_1_talks_to_the_agent_and_is_asked_about_what_their_lines_say() -> None:
    row = persona_row(
        "I have a turtle.\nI run marathons.", "User 2: Hello.", "User 1: My turtle sleeps.", "User 2: Cute!"
    )
    (episode,) = persona(row)
    assert [(m.role, m.content) for m in episode.written] == [("user", "My turtle sleeps."), ("assistant", "Cute!")]
    assert episode.answer == "You have a turtle."


def test_a_persona_of_which_only_the_other_one_speaks_is_passed_over() -> None:
    assert persona(persona_row("I have a turtle.", "User 1: Hello.", "User 2: A turtle!")) == []


def test_what_is_told_after_the_last_written_message_is_not_asked() -> None:
    row = persona_row("I have a turtle.", "User 1: Hello.", "User 2: Hi.", "User 1: My turtle sleeps.")
    assert len(persona(row, most_messages=3)) == 1
    assert persona(row, most_messages=2) == []


def test_conversations_are_drawn_by_seed_up_to_n() -> None:
    rows = [persona_row("I have a turtle.", f"User 1: Turtle {i}.") for i in range(9)]
    assert len(persona(*rows, n=4)) == 4
    assert persona(*rows, n=4) == persona(*rows, n=4)


def test_marked_turns_are_written_by_date_and_an_answer_with_its_question() -> None:
    later = [turn("user", "asks"), turn("assistant", "says", marked=True), turn("user", "thanks")]
    earlier = [turn("user", "greets"), turn("assistant", "hi"), turn("user", "tells", marked=True)]
    (episode,) = longmemeval_episodes([question(later, earlier)], 9, **COUNT)
    assert [(m.role, m.content) for m in episode.written] == [
        ("user", "tells"),
        ("user", "asks"),
        ("assistant", "says"),
    ]
    assert (episode.question, episode.answer, episode.kind) == ("How many?", "2", "multi-session")


def test_questions_without_usable_evidence_or_answer_are_left_out() -> None:
    marked = [turn("user", "one two three four", marked=True)]
    left_out = [
        question(marked, question_id="q_abs"),
        question(marked, question_type="single-session-preference"),
        question([turn("user", "nothing marked")]),
        question([turn("user", "one two three four five", marked=True)]),
    ]
    assert longmemeval_episodes(left_out, 9, **COUNT, most_tokens=4) == []
    assert len(longmemeval_episodes([question(marked)], 9, **COUNT, most_tokens=4)) == 1
