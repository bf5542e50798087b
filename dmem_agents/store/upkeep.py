"""Looking after a store: moving agents into another one, and finding what is wrong. Agent by agent; bytes only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from dmem_agents.envelope import MAX_SEALED_BYTES
from dmem_agents.errors import StateConflictError, StateCorruptError, StateError, StateMismatchError
from dmem_agents.store.base import StateStore

Outcome = Literal["copied", "there already", "differs", "gone", "unreadable"]
Problem = Literal["foreign", "corrupt", "over-sized", "wrong model"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What `migrate` did about one agent."""

    agent_id: str
    outcome: Outcome
    """`differs`: the target has another record under that id, which was left. `unreadable`: the record in the source
    or in the target doesn't open, or the target has no room for it; nothing was written."""
    text: str = ""
    """Why it is unreadable, and that it is the target if it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that `examine` found."""

    subject: str
    """An agent's id, or for `foreign` a description of the place."""
    problem: Problem
    text: str


def migrate(source: StateStore, target: StateStore, *, prefix: str = "", replace: bool = False) -> Iterator[Moved]:
    """Copies agents that the target does not have, and says of each what became of it. The source stays as it is.

    Each agent is one commit, so an interruption leaves whole agents, and the next run goes on: what is there
    already is not written again. Versions begin at 1 in the target; snapshots, leases and settings stay behind.

    Args:
        source: where from.
        target: where to.
        prefix: only agents whose id begins so.
        replace: write over what differs in the target.
    """
    for agent_id in source.list_agents(prefix):
        try:
            record = source.load(agent_id)
        except StateError as error:
            yield Moved(agent_id=agent_id, outcome="unreadable", text=str(error))
            continue
        try:
            outcome = _copied(target, agent_id, record.data if record else None, replace)
        except StateError as error:
            yield Moved(agent_id=agent_id, outcome="unreadable", text=f"in the target: {error}")
            continue
        yield Moved(agent_id=agent_id, outcome=outcome)


def examine(store: StateStore, check: Callable[[str, bytes], object], *, prefix: str = "") -> Iterator[Finding]:
    """What is wrong in a store, snapshots that don't open included; changes nothing.

    Args:
        store: which.
        check: opens a record, given agent id and bytes; raises `StateMismatchError` or `StateCorruptError`.
        prefix: only agents whose id begins so.
    """
    for stray in store.strays():
        yield Finding(subject=stray, problem="foreign", text=f"{stray}; dmem-agents did not write it.")
    for agent_id in store.list_agents(prefix):
        problem: Problem = "corrupt"
        try:
            record = store.load(agent_id)
            if record is None:
                continue
            if len(record.data) > MAX_SEALED_BYTES:
                problem = "over-sized"
            check(agent_id, record.data)
            for kept in store.snapshots(agent_id):
                store.load_snapshot(agent_id, kept.version)  # under a key that is there
        except StateMismatchError as error:
            yield Finding(subject=agent_id, problem="wrong model", text=str(error))
        except StateCorruptError as error:
            yield Finding(subject=agent_id, problem=problem, text=str(error))


def _copied(target: StateStore, agent_id: str, data: bytes | None, replace: bool) -> Outcome:
    if data is None:
        return "gone"
    there = target.load(agent_id)
    if there is not None and there.data == data:
        return "there already"
    if there is not None and not replace:
        return "differs"
    try:
        target.commit(agent_id, data, expected=there)
    except StateConflictError:
        return "differs"
    return "copied"
