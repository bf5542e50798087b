from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from dmem_agents.envelope import MAX_SEALED_BYTES, seal
from dmem_agents.errors import AgentIdError, StateConflictError, StateCorruptError
from dmem_agents.store import InMemoryStateStore, export_agent, import_agent

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)


def exported(agent_id: str = "a", data: bytes = b"record") -> bytes:
    with InMemoryStateStore() as store:
        store.commit(agent_id, data, expected=None)
        return export_agent(store, agent_id)


@settings(deadline=None)
@given(IDS, st.binary(max_size=1000))
def test_an_agent_moves_between_stores_unchanged(agent_id: str, data: bytes) -> None:
    with InMemoryStateStore() as store:
        assert import_agent(store, exported(agent_id, data)) == agent_id
        record = store.load(agent_id)
        assert record is not None
        assert record.data == data


def test_the_largest_record_of_the_longest_id_moves_too() -> None:
    with InMemoryStateStore() as store:
        import_agent(store, exported("x" * 4096, bytes(MAX_SEALED_BYTES)))
        record = store.load("x" * 4096)
        assert record is not None
        assert len(record.data) == MAX_SEALED_BYTES


def test_exporting_an_agent_that_is_not_there_is_refused() -> None:
    with InMemoryStateStore() as store, pytest.raises(AgentIdError, match="no agent 'a'"):
        export_agent(store, "a")


def test_importing_over_an_agent_is_refused_unless_asked_for() -> None:
    with InMemoryStateStore() as store:
        mine = store.commit("a", b"mine", expected=None)
        with pytest.raises(StateConflictError, match="already an agent 'a'"):
            import_agent(store, exported())
        assert store.load("a") == mine
        import_agent(store, exported(), replace=True)
        record = store.load("a")
        assert record is not None
        assert (record.data, record.version) == (b"record", 2)


def test_every_bit_flip_and_truncation_of_an_export_is_refused() -> None:
    blob = exported()
    damaged = [blob[:length] for length in range(len(blob))]
    for position in range(len(blob)):
        for bit in range(8):
            damaged.append(blob[:position] + bytes([blob[position] ^ 1 << bit]) + blob[position + 1 :])
    with InMemoryStateStore() as store:
        for data in damaged:
            with pytest.raises(StateCorruptError):
                import_agent(store, data)
        assert list(store.list_agents()) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"schema": 2},
        {"format": "other"},
        {"agent_id": 5},
        {"version": 0},
        {"record": "text"},
        {"extra": 1},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_well_sealed_file_of_another_kind_is_refused(fields: dict[str, object]) -> None:
    known = {"schema": 1, "format": "dmem-agent", "agent_id": "a", "version": 1, "record": b""}
    with InMemoryStateStore() as store:
        with pytest.raises(StateCorruptError):
            import_agent(store, seal(list({**known, **fields}.items())))
        import_agent(store, seal(list(known.items())))


def test_an_exported_id_that_no_store_takes_is_refused() -> None:
    blob = seal([("schema", 1), ("format", "dmem-agent"), ("agent_id", ""), ("version", 1), ("record", b"")])
    with InMemoryStateStore() as store:
        with pytest.raises(AgentIdError):
            import_agent(store, blob)
        assert import_agent(store, blob, agent_id="b") == "b"
