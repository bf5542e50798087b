"""Turns that are refused, that fail, and that meet others: wholly committed or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from dmem_agents.errors import (
    AgentIdError,
    ConfigError,
    EngineError,
    LeaseTimeoutError,
    MessageError,
    StateConflictError,
    StateCorruptError,
    StateDeletedError,
    StateError,
    StateMismatchError,
    StoreConnectionError,
)
from dmem_agents.messages import Message
from dmem_agents.model.attach import ForwardOutput
from dmem_agents.model.loading import LoadedModel
from dmem_agents.session import MemorySession, SessionConfig, TurnOptions
from dmem_agents.store import InMemoryStateStore, StoredRecord

MakeLoaded = Callable[..., LoadedModel]
Options = Callable[..., TurnOptions]
Say = Callable[[str], Message]


# Refusals


def test_calls_that_can_not_be_answered_are_refused_before_anything_is_loaded(user: Say) -> None:
    session = MemorySession(SessionConfig(model="/nowhere", store="memory://"))
    with pytest.raises(AgentIdError):
        session.reply([user("Hello.")], agent_id="")
    with pytest.raises(AgentIdError, match="require_agent"):
        session.reply([user("Hello.")], options=TurnOptions(require_agent=True))
    with pytest.raises(MessageError, match="Message"):
        session.reply(["Hello."], agent_id="a")  # type: ignore[list-item]  # wrong on purpose
    with pytest.raises(ConfigError, match="read_only"):
        session.absorb([user("Hello.")], agent_id="a", options=TurnOptions(read_only=True))
    session.close()


def test_a_turn_without_a_message_is_refused(session: MemorySession) -> None:
    with pytest.raises(MessageError):
        session.reply([], agent_id="a")
    with pytest.raises(MessageError):
        session.reply([Message(role="system", content="Be brief.")], agent_id="a")


def test_a_state_of_another_adapter_is_refused_and_left_as_it_is(
    make_loaded: MakeLoaded, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    with MemorySession(SessionConfig(store=store), loaded=make_loaded()) as session:
        session.reply([user("Hello.")], agent_id="a", options=options())
    stored = store.load("a")
    with MemorySession(SessionConfig(store=store), loaded=make_loaded(seed=8)) as other:
        with pytest.raises(StateMismatchError, match="'a'"):
            other.reply([user("Hello.")], agent_id="a", options=options())
        assert store.load("a") == stored
        assert other.info("a") is not None
        assert store.acquire_lease("a", "someone", ttl_seconds=1)


def test_a_damaged_record_is_refused_with_the_agent_s_name_and_left_as_it_is(
    session: MemorySession, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    session.reply([user("Hello.")], agent_id="a", options=options())
    good = store.load("a")
    assert good is not None
    damaged = store.commit("a", good.data[:100] + b"x" + good.data[101:], expected=good)
    with pytest.raises(StateCorruptError, match="'a'"):
        session.reply([user("Hello.")], agent_id="a", options=options())
    with pytest.raises(StateCorruptError, match="'a'"):
        session.info("a")
    assert store.load("a") == damaged


# Transactions


def test_an_error_in_the_model_commits_nothing(
    make_loaded: MakeLoaded, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    loaded = make_loaded()
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        session.reply([user("Hello.")], agent_id="a", options=options())
        stored = store.load("a")
        calls: list[int] = []

        def fail(*_: object) -> None:
            calls.append(1)
            if len(calls) == 3:
                raise RuntimeError("the device is gone")

        hook = loaded.model.register_forward_pre_hook(fail)
        with pytest.raises(EngineError, match="the device is gone"):
            session.reply([user("Who is Tom?")], agent_id="a", options=options())
        hook.remove()
        assert store.load("a") == stored
        assert session.reply([user("Who is Tom?")], agent_id="a", options=options()).version == 2


class BehindTheBack(InMemoryStateStore):
    """Somebody else, who knows no leases, commits between our load and our commit."""

    armed = False

    def commit(self, agent_id: str, data: bytes, *, expected: StoredRecord | None, **named: Any) -> StoredRecord:
        if self.armed:
            self.armed = False
            super().commit(agent_id, b"theirs", expected=self.load(agent_id))
        return super().commit(agent_id, data, expected=expected, **named)


@pytest.mark.parametrize("first_turn", [True, False])
def test_a_record_changed_behind_our_back_is_a_conflict_and_stays(
    first_turn: bool, loaded: LoadedModel, options: Options, user: Say
) -> None:
    store = BehindTheBack()
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        if not first_turn:
            session.reply([user("Hello.")], agent_id="a", options=options())
        store.armed = True
        with pytest.raises(StateConflictError):
            session.reply([user("Who is Tom?")], agent_id="a", options=options())
        stored = store.load("a")
        assert stored is not None
        assert stored.data == b"theirs"


def test_an_agent_forgotten_during_its_turn_stays_forgotten(
    session: MemorySession, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    session.reply([user("Hello.")], agent_id="a", options=options())
    chunks = session.stream([user("Who is Tom?")], agent_id="a", options=options())
    next(chunks)
    assert session.forget("a")
    with pytest.raises(StateDeletedError):
        list(chunks)
    assert session.info("a") is None
    assert not session.forget("a")


@pytest.mark.parametrize("stored_in", ["memory", "sqlite"])
def test_turns_of_one_agent_wait_for_each_other_and_none_is_lost(
    stored_in: str, loaded: LoadedModel, options: Options, user: Say, tmp_path: object
) -> None:
    url = "memory://" if stored_in == "memory" else f"sqlite:///{tmp_path}/agents.db"
    errors: list[BaseException] = []
    with MemorySession(SessionConfig(store=url), loaded=loaded) as session:

        def talk(speaker: int) -> None:
            try:
                for turn in range(3):
                    session.reply([user(f"{speaker} says {turn}.")], agent_id="a", options=options(tokens=3))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=talk, args=(speaker,)) for speaker in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        info = session.info("a")
    assert errors == []
    assert info is not None
    assert (info.version, info.turns, info.absorbed_messages) == (9, 9, 18)


def test_a_turn_that_waits_too_long_for_another_says_so(
    loaded: LoadedModel, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    assert store.acquire_lease("a", "someone else", ttl_seconds=60)
    config = SessionConfig(store=store, lease_timeout_seconds=0.2)
    with MemorySession(config, loaded=loaded) as session:
        with pytest.raises(LeaseTimeoutError, match="'a'"):
            session.reply([user("Hello.")], agent_id="a", options=options())
        assert store.load("a") is None
        store.release_lease("a", "someone else")
        assert session.reply([user("Hello.")], agent_id="a", options=options()).version == 1


def test_a_long_turn_renews_its_lease(
    make_loaded: MakeLoaded, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    loaded, ttl = make_loaded(), 0.3
    loaded.model.register_forward_pre_hook(lambda *_: time.sleep(0.1))
    with MemorySession(SessionConfig(store=store, lease_ttl_seconds=ttl), loaded=loaded) as session:
        stolen: list[int | None] = []
        done = threading.Event()

        def thief() -> None:
            while not done.wait(0.05):
                stolen.append(store.acquire_lease("a", "thief", ttl_seconds=0.01))

        chunks = session.stream([user("Hello.")], agent_id="a", options=options(tokens=10))
        next(chunks)
        thread = threading.Thread(target=thief)
        thread.start()
        texts = [chunk.text for chunk in chunks]
        done.set()
        thread.join()
    assert texts
    assert len(stolen) > 10  # it tried for longer than one lease lasts
    assert not any(stolen[:-2])  # after the commit it may


def test_a_store_that_can_not_be_reached_says_so_and_a_lost_release_does_not_lose_the_turn(
    loaded: LoadedModel, options: Options, user: Say, caplog: pytest.LogCaptureFixture
) -> None:
    class Flaky(InMemoryStateStore):
        broken = ""

        def load(self, agent_id: str) -> StoredRecord | None:
            if self.broken == "load":
                raise StoreConnectionError("the store is gone")
            return super().load(agent_id)

        def release_lease(self, agent_id: str, owner: str) -> None:
            if self.broken == "release":
                raise StoreConnectionError("the store is gone")
            super().release_lease(agent_id, owner)

    store = Flaky()
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        store.broken = "load"
        with pytest.raises(StoreConnectionError):
            session.reply([user("Hello.")], agent_id="a", options=options())
        store.broken = "release"
        assert session.reply([user("Hello.")], agent_id="a", options=options()).version == 1
        assert "could not be given back" in caplog.text


def test_a_state_that_is_no_number_any_more_is_never_stored(
    make_loaded: MakeLoaded, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    loaded = make_loaded()
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        session.reply([user("Hello.")], agent_id="a", options=options())
        stored = store.load("a")

        def overflow(_: object, __: object, output: ForwardOutput) -> None:
            output.state.fill_(float("inf"))

        hook = loaded.model.register_forward_hook(overflow)
        with pytest.raises(StateError, match="finite"):
            session.absorb([user("Who is Tom?")], agent_id="a")
        hook.remove()
        assert store.load("a") == stored
