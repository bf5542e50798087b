"""Errors of the server, the network and redis-py as errors of ours, with advice; and which are worth a second try."""

from __future__ import annotations

import re
from typing import Final

from redis import exceptions

from dmem_agents.errors import StoreConnectionError, StoreError

PASSING: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ClusterDownError,
    exceptions.TryAgainError,
    exceptions.RedisClusterException,
    OSError,
)
"""What may be over soon: the server restarts, a replica takes over, a slot moves."""


def is_passing(error: Exception) -> bool:
    """Whether it makes sense to repeat what failed with this error."""
    lasting = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.MaxConnectionsError)
    return isinstance(error, PASSING) and not isinstance(error, lasting)


def explained(error: Exception, address: str, prefix: str) -> StoreError:
    """The error as one of ours.

    Args:
        error: of redis-py or the operating system.
        address: the server for messages, without secrets.
        prefix: of the store's keys.
    """
    text = str(error)
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return StoreConnectionError(
            f"The Redis server {address} refused the credentials. Check user and password in the store's URL."
        )
    if isinstance(error, exceptions.BusyLoadingError):
        return StoreConnectionError(f"The Redis server {address} is still loading its data. Try again soon.")
    if type(error).__name__ == "MasterNotFoundError":
        return StoreConnectionError(
            f"The Sentinels of {address} name no primary ({text}). A failover may be under way: try again soon. "
            "Otherwise check the service's name and the Sentinels' password in the store's URL."
        )
    if isinstance(error, exceptions.ClusterDownError | exceptions.SlotNotCoveredError | exceptions.TryAgainError):
        return StoreConnectionError(
            f"The Redis Cluster {address} can't serve this agent now ({text}). A failover or a moving slot ends "
            "by itself: try again soon. Otherwise look for nodes that are down."
        )
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return _unreachable(text, address)
    if isinstance(error, exceptions.RedisClusterException) and "connect" in text:
        return _unreachable("none of its nodes answers, or lets this user ask for its slots", address)
    if isinstance(error, exceptions.NoPermissionError) or re.search("user executing the script|ACL failure", text):
        return StoreError(
            f"The user in the URL of {address} may not do this ({text}). It needs read and write access to "
            f"the keys `{prefix}:*`, and EVAL, EVALSHA, MULTI, EXEC, SCAN, TIME and the hash commands."
        )
    for code, kind, reason in _REFUSALS:
        if isinstance(error, kind) or re.search(rf"\b{code}\b", text):
            return StoreError(f"The Redis server {address} {reason} Nothing was written.")
    shown = text.split(", with args", 1)[0]  # after it an unknown command's arguments would follow
    return StoreError(f"The Redis server {address} refused a command: {shown}.")


def _unreachable(text: str, address: str) -> StoreConnectionError:
    return StoreConnectionError(
        f"The Redis server {address} can't be reached or went away ({text}). Start it, or check host, "
        "port and network. A write that was under way was stored as a whole or not at all."
    )


# The server's code, redis-py's class (it cuts the code off the text where it has one), and what to do.
_REFUSALS: Final[tuple[tuple[str, tuple[type[Exception], ...], str], ...]] = (
    (
        "READONLY",
        (exceptions.ReadOnlyError,),
        "is a read-only replica. Put the primary's address into the store's URL, or the Sentinels' "
        "(redis+sentinel://), which follow a failover.",
    ),
    (
        "OOM",
        (exceptions.OutOfMemoryError,),
        "is out of memory. Raise its `maxmemory`, or forget agents that are no longer used.",
    ),
    (
        "MOVED",
        (exceptions.MovedError, exceptions.AskError),
        "is part of a Redis Cluster. Begin the store's URL with redis+cluster://.",
    ),
    ("MISCONF", (), "refuses writes because it can't save to its disk. Look into its log."),
    ("NOREPLICAS", (), "refuses writes because too few replicas are connected."),
)
