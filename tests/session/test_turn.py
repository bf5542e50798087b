"""What a turn reads, writes and commits, whatever part of the history the caller sends."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from dmem_agents.agents import agent
from dmem_agents.engine import SamplingParams
from dmem_agents.errors import (
    ConfigError,
    ContextOverflowError,
    HistoryDivergedError,
)
from dmem_agents.messages import Message
from dmem_agents.model.attach import ForwardOutput
from dmem_agents.model.loading import LoadedModel
from dmem_agents.session import HistoryDivergedWarning, MemorySession, SessionConfig, TurnOptions
from dmem_agents.state import MemoryState
from dmem_agents.store import InMemoryStateStore, StoredRecord

TOLERANCE = 1e-5  # of states, absolute, between a lived turn (token by token) and the same turn in one pass

MakeLoaded = Callable[..., LoadedModel]
Options = Callable[..., TurnOptions]
Say = Callable[[str], Message]
TEXTS = ("My cat is Tom.", "He is 3!", "Who is Tom?", "And I am Ann.")


def head(session: MemorySession, agent_id: str) -> MemoryState:
    info = session.info(agent_id)
    assert info is not None
    return info.head


def assert_close(state: MemoryState, other: MemoryState) -> None:
    torch.testing.assert_close(state.values, other.values, atol=TOLERANCE, rtol=0)


def live(
    session: MemorySession, agent_id: str, options: TurnOptions, *, system: str = "", texts: tuple[str, ...] = TEXTS
) -> list[Message]:
    """Several turns with the full history each time; returns the history."""
    history = [Message(role="system", content=system)] if system else []
    for text in texts:
        history.append(Message(role="user", content=text))
        answer = session.reply(history, agent_id=agent_id, options=options)
        history.append(Message(role="assistant", content=answer.text))
    return history


# What a turn comes to


def test_a_turn_is_stored_when_its_reply_is_there(session: MemorySession, options: Options, user: Say) -> None:
    reply = session.reply([user("My cat is Tom.")], agent_id="a", options=options())
    info = session.info("a")
    assert info is not None
    assert (reply.version, reply.agent_id, reply.absorbed_messages) == (1, "a", 2)
    assert (info.version, info.turns, info.absorbed_messages) == (1, 1, 2)
    assert info.base == MemoryState.zeros(info.base.layout)
    assert info.head != info.base
    assert reply.state_bytes == info.state_bytes == 2 * 1 * 4 * 4 * 4
    assert reply.finish_reason == "length"
    assert reply.completion_tokens == 6


def test_a_new_turn_makes_the_old_head_its_base(session: MemorySession, options: Options, user: Say) -> None:
    session.reply([user("My cat is Tom.")], agent_id="a", options=options())
    before = head(session, "a")
    session.reply([user("Who is Tom?")], agent_id="a", options=options())
    info = session.info("a")
    assert info is not None
    assert info.base == before
    assert info.head != before


def test_an_agent_answers_from_what_it_has_seen(session: MemorySession, options: Options, user: Say) -> None:
    question = [user("Who is Tom?")]
    blank = session.reply(question, options=options(tokens=12))
    session.reply([user("My cat is Tom. He is 3!")], agent_id="a", options=options())
    with_memory = session.reply(question, agent_id="a", options=options(tokens=12, read_only=True))
    assert with_memory.text != blank.text
    assert with_memory.prompt_tokens == blank.prompt_tokens


def test_without_an_agent_nothing_is_stored(
    session: MemorySession, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    reply = session.reply([user("Hello.")], options=options())
    assert (reply.agent_id, reply.version) == (None, 0)
    assert list(store.list_agents()) == []


def test_the_agent_of_the_running_block_is_used_unless_the_call_names_one(
    session: MemorySession, options: Options, user: Say
) -> None:
    with agent("ann"):
        assert session.reply([user("Hello.")], options=options()).agent_id == "ann"
        assert session.reply([user("Hello.")], agent_id="bob", options=options()).agent_id == "bob"


def test_the_prompt_never_grows_with_the_conversation(
    session: MemorySession, options: Options, user: Say, assistant: Say
) -> None:
    history: list[Message] = [Message(role="system", content="Be brief.")]
    prompts = []
    for turn in range(50):
        history.append(user(f"Fact {turn:03d}."))
        reply = session.reply(history, agent_id="a", options=options(tokens=2))
        history.append(assistant(reply.text))
        prompts.append(reply.prompt_tokens)
        assert reply.absorbed_messages == 2
        assert reply.absorbed_tokens == 0
    assert prompts[49] <= prompts[1]
    info = session.info("a")
    assert info is not None
    assert info.absorbed_messages == 100


def test_an_ordinary_turn_runs_its_prompt_once(make_loaded: MakeLoaded, options: Options, user: Say) -> None:
    """What was fed is the beginning of the finished turn, so only the closing tokens are left to feed."""
    loaded = make_loaded()
    lengths: list[int] = []
    loaded.model.register_forward_pre_hook(lambda _, arguments: lengths.append(arguments[0].shape[1]))
    with MemorySession(SessionConfig(store="memory://"), loaded=loaded) as session:
        reply = session.reply([user("Hello.")], agent_id="a", options=options(tokens=5))
    prompt, *single, closing = lengths
    assert prompt == reply.prompt_tokens
    assert single == [1] * 4
    assert closing <= 3


# The same state from any history


def test_a_caller_may_send_all_of_the_history_the_last_part_or_the_newest_message(
    session: MemorySession, options: Options, user: Say
) -> None:
    history = live(session, "full", options())
    for agent_id, window in (("one", 1), ("three", 3)):
        for turn, text in enumerate(TEXTS):
            sent = [*history[: 2 * turn], user(text)][-window:]
            session.reply(sent, agent_id=agent_id, options=options())
        assert head(session, agent_id) == head(session, "full")


@pytest.mark.parametrize("granularity", ["token", "message_mean", "sentence_mean"])
@pytest.mark.parametrize("system", ["", "Be brief."])
def test_absorbing_a_history_equals_having_lived_it(
    granularity: str, system: str, make_loaded: MakeLoaded, options: Options, user: Say
) -> None:
    """To the bit for segments, which are written in one pass either way.

    For token writes within float32 rounding: a lived answer was fed token by token, an absorbed one at once.
    """
    same = assert_equal if granularity != "token" else assert_close
    config = SessionConfig(store=InMemoryStateStore())
    with MemorySession(config, loaded=make_loaded(granularity=granularity)) as session:
        history = live(session, "lived", options(), system=system)
        absorbed = session.absorb(history, agent_id="told")
        assert (absorbed.absorbed_messages, absorbed.text) == (8, "")
        same(head(session, "told"), head(session, "lived"))
        again = [*history, user("Again?")]
        assert (
            session.reply(again, agent_id="resumed", options=options()).text
            == session.reply(again, agent_id="lived", options=options()).text
        )
        same(head(session, "resumed"), head(session, "lived"))


def assert_equal(state: MemoryState, other: MemoryState) -> None:
    assert state == other


def test_what_was_absorbed_before_is_not_absorbed_again(session: MemorySession, options: Options) -> None:
    history = live(session, "a", options())
    before = session.info("a")
    session.absorb(history, agent_id="a")
    after = session.info("a")
    assert before is not None
    assert after is not None
    assert after.absorbed_messages == before.absorbed_messages
    assert_close(after.head, before.head)


def test_the_same_text_said_twice_is_two_messages(session: MemorySession, options: Options, user: Say) -> None:
    for _ in range(2):
        session.reply([user("Hello.")], agent_id="a", options=options())
    info = session.info("a")
    assert info is not None
    assert info.absorbed_messages == 4
    history = live(session, "b", options(), texts=("Hello.", "Hello."))
    assert len(history) == 4
    assert head(session, "b") == info.head


def test_steps_of_one_turn_give_the_state_of_the_whole_turn_run_cold(
    session: MemorySession, options: Options, user: Say, assistant: Say
) -> None:
    session.reply([user("My cat is Tom.")], agent_id="a", options=options())
    base = head(session, "a")
    asked = session.reply([user("How old is he?")], agent_id="a", options=options())
    steps = [user("How old is he?"), assistant(asked.text), Message(role="tool", content="3 years")]
    reply = session.reply(steps, agent_id="a", options=options())
    info = session.info("a")
    assert info is not None
    assert info.base == base
    session.reply([user("My cat is Tom.")], agent_id="cold", options=options())
    session.absorb([*steps, assistant(reply.text)], agent_id="cold")
    assert_close(info.head, head(session, "cold"))


def test_an_edited_last_message_replaces_its_turn(session: MemorySession, options: Options, user: Say) -> None:
    history = live(session, "a", options(), texts=TEXTS[:2])
    edited = [*history[:2], user("He is 4!")]
    with pytest.warns(HistoryDivergedWarning, match="agent 'a'.* taken back"):
        session.reply(edited, agent_id="a", options=options())
    live(session, "b", options(), texts=(TEXTS[0], "He is 4!"))
    assert head(session, "a") == head(session, "b")


@pytest.mark.parametrize("sent", ["all", "last"])
def test_a_regenerated_turn_starts_from_the_same_base(sent: str, session: MemorySession, options: Options) -> None:
    history = live(session, "a", options())
    before = session.info("a")
    question = history[:-1] if sent == "all" else history[-2:-1]
    again = session.reply(question, agent_id="a", options=options(regenerate=True))
    after = session.info("a")
    assert before is not None
    assert after is not None
    assert again.text == history[-1].content
    assert (after.base, after.head) == (before.base, before.head)
    assert after.absorbed_messages == before.absorbed_messages


def test_a_history_edited_further_back_warns_and_is_followed_as_asked(
    session: MemorySession, options: Options, user: Say
) -> None:
    history = live(session, "a", options())
    edited = [user("My dog is Rex."), *history[1:], user("Who is he?")]
    stored = session.store.load("a")
    with pytest.raises(HistoryDivergedError):
        session.reply(
            [*history[2:4], *history[0:2], user("Who is he?")],
            agent_id="a",
            options=options(on_divergence="error"),
        )
    assert session.store.load("a") == stored
    with pytest.warns(HistoryDivergedWarning, match="agent 'a'") as caught:
        session.reply(
            [*history[2:4], *history[0:2], user("Who is he?")],
            agent_id="a",
            options=options(on_divergence="rebuild"),
        )
    assert not any("cat" in str(w.message) for w in caught)
    session.reply([*history[2:4], *history[0:2], user("Who is he?")], agent_id="b", options=options())
    assert head(session, "a") == head(session, "b")
    assert edited[0].content


def test_no_warning_comes_with_an_ordinary_conversation(session: MemorySession, options: Options) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        live(session, "a", options(), system="Be brief.")


# What is written


def test_only_the_roles_to_be_written_change_the_state(
    session: MemorySession, options: Options, user: Say, assistant: Say
) -> None:
    said, heard = user("My cat is Tom."), assistant("Nice.")
    for agent_id, roles in (
        ("none", ()),
        ("user", ("user",)),
        ("assistant", ("assistant",)),
        ("all", ("user", "assistant")),
    ):
        session.absorb([said, heard], agent_id=agent_id, options=options(write_roles=roles))
    heads = [head(session, agent_id) for agent_id in ("none", "user", "assistant", "all")]
    assert heads[0] == MemoryState.zeros(heads[0].layout)
    assert all(one != other for n, one in enumerate(heads) for other in heads[:n])
    info = session.info("none")
    assert info is not None
    assert info.absorbed_messages == 2


def test_an_answer_is_not_written_when_assistants_are_not(
    session: MemorySession, options: Options, user: Say, assistant: Say
) -> None:
    only_user = options(write_roles=("user",))
    reply = session.reply([user("My cat is Tom.")], agent_id="a", options=only_user)
    session.absorb([user("My cat is Tom."), assistant(reply.text)], agent_id="b", options=only_user)
    assert_close(head(session, "a"), head(session, "b"))


def test_a_system_message_is_read_and_never_written(session: MemorySession, options: Options, user: Say) -> None:
    with_system = [Message(role="system", content="Be brief."), user("Hello.")]
    nothing = options(write_roles=())
    session.absorb(with_system, agent_id="a", options=nothing)
    assert head(session, "a") == MemoryState.zeros(head(session, "a").layout)
    plain = session.reply(with_system[1:], options=options())
    assert session.reply(with_system, options=options()).prompt_tokens > plain.prompt_tokens
    with pytest.raises(ConfigError, match="write_roles"):
        TurnOptions(write_roles=("system",))


def test_context_shows_earlier_messages_for_reading_only(session: MemorySession, options: Options, user: Say) -> None:
    history = [*live(session, "a", options()), user("Who am I?")]
    stored = session.store.load("a")
    assert stored is not None
    prompts = {}
    for context in ("turn", 2, "full"):
        session.store.delete("a")
        session.store.commit("a", stored.data, expected=None)
        reply = session.reply(history, agent_id="a", options=options(context=context, write_roles=("tool",)))
        prompts[context] = reply.prompt_tokens
        # Nothing of the turn is written here, so all that could change the state is the context.
        before = session.info("a")
        assert before is not None
        assert before.head == before.base
    assert prompts["turn"] < prompts[2] < prompts["full"]


def test_a_read_only_turn_sees_the_memory_and_changes_nothing(
    loaded: LoadedModel, options: Options, user: Say, assistant: Say
) -> None:
    class Untouchable(InMemoryStateStore):
        frozen = False

        def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None, **named: Any) -> StoredRecord:
            assert not self.frozen
            return super().commit(agent_id, data, expected=expected, **named)

        def acquire_lease(self, agent_id: str, owner: str, *, ttl_seconds: float) -> int | None:
            assert not self.frozen
            return super().acquire_lease(agent_id, owner, ttl_seconds=ttl_seconds)

    store = Untouchable()
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        live(session, "a", options())
        stored = store.load("a")
        store.frozen = True
        summary = [user("Unseen."), assistant("Unseen too."), user("Summarise this.")]
        reply = session.reply(summary, agent_id="a", options=options(read_only=True))
        assert store.load("a") == stored
        assert stored is not None
        assert (reply.version, reply.absorbed_messages, reply.absorbed_tokens) == (stored.version, 0, 0)
        without = session.reply(summary[-1:], agent_id="a", options=options(read_only=True))
        assert (without.text, without.prompt_tokens) == (reply.text, reply.prompt_tokens)


# Ends of an answer


def test_a_stop_string_cuts_the_answer_and_what_is_remembered_of_it(
    session: MemorySession, options: Options, user: Say, assistant: Say
) -> None:
    full = session.reply([user("Hello.")], options=options(tokens=12)).text
    stop = full[4:7]
    cut = session.reply([user("Hello.")], agent_id="a", options=options(tokens=12, stop=(stop,)))
    assert cut.text == full.partition(stop)[0]
    assert cut.finish_reason == "stop"
    session.absorb([user("Hello."), assistant(cut.text)], agent_id="b")
    assert_close(head(session, "a"), head(session, "b"))


def test_an_answer_ends_with_the_model_s_own_end_of_turn(make_loaded: MakeLoaded, options: Options, user: Say) -> None:
    loaded = make_loaded()
    calls: list[int] = []

    def end_at_fourth(_: object, __: object, output: ForwardOutput) -> None:
        calls.append(1)
        if len(calls) == 4:
            output.logits[:, -1, 3] = 1e4

    loaded.model.register_forward_hook(end_at_fourth)
    with MemorySession(SessionConfig(store="memory://"), loaded=loaded) as session:
        reply = session.reply([user("Hello.")], agent_id="a", options=options(tokens=12))
    assert (reply.finish_reason, reply.completion_tokens, len(reply.text)) == ("stop", 3, 3)


def test_what_does_not_fit_the_context_window_is_refused_and_nothing_is_stored(
    make_loaded: MakeLoaded, store: InMemoryStateStore, options: Options, user: Say, assistant: Say
) -> None:
    loaded = make_loaded(max_context=64)

    def never_end(_: object, __: object, output: ForwardOutput) -> None:
        output.logits[:, -1, 3] = -1e4

    loaded.model.register_forward_hook(never_end)
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        fits = session.reply([user("x" * 30)], agent_id="a", options=options(tokens=500))
        assert fits.prompt_tokens + fits.completion_tokens == 64
        assert fits.finish_reason == "length"
        stored = store.load("a")
        assert stored is not None
        with pytest.raises(ContextOverflowError, match="7 too many"):
            session.reply([user("x" * (30 + 64 - fits.prompt_tokens + 6))], agent_id="a", options=options())
        old = [user("y" * 90), assistant("no"), user("Well?")]
        with pytest.raises(ContextOverflowError, match="too many"):
            session.reply(old, agent_id="a", options=options())
        assert store.load("a") == stored
        assert session.reply([user("Hello.")], agent_id="a", options=options()).version == 2


def test_equal_seeds_give_equal_answers(session: MemorySession, user: Say) -> None:
    def sampled(seed: int) -> str:
        sampling = SamplingParams(max_new_tokens=16, temperature=1.5, seed=seed)
        return session.reply([user("Hello.")], options=TurnOptions(sampling=sampling)).text

    assert sampled(1) == sampled(1) != sampled(2)
