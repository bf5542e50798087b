from __future__ import annotations

import pytest

from dmem_agents.store import AsyncStateStore, StateStore, StoredRecord
from dmem_agents.store.base import following
from dmem_agents.testing.store_conformance import StoreConformance
from dmem_agents.testing.store_under_test import refused


def test_a_stored_record_does_not_print_its_bytes() -> None:
    assert "secret" not in repr(StoredRecord(data=b"secret", version=1, incarnation="i"))


def test_incarnations_are_drawn_anew_for_each_new_record() -> None:
    assert len({following(b"", None).incarnation for _ in range(100)}) == 100


def test_the_sync_and_async_contract_have_the_same_methods() -> None:
    rename = {"aclose": "close"}
    asynchronous = {rename.get(name, name) for name in AsyncStateStore.__abstractmethods__}
    assert asynchronous == set(StateStore.__abstractmethods__)


def test_the_suite_asks_for_its_hook() -> None:
    with pytest.raises(NotImplementedError):
        StoreConformance().open_store()


def test_the_suites_own_check_fails_when_nothing_or_another_text_is_raised() -> None:
    with pytest.raises(AssertionError, match="nothing was raised"), refused(ValueError):
        int("5")
    with pytest.raises(AssertionError, match="expected"), refused(ValueError, "another text"):
        int("five")
