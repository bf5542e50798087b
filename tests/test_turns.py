"""Alignment against a naive model of an agent that writes down, in order, all it absorbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from dmem_agents.errors import ConfigError, HistoryDivergedError, MessageError, StateError
from dmem_agents.messages import Message, ToolCall
from dmem_agents.turns import TurnPlan, Watermark, align, next_watermark, shown_context

CALL = (ToolCall(id="c1", name="look"),)


def user(text: str) -> Message:
    return Message(role="user", content=text)


def said(text: str) -> Message:
    return Message(role="assistant", content=text)


def call(text: str = "") -> Message:
    return Message(role="assistant", content=text, tool_calls=CALL)


def result(text: str) -> Message:
    return Message(role="tool", content=text, tool_call_id="c1")


@dataclass
class NaiveAgent:
    """Absorbs messages into lists; what is in `head` was written exactly once."""

    base: list[Message] = field(default_factory=list)
    head: list[Message] = field(default_factory=list)
    watermark: Watermark = field(default_factory=Watermark)
    max_digests: int = 512

    def plan(self, incoming: list[Message], **options: Any) -> TurnPlan:
        return align(incoming, self.watermark, **options)

    def turn(self, incoming: list[Message], answer: Message | None, asked: bool = False, **options: Any) -> TurnPlan:
        plan = self.plan(incoming, **options)
        state = {"head": self.head, "base": self.base, "empty": []}[plan.start]
        base = state + [incoming[index] for older in plan.absorb for index in older]
        written = [incoming[index] for index in plan.turn if index in plan.write]
        self.base, self.head = base, base + written + ([] if answer is None else [answer])
        digests = [message.digest() for message in incoming]
        self.watermark = next_watermark(
            plan, digests, answer.digest() if answer else None, asked=asked, max_digests=self.max_digests
        )
        return plan

    def texts(self) -> list[str]:
        return [message.content for message in self.head]


def told(*messages: Message) -> NaiveAgent:
    """An agent that lived through `messages`, one call per answer, the whole history each time."""
    agent = NaiveAgent()
    for index, message in enumerate(messages):
        if message.role == "assistant":
            agent.turn(list(messages[:index]), message)
    return agent


TWO_TURNS = (user("u1"), said("a1"), user("u2"), said("a2"))


def test_a_first_message_is_new_and_becomes_the_current_turn() -> None:
    plan = NaiveAgent().plan([Message(role="system", content="s"), user("u1")])
    assert (plan.start, plan.absorb, plan.turn, plan.write) == ("head", (), (1,), frozenset({1}))
    assert (plan.kept, plan.appended, plan.skipped, plan.diverged) == (Watermark(), (1,), 0, False)


def test_full_history_leaves_only_the_last_message_new() -> None:
    agent = told(*TWO_TURNS)
    plan = agent.turn([*TWO_TURNS, user("u3")], said("a3"))
    assert (plan.start, plan.turn, plan.write, plan.skipped) == ("head", (4,), frozenset({4}), 4)
    assert agent.texts() == ["u1", "a1", "u2", "a2", "u3", "a3"]
    assert [message.content for message in agent.base] == ["u1", "a1", "u2", "a2"]


def test_a_trimmed_history_leaves_only_the_last_message_new() -> None:
    agent = told(*TWO_TURNS)
    for tail in (1, 2, 3):
        plan = agent.plan([*TWO_TURNS[-tail:], user("u3")])
        assert (plan.start, plan.write, plan.skipped) == ("head", frozenset({tail}), tail)


def test_a_summary_in_place_of_the_oldest_messages_is_not_absorbed() -> None:
    agent = told(*TWO_TURNS)
    plan = agent.plan([user("summary of u1 and a1"), user("u2"), said("a2"), user("u3")])
    assert (plan.start, plan.absorb, plan.turn, plan.write) == ("head", (), (3,), frozenset({3}))


def test_a_tool_loop_after_a_summary_runs_again_from_base_without_the_summary() -> None:
    agent = told(user("u1"), said("a1"), user("u2"), call())
    plan = agent.plan([user("summary"), user("u2"), call(), result("r")])
    assert (plan.start, plan.turn, plan.write) == ("base", (1, 2, 3), frozenset({1, 2, 3}))


def test_the_same_user_text_twice_is_absorbed_twice() -> None:
    alone, resent = told(user("ok"), said("yes")), told(user("ok"), said("yes"))
    alone.turn([user("ok")], said("yes"))
    resent.turn([user("ok"), said("yes"), user("ok")], said("yes"))
    assert alone.texts() == resent.texts() == ["ok", "yes", "ok", "yes"]


def test_a_user_message_absorbed_without_an_answer_is_new_text_when_sent_alone_again() -> None:
    agent = NaiveAgent()
    agent.turn([user("fact")], None)
    agent.turn([user("fact")], said("noted"))
    assert agent.texts() == ["fact", "fact", "noted"]


def test_a_history_that_ends_in_an_absorbed_user_message_runs_its_turn_again() -> None:
    agent = told(user("u1"), said("a1"))
    agent.turn([user("u1"), said("a1"), user("fact")], None)
    plan = agent.turn([user("u1"), said("a1"), user("fact")], said("noted"))
    assert (plan.start, plan.turn, plan.write) == ("base", (2,), frozenset({2}))
    assert agent.texts() == ["u1", "a1", "fact", "noted"]


def test_a_tool_result_with_its_turn_runs_the_whole_turn_again_from_base() -> None:
    agent = told(user("u1"), said("a1"), user("u2"), call())
    plan = agent.turn([user("u1"), said("a1"), user("u2"), call(), result("r")], said("a2"))
    assert (plan.start, plan.turn, plan.write) == ("base", (2, 3, 4), frozenset({2, 3, 4}))
    assert (plan.kept.absorbed, plan.skipped) == (2, 2)
    assert agent.texts() == ["u1", "a1", "u2", "", "r", "a2"]
    assert agent.watermark.turn_length == 4


def test_a_tool_result_alone_goes_on_from_head() -> None:
    agent = told(user("u1"), call())
    plan = agent.turn([result("r")], said("a1"))
    assert (plan.start, plan.turn, plan.write) == ("head", (0,), frozenset({0}))
    assert agent.texts() == ["u1", "", "r", "a1"]


def test_a_turn_whose_opening_was_trimmed_shows_what_is_left_and_writes_what_is_new() -> None:
    agent = told(user("u1"), call())
    plan = agent.turn([call(), result("r")], said("a1"))
    assert (plan.start, plan.turn, plan.write) == ("head", (0, 1), frozenset({1}))
    assert agent.texts() == ["u1", "", "r", "a1"]


def test_a_turn_that_head_holds_in_pieces_is_shown_whole_and_written_where_new() -> None:
    agent = told(user("u1"), call())
    agent.turn([result("r1")], call())  # a single-message caller moves base into the turn
    plan = agent.turn([user("u1"), call(), result("r1"), call(), result("r2")], said("a1"))
    assert (plan.start, plan.turn, plan.write) == ("head", (0, 1, 2, 3, 4), frozenset({4}))
    assert agent.texts() == ["u1", "", "r1", "", "r2", "a1"]


def test_turns_answered_elsewhere_are_absorbed_one_by_one_before_the_current_one() -> None:
    agent = told(user("u1"), said("a1"))
    history = [user("u1"), said("a1"), user("u2"), said("a2"), user("u3"), call(), result("r"), said("a3")]
    plan = agent.turn([*history, user("u4")], said("a4"))
    assert plan.absorb == ((2, 3), (4, 5, 6, 7))
    assert (plan.start, plan.turn) == ("head", (8,))
    assert [message.content for message in agent.base] == [message.content for message in history]
    assert agent.watermark.turn_length == 2


def test_a_turn_that_went_on_elsewhere_is_absorbed_whole_from_base() -> None:
    agent = told(user("u1"), call())
    plan = agent.turn([user("u1"), call(), result("r"), said("a1"), user("u2")], said("a2"))
    assert (plan.start, plan.absorb, plan.turn) == ("base", ((0, 1, 2, 3),), (4,))
    assert agent.texts() == ["u1", "", "r", "a1", "u2", "a2"]


def test_consecutive_user_messages_are_one_turn() -> None:
    plan = NaiveAgent().plan([user("u1"), user("u2")])
    assert (plan.absorb, plan.turn, plan.write) == ((), (0, 1), frozenset({0, 1}))


def test_resending_the_history_without_its_answer_regenerates_it() -> None:
    agent = told(*TWO_TURNS)
    plan = agent.turn(list(TWO_TURNS[:3]), said("a2 again"))
    assert (plan.start, plan.turn, plan.write) == ("base", (2,), frozenset({2}))
    assert agent.texts() == ["u1", "a1", "u2", "a2 again"]


def test_an_edited_last_user_message_replaces_the_turn() -> None:
    agent = told(*TWO_TURNS)
    plan = agent.turn([*TWO_TURNS[:2], user("u2 edited")], said("a2 edited"))
    assert "The last 2 absorbed messages were taken back" in plan.reason
    assert agent.texts() == ["u1", "a1", "u2 edited", "a2 edited"]


@pytest.mark.parametrize("flagged", [True, False])
def test_a_turn_that_is_repeated_or_said_to_be_replaced_is_taken_back_without_a_warning(flagged: bool) -> None:
    agent = told(*TWO_TURNS)
    again = [*TWO_TURNS[:2], user("u2 edited" if flagged else "u2")]
    assert not agent.turn(again, said("a2 again"), regenerate=flagged).reason
    assert agent.texts() == ["u1", "a1", again[-1].content, "a2 again"]


def test_an_edited_last_answer_is_rolled_back_and_absorbed_as_edited() -> None:
    agent = told(*TWO_TURNS)
    plan = agent.turn([*TWO_TURNS[:3], said("a2 edited"), user("u3")], said("a3"))
    assert (plan.start, plan.absorb, plan.turn) == ("base", ((2, 3),), (4,))
    assert agent.texts() == ["u1", "a1", "u2", "a2 edited", "u3", "a3"]


@pytest.mark.parametrize("opening", [[user("u1")], [user("rules"), user("u1")]])
def test_an_edited_first_answer_is_rolled_back_and_absorbed_as_edited(opening: list[Message]) -> None:
    agent = told(*opening, said("a1"))
    plan = agent.turn([*opening, said("a1 edited"), user("u2")], said("a2"))
    assert (plan.start, plan.diverged) == ("base", False)
    assert agent.texts() == [*(message.content for message in opening), "a1 edited", "u2", "a2"]


def test_regenerating_after_tool_calls_keeps_or_drops_them_as_the_caller_resends_them() -> None:
    history = [user("u1"), said("a1"), user("u2"), call(), result("r")]
    for resent, expected in ((5, ["u1", "a1", "u2", "", "r", "again"]), (3, ["u1", "a1", "u2", "again"])):
        agent = told(*history, said("a2"))
        assert agent.turn(history[:resent], said("again")).start == "base"
        assert agent.texts() == expected


def test_the_first_turn_regenerates_without_a_flag_only_on_two_messages() -> None:
    agent = told(user("u1"), call(), result("r"), said("a1"))
    assert agent.plan([user("u1"), call(), result("r")]).start == "base"
    assert agent.plan([user("u1")]).start == "head"


@pytest.mark.parametrize("text", ["u1", "u1 edited"])
def test_regenerate_replaces_the_first_turn(text: str) -> None:
    agent = told(user("u1"), said("a1"))
    plan = agent.turn([user(text)], said("again"), regenerate=True)
    assert (plan.start, plan.write, plan.kept) == ("base", frozenset({0}), Watermark())
    assert agent.texts() == [text, "again"]


@pytest.mark.parametrize("sent", [1, 2, 3])
def test_regenerate_replaces_the_current_turn_whatever_part_of_the_history_comes(sent: int) -> None:
    agent = told(*TWO_TURNS)
    agent.turn(list(TWO_TURNS[:3][-sent:]), said("again"), regenerate=True)
    assert agent.texts() == ["u1", "a1", "u2", "again"]


def test_regenerate_tells_repeated_turns_apart() -> None:
    agent = told(user("ok"), said("yes"), user("ok"), said("yes"))
    agent.turn([user("ok"), said("yes"), user("ok")], said("no"), regenerate=True)
    assert agent.texts() == ["ok", "yes", "ok", "no"]


def test_regenerate_replaces_a_first_turn_whose_opening_was_edited() -> None:
    agent = told(user("u1"), call(), result("r"), said("a1"))
    agent.turn([user("edited"), call(), result("r")], said("again"), regenerate=True)
    assert agent.texts() == ["edited", "", "r", "again"]


def test_regenerate_with_a_fresh_agent_is_an_ordinary_turn() -> None:
    agent = NaiveAgent()
    agent.turn([user("u1")], said("a1"), regenerate=True)
    assert agent.texts() == ["u1", "a1"]


def test_regenerate_that_contradicts_the_earlier_history_follows_on_divergence() -> None:
    agent = told(*TWO_TURNS, user("u3"), said("a3"))
    with pytest.raises(HistoryDivergedError):
        agent.plan([*TWO_TURNS[:2], user("new")], regenerate=True, on_divergence="error")


def test_a_history_that_ends_with_the_absorbed_answer_runs_its_turn_again() -> None:
    agent = told(*TWO_TURNS)
    plan = agent.turn(list(TWO_TURNS), said("and"))
    assert (plan.start, plan.turn, plan.write) == ("base", (2, 3), frozenset({2, 3}))
    assert agent.texts() == ["u1", "a1", "u2", "a2", "and"]


def test_an_absorbed_answer_alone_is_shown_and_not_written_again() -> None:
    plan = told(*TWO_TURNS).plan([said("a2")])
    assert (plan.start, plan.turn, plan.write) == ("head", (0,), frozenset())


def test_a_history_cut_back_to_base_rolls_the_last_turn_back() -> None:
    agent = told(*TWO_TURNS)
    plan = agent.turn(list(TWO_TURNS[:2]), said("more"))
    assert (plan.start, plan.turn, plan.write) == ("base", (0, 1), frozenset())
    assert agent.texts() == ["u1", "a1", "more"]


EDITED = [user("u1"), said("a1"), user("u2 edited"), said("a2 edited"), user("u4")]


def three_turns() -> NaiveAgent:
    return told(*TWO_TURNS, user("u3"), said("a3"))


def test_a_contradicting_history_adds_only_what_is_new_and_says_so() -> None:
    agent = three_turns()
    plan = agent.turn(EDITED, said("a4"))
    assert plan.diverged
    assert "3 new ones are absorbed" in plan.reason
    assert (plan.start, plan.absorb, plan.turn, plan.skipped) == ("head", ((2, 3),), (4,), 2)
    assert agent.texts() == ["u1", "a1", "u2", "a2", "u3", "a3", "u2 edited", "a2 edited", "u4", "a4"]
    following = agent.turn([*EDITED, said("a4"), user("u5")], said("a5"))
    assert not following.diverged
    assert agent.texts()[-2:] == ["u5", "a5"]


def test_after_a_contradiction_messages_known_from_before_do_not_contradict_again() -> None:
    agent = three_turns()
    branch = [user("u1"), said("a1"), user("new"), said("a2"), user("u4")]
    agent.turn(branch, said("a4"))
    assert agent.texts()[6:] == ["new", "u4", "a4"]
    plan = agent.turn([*branch, said("a4"), user("u5")], said("a5"))
    assert not plan.diverged
    assert agent.texts()[6:] == ["new", "u4", "a4", "u5", "a5"]


def test_a_last_user_message_is_new_text_even_in_a_contradicting_history() -> None:
    agent = three_turns()
    agent.turn([user("u1"), said("a1"), user("u3")], said("a3 again"))
    assert agent.texts()[6:] == ["u3", "a3 again"]


def test_fixed_opening_messages_do_not_roll_back_the_turn_before() -> None:
    agent = told(user("rules"), user("q1"), said("a1"))
    plan = agent.turn([user("rules"), user("q2")], said("a2"))
    assert plan.diverged
    assert agent.texts() == ["rules", "q1", "a1", "q2", "a2"]


EXAMPLES = [user("2+2"), said("4")]


@pytest.mark.parametrize("before", [(), TWO_TURNS], ids=["new agent", "known agent"])
def test_fixed_examples_before_each_question_roll_nothing_back(before: tuple[Message, ...]) -> None:
    agent = told(*before)
    for number in (1, 2, 3):
        plan = agent.turn([*EXAMPLES, user(f"q{number}")], said(f"r{number}"))
        assert plan.diverged == (number > 1)
    expected = ["2+2", "4", "q1", "r1", "q2", "r2", "q3", "r3"]
    assert agent.texts() == [*(message.content for message in before), *expected]


def test_a_question_after_fixed_examples_is_regenerated_when_it_is_asked_again() -> None:
    agent = NaiveAgent()
    agent.turn([*EXAMPLES, user("q1")], call())
    agent.turn([*EXAMPLES, user("q1"), call(), result("r")], said("a1"))
    agent.turn([*EXAMPLES, user("q1")], said("again"))
    assert agent.texts() == ["2+2", "4", "q1", "again"]


def test_an_edit_after_an_imported_history_replaces_the_turn_when_flagged_or_rebuilt() -> None:
    """Without either it can't be told from fixed examples, so nothing is lost and a warning is given."""
    edited = [*EXAMPLES, user("q1 edited")]
    for options in ({"regenerate": True}, {"on_divergence": "rebuild"}):
        agent = NaiveAgent()
        agent.turn([*EXAMPLES, user("q1")], said("a1"))
        agent.turn(edited, said("a1 edited"), **options)
        assert agent.texts() == ["2+2", "4", "q1 edited", "a1 edited"]


def test_an_edited_answer_after_an_imported_history_is_rolled_back_unflagged() -> None:
    agent = NaiveAgent()
    agent.turn([*EXAMPLES, user("q1")], said("a1"))
    agent.turn([*EXAMPLES, user("q1"), said("a1 edited"), user("q2")], said("a2"))
    assert agent.texts() == ["2+2", "4", "q1", "a1 edited", "q2", "a2"]


def test_digests_say_which_answers_are_the_agents_own() -> None:
    agent = NaiveAgent()
    agent.turn([*EXAMPLES, user("q1")], said("a1"))
    assert [digest[-1] & 1 for digest in agent.watermark.digests] == [0, 0, 0, 1]
    assert agent.watermark.ends_in_own_answer
    assert not agent.watermark.base().ends_in_own_answer


def test_rebuild_absorbs_a_contradicting_history_into_an_empty_state() -> None:
    agent = three_turns()
    plan = agent.turn(EDITED, said("a4"), on_divergence="rebuild")
    assert plan.diverged
    assert (plan.start, plan.kept, plan.absorb, plan.turn) == ("empty", Watermark(), ((0, 1), (2, 3)), (4,))
    assert agent.texts() == [*(message.content for message in EDITED), "a4"]
    assert agent.watermark.absorbed == 6


def test_error_refuses_a_contradicting_history_without_quoting_it() -> None:
    with pytest.raises(HistoryDivergedError, match="continue the 6 absorbed ones") as caught:
        three_turns().plan(EDITED, on_divergence="error")
    assert "edited further back" in str(caught.value)
    assert "u4" not in str(caught.value)


@pytest.mark.parametrize("on_divergence", ["absorb_new", "rebuild", "error"])
def test_messages_with_nothing_in_common_are_simply_new(on_divergence: Any) -> None:
    agent = told(*TWO_TURNS)
    plan = agent.turn([user("x"), said("y"), user("z")], said("w"), on_divergence=on_divergence)
    assert (plan.start, plan.absorb, plan.turn, plan.diverged) == ("head", ((0, 1),), (2,), False)
    assert agent.texts() == ["u1", "a1", "u2", "a2", "x", "y", "z", "w"]


@pytest.mark.parametrize("incoming", [[], [Message(role="system", content="s")]])
def test_a_call_without_a_message_to_answer_is_refused(incoming: list[Message]) -> None:
    with pytest.raises(MessageError, match="at least one message"):
        align(incoming, Watermark())


def test_an_unknown_on_divergence_is_refused() -> None:
    with pytest.raises(ConfigError, match="'ignore'"):
        align([user("u")], Watermark(), on_divergence="ignore")  # type: ignore[arg-type]


def test_the_watermark_keeps_a_bounded_tail_and_counts_on() -> None:
    agent = NaiveAgent(max_digests=4)
    history: list[Message] = []
    for number in range(5):
        history += [user(f"u{number}"), said(f"a{number}")]
        agent.turn(history[:-1], history[-1])
    unmarked = Watermark(digests=tuple(message.digest() for message in history[-4:]), absorbed=4).messages
    assert agent.watermark.messages == unmarked
    assert len(agent.watermark.digests) == 4
    assert (agent.watermark.absorbed, agent.watermark.turn_length) == (10, 2)


@pytest.mark.parametrize("counts", [{"turn_length": 1}, {"digests": (b"x",)}, {"turn_length": -1, "absorbed": 1}])
def test_a_watermark_of_contradicting_counts_is_refused(counts: Any) -> None:
    with pytest.raises(StateError, match="forget the agent"):
        Watermark(**counts)


def test_context_shows_earlier_messages_of_the_call_and_never_the_turn() -> None:
    incoming = [Message(role="system", content="s"), *TWO_TURNS, user("u3")]
    plan = told(*TWO_TURNS).plan(incoming)
    assert shown_context(incoming, plan, "turn") == shown_context(incoming, plan, 0) == ()
    assert shown_context(incoming, plan, 3) == (2, 3, 4)
    assert shown_context(incoming, plan, 9) == shown_context(incoming, plan, "full") == (1, 2, 3, 4)


@pytest.mark.parametrize("context", [-1, True, "all", 1.5])
def test_an_unknown_context_is_refused(context: Any) -> None:
    incoming = [user("u")]
    with pytest.raises(ConfigError, match="number of messages"):
        shown_context(incoming, align(incoming, Watermark()), context)


# What holds always. A script is a list of turns: user texts, then tool results the model asks for.
TEXTS = st.sampled_from(["ok", "yes", "no"])
TURNS = st.tuples(st.lists(TEXTS, min_size=1, max_size=2), st.lists(TEXTS, max_size=2))
SCRIPTS = st.lists(TURNS, min_size=1, max_size=7)


@given(script=SCRIPTS, data=st.data(), max_digests=st.sampled_from([3, 4, 512]))
@settings(max_examples=300, deadline=None)
def test_each_message_is_absorbed_once_by_full_and_trimmed_histories(
    script: list[tuple[list[str], list[str]]], data: st.DataObject, max_digests: int
) -> None:
    agent = NaiveAgent(max_digests=max_digests)
    conversation: list[Message] = []

    def step(new: list[Message], answer: Message) -> None:
        nonlocal conversation
        history = conversation + new
        shortest = min(len(history), len(new) + 1)
        sent = data.draw(st.integers(shortest, len(history)), label="sent")
        if not data.draw(st.sampled_from(["commits", "commits", "fails"]), label="turn") == "commits":
            agent.plan(history[-sent:])  # nothing is committed, so the call is simply repeated
        agent.turn([Message(role="system", content="s"), *history[-sent:]], answer)
        conversation = [*history, answer]
        assert agent.head == conversation
        assert agent.watermark.absorbed == len(conversation)

    for texts, results in script:
        answers = [call(text) for text in results] + [said(data.draw(TEXTS, label="answer"))]
        step([user(text) for text in texts], answers[0])
        for text, answer in zip(results, answers[1:], strict=True):
            step([result(text)], answer)


@given(script=SCRIPTS)
@settings(max_examples=100, deadline=None)
def test_each_message_is_absorbed_once_when_only_the_newest_is_sent(
    script: list[tuple[list[str], list[str]]],
) -> None:
    agent = NaiveAgent()
    conversation: list[Message] = []
    for texts, results in script:
        for incoming, answer in [(user(texts[0]), said("yes")), *((result(t), call(t)) for t in results)]:
            agent.turn([incoming], answer)
            conversation += [incoming, answer]
            assert agent.head == conversation


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_new_turns_tool_loops_retries_and_edits_leave_what_the_caller_believes(data: st.DataObject) -> None:
    """Distinct texts: with repeated ones an unflagged edit can't be told from a trimmed history."""
    agent = NaiveAgent()
    finished: list[Message] = []  # the turns before the current one
    current: list[Message] = []
    elsewhere: list[Message] = []  # answers that another model gave
    number = 0

    def text(kind: str) -> str:
        nonlocal number
        number += 1
        return f"{kind}{number}"

    for _ in range(data.draw(st.integers(1, 9), label="calls")):
        action = data.draw(st.sampled_from(["turn", "tool", "retry", "edit", "elsewhere"]), label="action")
        flagged = False
        if action == "tool" and current:
            current = [*current, result(text("r"))]
        elif action in ("retry", "edit") and current:
            opening = current[0] if action == "retry" else user(text("u"))
            current = [opening] if action == "edit" else current[: data.draw(st.integers(1, len(current) - 1))]
            flagged = not finished or data.draw(st.booleans(), label="flagged")
        else:
            finished, current = finished + current, [user(text("u"))]
            if action == "elsewhere":
                finished = [*finished, user(text("u")), said(text("a"))]
                elsewhere.append(finished[-1])
        if action in ("retry", "edit") and finished and finished[-1] in elsewhere:
            flagged = True  # otherwise it can't be told from fixed examples before another question
        history = finished + current
        new = len(current) + (2 if action == "elsewhere" else 0)
        sent = data.draw(st.integers(min(len(history), new + 1), len(history)), label="sent")
        answer = said(text("a"))
        plan = agent.turn(history[-sent:], answer, regenerate=flagged)
        current = [*current, answer]
        assert not plan.diverged
        assert agent.head == finished + current


def test_turn_fifty_shows_no_more_messages_than_turn_two() -> None:
    agent = NaiveAgent()
    history: list[Message] = []
    shown = []
    for number in range(50):
        history.append(user(f"u{number}"))
        shown.append(len(agent.turn(history, said(f"a{number}")).turn))
        history.append(said(f"a{number}"))
    assert shown == [1] * 50


@pytest.mark.parametrize("incoming", [[user("fact")], [user("fact"), said("noted")]])
def test_what_a_turn_absorbed_is_not_absorbed_after_it(incoming: list[Message]) -> None:
    agent = told(user("u1"), said("a1"), user("fact"), said("noted"))
    plan = agent.plan(incoming, answering=False, may_be_last_turn=True)
    assert (plan.start, plan.appended) == ("head", ())


@pytest.mark.parametrize("facts", [["fact"], ["fact", "another"]])
def test_a_history_that_lacks_what_was_told_beside_it_goes_on_after_it(facts: list[str]) -> None:
    agent = told(*TWO_TURNS)
    for fact in facts:
        agent.turn([user(fact)], None, answering=False)
    history = [*TWO_TURNS, user("u3")]
    plan = agent.turn(history, call())
    assert (plan.start, plan.diverged) == ("head", False)
    history += [call(), result("r")]
    assert not agent.turn(history, said("a3")).diverged
    expected = ["u1", "a1", "u2", "a2", *facts, "u3", "", "r", "a3"]
    assert agent.texts() == expected
    agent.turn(history[:5], said("a3 again"), regenerate=True)
    assert agent.texts() == [*expected[: -len(["", "r", "a3"])], "a3 again"]
    assert not agent.turn([*history[:5], said("a3 again"), user("u4")], said("a4")).diverged
    assert agent.texts()[-3:] == ["a3 again", "u4", "a4"]


def test_a_history_that_holds_a_part_of_what_was_told_is_no_plain_continuation() -> None:
    agent = told(*TWO_TURNS)
    for fact in ("fact", "another"):
        agent.turn([user(fact)], None, answering=False)
    assert agent.turn([*TWO_TURNS, user("fact"), said("noted"), user("u3")], said("a3")).diverged
    assert agent.texts().count("fact") == 1


def test_a_question_that_was_put_is_answered_once_and_a_text_that_was_told_is_another() -> None:
    agent = told(user("u1"), said("a1"))
    agent.turn([user("q")], None, asked=True, answering=False)
    agent.turn([user("q")], said("a"))
    assert agent.texts() == ["u1", "a1", "q", "a"]
    agent.turn([user("q")], said("again"))
    assert agent.texts() == ["u1", "a1", "q", "a", "q", "again"]
    agent.turn([user("fact")], None, answering=False)
    agent.turn([user("fact")], said("noted"))
    assert agent.texts()[-3:] == ["fact", "fact", "noted"]


@pytest.mark.parametrize("before", [(), (user("u1"), said("a1"))])
def test_the_last_turn_in_other_words_replaces_it(before: tuple[Message, ...]) -> None:
    agent = told(*before)
    for turn in ([user("q")], [user("q"), said("step"), result("r")]):
        agent.turn([*before, *turn], said("step"))
    agent.turn([user("q"), said("step r answer")], None, answering=False, may_be_last_turn=True)
    assert agent.texts() == [*(m.content for m in before), "q", "step r answer"]


def test_a_text_that_is_said_again_is_new_unless_the_caller_knows_better() -> None:
    agent = told(user("u1"), said("a1"), user("fact"), said("noted"))
    agent.turn([user("fact")], None, answering=False)
    assert agent.texts() == ["u1", "a1", "fact", "noted", "fact"]
    agent.turn([user("other")], said("a"), regenerate=True)
    assert agent.texts() == ["u1", "a1", "fact", "noted", "other", "a"]


def test_messages_that_were_all_absorbed_are_left_as_they_are_when_no_answer_is_asked_for() -> None:
    agent = told(user("u1"), said("a1"))
    agent.turn([user("u2"), call(), result("r")], None)
    known = [user("u2"), call(), result("r")]
    assert agent.plan(known, answering=False).appended == ()
    assert agent.plan(known).start == "base"


def test_a_call_that_waited_through_another_threads_turn_goes_on_and_takes_nothing_back() -> None:
    agent = told(user("u1"), call())
    agent.turn([user("u2")], said("a2"))
    plan = agent.turn([user("u1"), call(), result("r1")], said("a1"))
    assert (plan.start, plan.turn, plan.write, plan.reason) == ("head", (0, 1, 2), frozenset({2}), "")
    assert agent.texts() == ["u1", "", "u2", "a2", "r1", "a1"]
    agent.turn([user("u1"), call(), result("r1"), said("a1"), user("u3")], said("a3"))
    assert agent.texts() == ["u1", "", "u2", "a2", "r1", "a1", "u3", "a3"]


def test_the_next_step_of_a_turn_that_waited_shows_its_question() -> None:
    agent = told(user("u1"), call())
    agent.turn([user("u2")], said("a2"))
    other = Message(role="assistant", tool_calls=(ToolCall(id="c2", name="look"),))
    agent.turn([user("u1"), call(), result("r1")], other)
    step = [user("u1"), call(), result("r1"), other, Message(role="tool", content="r2", tool_call_id="c2")]
    plan = agent.turn(step, said("a1"))
    assert (plan.start, plan.turn, plan.write) == ("head", (0, 1, 2, 3, 4), frozenset({4}))
    assert agent.texts() == ["u1", "", "u2", "a2", "r1", "", "r2", "a1"]


@pytest.mark.parametrize("before", [(), (user("p"), said("ap"))])
def test_one_message_in_place_of_a_turns_steps_replaces_them_whatever_was_absorbed_before(
    before: tuple[Message, ...],
) -> None:
    agent = told(*before)
    agent.turn([user("u1")], said("s1"))
    agent.turn([user("u1"), said("s1"), result("obs")], said("s2"))
    for turn in (2, 3):  # s1, obs and s2 came back as one
        history = [user("u1"), said("joined"), *([user("u2"), said("a2")] if turn == 3 else [])]
        plan = agent.turn([*history, user(f"u{turn}")], said(f"a{turn}"))
        assert (plan.diverged, plan.reason) == (False, "")
    assert agent.texts() == [m.content for m in before] + ["u1", "joined", "u2", "a2", "u3", "a3"]


def test_another_threads_answer_to_the_same_words_takes_nothing_back() -> None:
    agent = told(user("Hi"), said("b1"))
    for question, answer in (("x", "ax"), ("Hi", "a1")):
        agent.turn([user(question)], said(answer))
    agent.turn([user("Hi"), said("b1"), user("u2")], said("a2"))
    assert agent.texts() == ["Hi", "b1", "x", "ax", "Hi", "a1", "u2", "a2"]


@pytest.mark.parametrize(
    ("lived", "again"),
    [
        (TWO_TURNS, TWO_TURNS[:3]),
        (TWO_TURNS, TWO_TURNS[:2]),
        ((user("u1"), call(), result("r"), said("a1")), (user("u1"), call(), result("r"))),
    ],
)
@pytest.mark.parametrize("on_divergence", ["absorb_new", "rebuild", "error"])
def test_what_was_absorbed_is_not_absorbed_again_nor_is_anything_taken_back(
    lived: tuple[Message, ...], again: tuple[Message, ...], on_divergence: Any
) -> None:
    agent = told(*lived)
    before = agent.texts()
    plan = agent.turn(list(again), None, answering=False, on_divergence=on_divergence)
    assert (agent.texts(), plan.appended, plan.reason, plan.diverged) == (before, (), "", False)


def test_facts_told_at_every_start_are_absorbed_once() -> None:
    agent = NaiveAgent()
    facts = [user("f1"), user("f2")]
    agent.turn(facts, None, answering=False)
    agent.turn([user("u1")], said("a1"))
    agent.turn([user("u2")], said("a2"))
    plan = agent.turn(facts, None, answering=False)
    assert (agent.texts(), plan.diverged) == (["f1", "f2", "u1", "a1", "u2", "a2"], False)
    plan = agent.turn([*facts, user("f3")], None, answering=False)
    assert agent.texts()[-1] == "f3"
    assert agent.texts().count("f2") == 1


def test_a_call_after_a_summary_is_known_by_its_id() -> None:
    agent = told(user("u1"), said("a1"), user("u2"), call())
    agent.turn([user("summary of all"), call(), result("r")], said("a2"))
    assert agent.texts() == ["u1", "a1", "u2", "", "r", "a2"]


def test_a_turn_whose_earlier_results_were_cleared_is_shown_from_its_question() -> None:
    calls = [Message(role="assistant", tool_calls=(ToolCall(id=f"c{n}", name="look"),)) for n in range(2)]
    results = [Message(role="tool", content=f"r{n}", tool_call_id=f"c{n}") for n in range(2)]
    agent = told(user("u1"), calls[0])
    agent.turn([user("u1"), calls[0], results[0]], calls[1])
    cleared = Message(role="tool", content="[cleared]", tool_call_id="c0")
    plan = agent.turn([user("u1"), calls[0], cleared, calls[1], results[1]], said("a1"))
    assert (plan.start, plan.turn, plan.write) == ("head", (0, 1, 2, 3, 4), frozenset({4}))
    assert agent.texts() == ["u1", "", "r0", "", "r1", "a1"]
