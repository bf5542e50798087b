"""How long agents and their earlier versions are kept: the settings, their URL options, and what they drop.

An agent carries its settings with its record. A store that was opened without some of them leaves those as the
agent has them, so that an admin's tool or a second service doesn't undo what the first one asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

from dmem_agents.errors import ConfigError

MAX_SNAPSHOTS: Final = 1000
"""More earlier versions than this of one agent are not kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """An earlier version of an agent's record that is still kept."""

    version: int
    """Its number."""
    committed_at: float
    """When it was committed, in seconds since 1970 by the store's clock; 0 when that is not known."""
    size_bytes: int
    """Of the record as it is stored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """What a store does about old records. None leaves it as the agent has it; a new agent has no limits.

    Raises:
        ConfigError: a number is out of its bounds.
    """

    ttl_seconds: float | None = None
    """An agent that nobody commits to (or reads, with `refresh_on_read`) for so long is forgotten, with all that
    belongs to it. `math.inf` keeps it for ever. A leased agent is never forgotten."""
    refresh_on_read: bool = False
    """Whether a load, too, starts the time anew."""
    snapshots: int | None = None
    """How many earlier versions commits keep; 0 keeps none, and drops those there are."""
    snapshot_seconds: float | None = None
    """Earlier versions that were committed longer ago than this are dropped by the next commit; `math.inf`: none
    is dropped for its age."""

    def __post_init__(self) -> None:
        for name in ("ttl_seconds", "snapshot_seconds"):
            value = getattr(self, name)
            if value is not None and not (value >= 0.001):
                raise ConfigError(f"Expected `{name}` as 0.001 seconds or more (inf: no limit), got {value}.")
        if self.snapshots is not None and not 0 <= self.snapshots <= MAX_SNAPSHOTS:
            raise ConfigError(f"Expected 0 to {MAX_SNAPSHOTS} `snapshots`, got {self.snapshots}.")

    def over(self, stored: Retention) -> Retention:
        """What holds after a commit of this store to an agent with the settings `stored`."""
        merged = {
            field.name: getattr(self if getattr(self, field.name) is not None else stored, field.name)
            for field in fields(self)
        }
        return Retention(**merged)

    def expiry(self, now: float) -> float | None:
        """When an agent that was touched `now` is forgotten; None: never."""
        return None if self.ttl_seconds is None or math.isinf(self.ttl_seconds) else now + self.ttl_seconds

    def kept(self, snapshots: Sequence[Snapshot], now: float) -> tuple[Snapshot, ...]:
        """Those of the earlier versions, oldest first, that a commit `now` keeps."""
        youngest = snapshots[-self.snapshots :] if self.snapshots else ()
        oldest = -math.inf if self.snapshot_seconds is None else now - self.snapshot_seconds
        return tuple(snapshot for snapshot in youngest if snapshot.committed_at >= oldest)

    @classmethod
    def taken_from(cls, query: dict[str, str]) -> Self | None:
        """The settings in a URL's query, which loses them; None when it names none.

        `ttl_seconds=3600`, `refresh=read` (or `write`, the default), `snapshots=10`, `snapshot_seconds=86400`.

        Raises:
            ConfigError: a value is no number, or out of its bounds.
        """
        named = {name: query.pop(name) for name in ("ttl_seconds", "snapshots", "snapshot_seconds") if name in query}
        refresh = query.pop("refresh", None)
        if not named and refresh is None:
            return None
        if refresh not in (None, "read", "write"):
            raise ConfigError(f"Expected refresh=read or refresh=write in the store's URL, got {refresh!r}.")
        try:
            return cls(
                refresh_on_read=refresh == "read",
                **{name: int(text) if name == "snapshots" else float(text) for name, text in named.items()},  # type: ignore[arg-type]  # each name has its type
            )
        except ValueError as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(
                "Expected numbers for ttl_seconds, snapshots and snapshot_seconds in the store's URL, got "
                f"{', '.join(f'{name}={text}' for name, text in named.items())}."
            ) from None


AS_IT_IS: Final = Retention()
"""Leaves every agent's settings as they are."""
