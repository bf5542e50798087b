"""Streams, asyncio, abandoned turns, and the life of a session."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dmem_agents.errors import AdapterError, ConfigError, EngineClosedError, StoreError
from dmem_agents.messages import Message
from dmem_agents.model.loading import LoadedModel
from dmem_agents.session import (
    MemorySession,
    SessionConfig,
    TurnOptions,
    open_session,
)
from dmem_agents.session.commands import SyncEvents
from dmem_agents.store import InMemoryStateStore, ThreadedStateStore, default_store_url
from dmem_agents.testing.tiny_model import save_tiny_model

MakeLoaded = Callable[..., LoadedModel]
Options = Callable[..., TurnOptions]
Say = Callable[[str], Message]
LONG = 2000  # tokens: minutes of work, unless the turn is given up


@pytest.fixture
def endless(make_loaded: MakeLoaded) -> LoadedModel:
    """A model that never ends its turn by itself; `.calls` of its hook count the forwards."""
    loaded = make_loaded()

    def never_end(_: object, __: object, output: object) -> None:
        output.logits[:, -1, :4] = -1e4  # type: ignore[attr-defined]  # a ForwardOutput

    loaded.model.register_forward_hook(never_end)
    return loaded


def idle_after(loaded: LoadedModel, seconds: float = 5.0) -> bool:
    """Whether the model stops running forwards within so many seconds."""
    calls: list[int] = []
    hook = loaded.model.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            before = len(calls)
            time.sleep(0.2)
            if len(calls) == before:
                return True
        return False
    finally:
        hook.remove()


# Streams


def test_a_stream_is_the_reply_in_pieces_and_ends_with_it(session: MemorySession, options: Options, user: Say) -> None:
    *pieces, last = session.stream([user("Hello.")], agent_id="a", options=options(tokens=12))
    reply = session.reply([user("Hello.")], agent_id="b", options=options(tokens=12))
    assert len(pieces) > 3
    assert all(piece.reply is None and piece.text for piece in pieces)
    assert last.reply is not None
    assert "".join(chunk.text for chunk in (*pieces, last)) == last.reply.text == reply.text
    a, b = session.info("a"), session.info("b")
    assert a is not None
    assert b is not None
    assert a.head == b.head


@pytest.mark.parametrize("read_only", [True, False])
def test_a_streamed_stop_string_is_never_shown(
    read_only: bool, session: MemorySession, options: Options, user: Say
) -> None:
    full = session.reply([user("Hello.")], options=options(tokens=12, read_only=read_only)).text
    stop = full[5:8]
    cut = options(tokens=12, stop=(stop,), read_only=read_only)
    chunks = list(session.stream([user("Hello.")], options=cut))
    assert "".join(chunk.text for chunk in chunks) == full.partition(stop)[0]


def test_the_turn_is_committed_before_the_last_chunk_comes(
    session: MemorySession, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    chunks = session.stream([user("Hello.")], agent_id="a", options=options())
    for chunk in chunks:
        if chunk.reply is None:
            assert store.load("a") is None
        else:
            stored = store.load("a")
            assert stored is not None
            assert stored.version == chunk.reply.version == 1
            assert store.acquire_lease("a", "the next turn", ttl_seconds=1)


# Turns that are given up


def test_an_abandoned_stream_commits_nothing_and_frees_agent_and_engine(
    endless: LoadedModel, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    with MemorySession(SessionConfig(store=store), loaded=endless) as session:
        session.reply([user("Hello.")], agent_id="a", options=options())
        stored = store.load("a")
        chunks = session.stream([user("Who?")], agent_id="a", options=options(tokens=LONG))
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]  # a generator
        assert store.load("a") == stored
        assert store.acquire_lease("a", "the next turn", ttl_seconds=1)
        assert idle_after(endless)


def test_a_stream_that_is_never_begun_takes_nothing(
    session: MemorySession, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    chunks = session.stream([user("Hello.")], agent_id="a", options=options())
    del chunks
    assert store.acquire_lease("a", "another", ttl_seconds=1)
    assert store.load("a") is None


def test_ctrl_c_while_waiting_commits_nothing_and_frees_agent_and_engine(
    endless: LoadedModel,
    store: InMemoryStateStore,
    options: Options,
    user: Say,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(self: SyncEvents, timeout_seconds: float) -> None:
        time.sleep(0.05)
        raise KeyboardInterrupt

    with MemorySession(SessionConfig(store=store), loaded=endless) as session:
        session.reply([user("Hello.")], agent_id="a", options=options())
        stored = store.load("a")
        monkeypatch.setattr(SyncEvents, "get", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.reply([user("Who?")], agent_id="a", options=options(tokens=LONG))
        assert store.load("a") == stored
        assert store.acquire_lease("a", "the next turn", ttl_seconds=1)
        assert idle_after(endless)


@pytest.mark.parametrize("way", ["cancelled task", "closed stream", "timeout"])
async def test_a_cancelled_async_turn_commits_nothing_and_frees_agent_and_engine(
    way: str, endless: LoadedModel, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    async with MemorySession(SessionConfig(store=store), loaded=endless) as session:
        await session.areply([user("Hello.")], agent_id="a", options=options())
        stored = store.load("a")
        if way == "closed stream":
            chunks = session.astream([user("Who?")], agent_id="a", options=options(tokens=LONG))
            await anext(chunks)
            await chunks.aclose()  # type: ignore[attr-defined]  # an async generator
        elif way == "timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await session.areply([user("Who?")], agent_id="a", options=options(tokens=LONG))
        else:
            task = asyncio.create_task(session.areply([user("Who?")], agent_id="a", options=options(tokens=LONG)))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert store.load("a") == stored
        assert store.acquire_lease("a", "the next turn", ttl_seconds=1)
        assert await asyncio.to_thread(idle_after, endless)


async def test_a_task_cancelled_during_its_commit_has_committed_wholly(
    loaded: LoadedModel, options: Options, user: Say
) -> None:
    class Slow(InMemoryStateStore):
        committing = threading.Event()

        def commit(self, *arguments: object, **named: object) -> object:  # type: ignore[override]  # passes all on
            self.committing.set()
            time.sleep(0.2)
            return super().commit(*arguments, **named)  # type: ignore[arg-type]  # passes all on

    store = Slow()
    async with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        task = asyncio.create_task(session.areply([user("Hello.")], agent_id="a", options=options()))
        await asyncio.to_thread(store.committing.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The lease came back only after the commit was through.
        stored = store.load("a")
        assert stored is not None
        assert stored.version == 1
        assert store.acquire_lease("a", "the next turn", ttl_seconds=1)


# Sync and async


async def test_sync_and_async_calls_do_the_same_on_the_same_memory(
    session: MemorySession, options: Options, user: Say
) -> None:
    reply = session.reply([user("Hello.")], agent_id="a", options=options())
    assert (await session.areply([user("Hello.")], agent_id="b", options=options())).text == reply.text
    chunks = [chunk async for chunk in session.astream([user("Who?")], agent_id="b", options=options())]
    assert chunks[-1].reply is not None
    second = session.reply([user("Who?")], agent_id="a", options=options())
    assert "".join(chunk.text for chunk in chunks) == chunks[-1].reply.text == second.text
    await session.aabsorb([user("I am Ann.")], agent_id="b")
    session.absorb([user("I am Ann.")], agent_id="a")
    a, b = session.info("a"), session.info("b")
    assert a is not None
    assert b is not None
    assert a.head == b.head
    assert (a.version, b.version) == (3, 3)


@pytest.mark.parametrize("scheme", ["memory", "sqlite", "redis"])
def test_one_session_serves_threads_and_several_event_loops_with_the_same_data(
    scheme: str,
    loaded: LoadedModel,
    options: Options,
    user: Say,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/agents.db"}.get(scheme)
    if url is None:
        url = f"{request.getfixturevalue('redis_server').url}?prefix=loops-{time.time_ns()}"
    session = MemorySession(SessionConfig(store=url), loaded=loaded)

    async def two_turns() -> None:
        for text in ("Hello.", "Who?"):
            await session.areply([user(text)], agent_id="a", options=options(tokens=3))

    session.reply([user("Hello.")], agent_id="a", options=options(tokens=3))
    asyncio.run(two_turns())
    asyncio.run(two_turns())
    assert session.reply([user("Who?")], agent_id="a", options=options(tokens=3)).version == 6
    session.close()


async def test_agents_that_talk_at_once_share_forwards_and_keep_their_answers(
    make_loaded: MakeLoaded, options: Options, user: Say
) -> None:
    loaded = make_loaded()
    sizes: list[int] = []
    loaded.model.register_forward_pre_hook(lambda _, arguments: sizes.append(arguments[0].shape[0]))
    async with MemorySession(SessionConfig(store="memory://"), loaded=loaded) as session:

        async def ask(name: str) -> str:
            messages = [user(f"I am {name}.")]
            return (await session.areply(messages, agent_id=name, options=options(tokens=16))).text

        names = [f"agent {number}" for number in range(6)]
        at_once = await asyncio.gather(*map(ask, names))
        assert max(sizes) > 1
        for name, text in zip(names, at_once, strict=True):
            await asyncio.to_thread(session.forget, name)
            assert await ask(name) == text


async def test_a_slow_turn_does_not_hold_up_the_event_loop(endless: LoadedModel, options: Options, user: Say) -> None:
    endless.model.register_forward_pre_hook(lambda *_: time.sleep(0.02))
    async with MemorySession(SessionConfig(store="memory://"), loaded=endless) as session:
        ticks = 0
        task = asyncio.create_task(session.areply([user("Hi.")], agent_id="a", options=options(tokens=20)))
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await task
    assert ticks > 10


async def test_an_async_store_serves_the_async_methods_only(
    loaded: LoadedModel, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    config = SessionConfig(store=ThreadedStateStore(store))
    async with MemorySession(config, loaded=loaded) as session:
        await session.areply([user("Hello.")], agent_id="a", options=options())
        with pytest.raises(ConfigError, match="areply"):
            session.reply([user("Hello.")], agent_id="a", options=options())
    assert store.load("a") is not None


# The life of a session


def test_equal_configs_share_one_session_until_it_is_closed() -> None:
    config = SessionConfig(store="memory://", model="/nowhere")
    session = open_session(config)
    assert open_session(SessionConfig(store="memory://", model="/nowhere")) is session
    assert open_session(SessionConfig(store="memory://", model="/elsewhere")) is not session
    session.close()
    session.close()
    assert open_session(config) is not session
    open_session(config).close()
    open_session(SessionConfig(store="memory://", model="/elsewhere")).close()


def test_a_model_is_loaded_at_the_first_turn_once_for_all_threads(
    tmp_path: Path, options: Options, user: Say, monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
) -> None:
    loads: list[object] = []

    def load_model(*arguments: object, **named: object) -> LoadedModel:
        loads.append(arguments)
        time.sleep(0.1)
        return loaded

    monkeypatch.setattr("dmem_agents.model.loading.load_model", load_model)
    with MemorySession(SessionConfig(model="m", adapter="a", store="memory://")) as session:
        assert loads == []
        threads = [
            threading.Thread(target=session.reply, args=([user("Hi.")],), kwargs={"options": options()})
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert loads == [("m", "a")]


def test_a_model_without_an_adapter_is_refused_at_the_first_turn_and_the_session_stays_usable(
    tmp_path: Path, user: Say
) -> None:
    folder = save_tiny_model(tmp_path / "model")
    with MemorySession(SessionConfig(model=folder, store="memory://")) as session:
        for _ in range(2):
            with pytest.raises(AdapterError):
                session.reply([user("Hello.")], agent_id="a")
        assert list(session.list_agents()) == []


def test_a_closed_session_says_so(loaded: LoadedModel, user: Say, options: Options) -> None:
    session = MemorySession(SessionConfig(store="memory://"), loaded=loaded)
    session.reply([user("Hello.")], options=options())
    session.close()
    with pytest.raises(EngineClosedError):
        session.reply([user("Hello.")], options=options())
    with pytest.raises(EngineClosedError):
        session.info("a")


def test_closing_ends_a_running_turn_without_a_commit(
    endless: LoadedModel, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    session = MemorySession(SessionConfig(store=store), loaded=endless)
    chunks = session.stream([user("Hello.")], agent_id="a", options=options(tokens=LONG))
    next(chunks)
    session.close()
    with pytest.raises(EngineClosedError):
        list(chunks)
    assert store.load("a") is None
    assert store.acquire_lease("a", "the next turn", ttl_seconds=1) is not None


def test_a_store_given_as_an_object_stays_open_and_one_named_by_url_is_closed(
    loaded: LoadedModel, store: InMemoryStateStore, options: Options, user: Say
) -> None:
    with MemorySession(SessionConfig(store=store), loaded=loaded) as session:
        session.reply([user("Hello.")], agent_id="a", options=options())
    assert store.load("a") is not None
    session = MemorySession(SessionConfig(store="memory://"), loaded=loaded)
    own = session.store
    session.close()
    with pytest.raises(StoreError, match="closed"):
        own.load("a")


def test_agents_are_listed_shown_and_forgotten_without_a_model(store: InMemoryStateStore) -> None:
    with MemorySession(SessionConfig(model="/nowhere", store=store)) as session:
        assert list(session.list_agents()) == []
        assert session.info("nobody") is None
        assert session.forget("nobody") is False


def test_the_default_store_is_a_file_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_store_url() == f"sqlite:///{tmp_path}/dmem-agents/agents.db"
    with MemorySession(SessionConfig(model="/nowhere")) as session:
        assert list(session.list_agents()) == []
    assert (tmp_path / "dmem-agents" / "agents.db").is_file()


@pytest.mark.parametrize("fields", [{"max_batch_size": 0}, {"lease_ttl_seconds": 0.0}, {"lease_timeout_seconds": -1.0}])
def test_a_config_out_of_range_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        SessionConfig(**fields)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"stop": "text"}, "stop"),
        ({"stop": ("",)}, "stop"),
        ({"context": -1}, "context"),
        ({"context": "some"}, "context"),
        ({"on_divergence": "ignore"}, "on_divergence"),
    ],
)
def test_options_out_of_range_are_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        TurnOptions(**fields)  # type: ignore[arg-type]  # wrong on purpose
