"""What the Redis tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
import redis


class Server(Protocol):
    url: str


@pytest.fixture
def raw(redis_server: Server) -> Iterator[redis.Redis]:
    """A plain client of an empty server, which is set back to a primary without a limit afterwards."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client
        client.config_set("maxmemory", 0)
        client.replicaof("NO", "ONE")
