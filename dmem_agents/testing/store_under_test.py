"""What the conformance suites stand on: how to open the store under test, odd agent ids, and expected refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dmem_agents.store.base import StateStore
from dmem_agents.testing.store_writers import StoreFactory, open_blocking

ODD_AGENT_IDS = (
    *("a", "A", " a", "a ", "a:b", "a:", ":a", ":", "a::b", "a/b", "a\\b", "a%3Ab", "lease", "version"),
    *(
        "*",
        "a*",
        "?",
        "[a]",
        "[^a]",
        "{a}",
        "{a}:b",
        "a\nb",
        "a\0b",
        "a\0",
        "\0",
        "'; DROP TABLE records; --",
    ),
    *("ä", "a\u0308", "аlice", "alice", "😀", "\uffff", "\U0010ffff", "x" * 4096, "x" * 4095),
)
"""Agent ids that a careless store mixes up: separators, patterns, control characters, look-alikes."""


class StoreUnderTest:
    """`store_factory` is the one method to write."""

    def store_factory(self) -> StoreFactory:
        """A callable that opens the store under test, empty at the start of each test.

        It may make a `StateStore` or an `AsyncStateStore`. For `SharedStoreConformance` it must be
        picklable, as a `functools.partial` of an importable class is, and each call must open the same data.
        """
        raise NotImplementedError

    def open_store(self) -> StateStore:
        """The store under test; an async one runs on an event loop in a thread of its own."""
        return open_blocking(self.store_factory())


@contextmanager
def refused(kind: type[Exception], *parts: str) -> Iterator[None]:
    """Checks that the block raises `kind` with all `parts` in its text; pytest's `raises` without pytest."""
    try:
        yield
    except kind as error:
        missing = [part for part in parts if part not in str(error)]
        if missing:
            raise AssertionError(f"expected {missing} in the text: {error}") from error
    else:
        raise AssertionError(f"expected {kind.__name__}, nothing was raised")
