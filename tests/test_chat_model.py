"""Arguments, agents and options that the chat models of every framework share."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest

from dmem_agents import (
    AgentIdError,
    ChatModelSettings,
    ConfigError,
    DeltaMemConfig,
    LoadedModel,
    MemorySession,
    agent,
    attach,
)
from dmem_agents.chat_model import EMBEDDED_CONTEXT_WINDOW, EMBEDDED_MODEL_NAME, redacted_url
from dmem_agents.model.embedded import EMBEDDED_MODEL_ID
from dmem_agents.session import SessionConfig, TurnOptions
from dmem_agents.store import InMemoryStateStore
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer


def test_settings_hold_every_argument_of_a_session_with_its_default() -> None:
    settings = ChatModelSettings()
    assert settings._memory_session().config == SessionConfig()


def test_settings_hold_every_option_of_a_turn_with_its_default() -> None:
    assert ChatModelSettings()._turn_options({}) == TurnOptions()


def test_equal_settings_share_one_session_and_others_do_not() -> None:
    store = InMemoryStateStore()
    one, same = ChatModelSettings(store=store, agent_id="a"), ChatModelSettings(store=store, seed=3)
    assert one._memory_session() is same._memory_session()
    assert ChatModelSettings(store="memory://")._memory_session() is not one._memory_session()


def test_naming_the_embedded_model_needs_no_import_of_it_and_says_what_it_is_called() -> None:
    settings = ChatModelSettings()
    assert settings._model_name() == EMBEDDED_MODEL_NAME == EMBEDDED_MODEL_ID
    assert settings._context_window() == EMBEDDED_CONTEXT_WINDOW


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"temprature": 1},
            "`temprature` of ChatModelSettings. Did you mean `temperature`?",
        ),
        ({"max_new_token": 1}, "Did you mean `max_new_tokens`?"),
        ({"zzz": 1}, "Unknown argument `zzz` of ChatModelSettings. It takes: adapter, agent_id,"),
        ({"temperature": -1}, "`temperature`: Input should be greater than or equal to 0, got -1"),
        ({"max_tokens": 0}, "`max_tokens`: Input should be greater than 0, got 0"),
        ({"top_p": 0}, "`top_p`: Input should be greater than 0, got 0"),
        ({"context": "all"}, "`context`"),
        ({"write_roles": ["system"]}, "`write_roles`"),
        ({"on_divergence": "ignore"}, "`on_divergence`"),
        ({"stop": 3}, "`stop`"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ChatModelSettings(**arguments)
    assert text in str(caught.value)


def test_a_given_session_is_used_and_nothing_beside_it_is_dropped_silently() -> None:
    with MemorySession(SessionConfig(model="some/model")) as session:
        settings = ChatModelSettings(session=session)
        assert settings._memory_session() is session
        assert settings._model_name() == "some/model"
        with pytest.raises(ConfigError, match="`session` or `adapter`, `store`, got both"):
            ChatModelSettings(session=session, adapter="x", store="memory://")


def test_a_loaded_model_gets_one_session_that_copies_share() -> None:
    loaded = LoadedModel(model=attach(tiny_model(), DeltaMemConfig()), tokenizer=tiny_tokenizer())
    settings = ChatModelSettings(session=loaded, store="memory://")
    session = settings._memory_session()
    assert session is settings.for_agent("alice")._memory_session()
    assert (session.config.store, settings._context_window()) == ("memory://", loaded.model.max_context)
    assert settings._model_name() == loaded.model.backbone_id
    again = ChatModelSettings(**{name: getattr(settings, name) for name in ChatModelSettings.model_fields})
    assert again._memory_session() is session
    with pytest.raises(ConfigError, match="`session` or `model`, got both"):
        ChatModelSettings(session=loaded, model="x")
    session.close()


def test_something_else_as_a_session_is_refused() -> None:
    with pytest.raises(ConfigError, match="MemorySession or a LoadedModel, got `int`"):
        ChatModelSettings(session=5)


def test_a_wrong_store_is_refused_without_showing_its_value() -> None:
    with pytest.raises(ConfigError, match="`store`") as caught:
        ChatModelSettings(store=["redis://:secret@host"])  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("agent_id", ["", "x" * 5000])
def test_an_unusable_agent_id_is_refused_at_construction(agent_id: str) -> None:
    with pytest.raises(AgentIdError, match="Expected"):
        ChatModelSettings(agent_id=agent_id)
    with pytest.raises(AgentIdError, match="Expected"):
        ChatModelSettings().for_agent(agent_id)


def test_the_agent_is_the_calls_then_the_fields_then_the_contexts_then_the_frameworks() -> None:
    bound, free = ChatModelSettings(agent_id="field"), ChatModelSettings()
    with agent("context"):
        assert bound._resolve_agent("call", ["framework"]) == "call"
        assert bound._resolve_agent(None, ["framework"]) == "field"
        assert free._resolve_agent(None, ["framework"]) == "context"
    assert free._resolve_agent(None, [None, "framework"]) == "framework"
    assert free._resolve_agent(None) is None


def test_an_empty_agent_id_of_a_call_is_refused_and_nobody_elses_is_taken() -> None:
    with pytest.raises(AgentIdError, match="non-empty"):
        ChatModelSettings(agent_id="field")._resolve_agent("")


def test_for_agent_shares_everything_but_the_agent() -> None:
    settings = ChatModelSettings(store=InMemoryStateStore(), temperature=0.5)
    alice = settings.for_agent("alice")
    assert (alice.agent_id, settings.agent_id) == ("alice", None)
    assert alice._memory_session() is settings._memory_session()
    assert alice._turn_options({}) == settings._turn_options({})


def test_a_call_overrides_the_settings() -> None:
    settings = ChatModelSettings(max_new_tokens=5, stop="END", temperature=0.5)
    assert settings._turn_options({}).stop == ("END",)
    options = settings._turn_options({"max_new_tokens": 7, "stop": ["a", "b"], "read_only": True})
    assert (options.sampling.max_new_tokens, options.sampling.temperature) == (7, 0.5)
    assert (options.stop, options.read_only) == (("a", "b"), True)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"temprature": 1}, "`temprature` of a call of ChatModelSettings. Did you mean `temperature`?"),
        ({"tools": [{"type": "web_search"}]}, "tool"),
        ({"temperature": -1}, "temperature"),
        ({"context": "all"}, "context"),
    ],
)
def test_a_wrong_argument_of_a_call_is_refused(call: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ChatModelSettings()._turn_options(call)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:pw@host:6379/0?a=b", "redis://user:***@host:6379/0?a=b"),
        ("rediss://:pw@host", "rediss://:***@host"),
        ("redis://host:6379", "redis://host:6379"),
        ("sqlite:///folder/a@b.db", "sqlite:///folder/a@b.db"),
        ("redis://host?password=pw&prefix=x", "redis://host?password=***&prefix=x"),
        (
            "redis+sentinel://host/service?sentinel_p%61ssword=pw",
            "redis+sentinel://host/service?sentinel_p%61ssword=***",
        ),
        ("redis://pw@host", "redis://***@host"),
        ("redis://user:p/w?p@w@host", "redis://user:***@host"),
        ("redis://:pw@one:1,two:2?a=b", "redis://:***@one:1,two:2?a=b"),
    ],
)
def test_a_stores_password_is_neither_printed_nor_dumped(url: str, shown: str) -> None:
    assert redacted_url(url) == shown
    settings = ChatModelSettings(store=url)
    assert settings.model_dump()["store"] == shown
    assert "pw" not in repr(settings) + repr(settings._memory_session().config)


@pytest.mark.parametrize(
    "imported", ["from langchain_dmem import DeltaMemLLM", "from llama_index.llms.dmem import DeltaMemLLM"]
)
def test_the_constructor_loads_no_torch_and_takes_less_than_ten_milliseconds(imported: str) -> None:
    code = f"""
        import sys, time
        {imported}
        DeltaMemLLM()
        started = time.perf_counter()
        DeltaMemLLM(model="some/model", store="redis://host", temperature=0.3).for_agent("alice")
        seconds = time.perf_counter() - started
        print([name for name in ("torch", "transformers", "redis") if name in sys.modules], seconds < 0.01)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[] True"
