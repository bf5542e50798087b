from __future__ import annotations

import pytest
from redis import exceptions

from dmem_agents.errors import ConfigError, StoreConnectionError, StoreError
from dmem_agents.store.redis import AsyncRedisStateStore, RedisStateStore
from dmem_agents.store.redis.address import RedisAddress
from dmem_agents.store.redis.ops import RedisPlans

PLANS = RedisPlans.of(RedisAddress.parsed("redis://user:s3cret@cache.example:6380/2?prefix=mine"))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://user:s3cret@cache.example:6380/2", "redis://cache.example:6380/2"),
        ("rediss://cache.example", "rediss://cache.example:6379"),
        ("redis://:p%40ss%2Fword%3A@[::1]:7000", "redis://::1:7000"),
        ("unix://user:s3cret@/run/redis.sock?db=3", "unix:///run/redis.sock"),
        ("redis+sentinel://user:s3cret@one,two:7/service/3", "redis+sentinel://one:26379,two:7/service/3"),
        ("rediss+cluster://user:s3cret@one:7000,two", "rediss+cluster://one:7000,two:6379"),
    ],
)
def test_addresses_in_messages_hold_no_secrets(url: str, address: str) -> None:
    parsed = RedisAddress.parsed(url)
    assert parsed.shown == address
    assert "s3cret" not in repr(parsed)


def test_our_prefix_is_taken_out_of_the_url_and_everything_else_stays() -> None:
    plans = RedisAddress.parsed("rediss://u:p%40%3F@h:1/2?socket_timeout=5&prefix=a%2Fb&ssl_ca_certs=%2Fx%20y")
    assert plans.prefix == "a/b"
    assert plans.url == "rediss://u:p%40%3F@h:1/2?socket_timeout=5&ssl_ca_certs=%2Fx+y"


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:s3c/ret@host:6379/0",
        "redis://user:12/s3cret@host:6379/0",
        "redis://user:12#s3cret@host:6379/0",
        "redis://user:12?s3cret@host:6379/0",
        "redis://user:s3cret@host:port/0",
        "redis://user:s3cret@host:6379/database",
        "redis://user:s3cret@[::1:6379",
    ],
)
@pytest.mark.parametrize("kind", [RedisStateStore, AsyncRedisStateStore])
def test_a_url_that_cannot_be_taken_apart_is_refused_without_repeating_it(
    url: str, kind: type[RedisStateStore] | type[AsyncRedisStateStore]
) -> None:
    with pytest.raises(ConfigError, match="%40") as caught:
        kind(url)
    assert "s3c" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("query", ["socket_timeuot=5", "socket_timeout=soon", "decode_responses=True"])
@pytest.mark.parametrize("kind", [RedisStateStore, AsyncRedisStateStore])
def test_an_option_that_the_client_does_not_take_is_refused_when_opening(
    query: str, kind: type[RedisStateStore] | type[AsyncRedisStateStore]
) -> None:
    with pytest.raises(ConfigError, match=query.split("=")[0]) as caught:
        kind(f"redis://user:s3cret@host:6379/0?{query}")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://host?wait_replicas=many", "wait_replicas=0 to 99"),
        ("redis://host?wait_replicas=1&wait_seconds=0", "wait_seconds=0.001"),
        ("redis://host?wait_replicas=1&wait_seconds=inf", "wait_seconds=0.001"),
        ("redis://host?wait_replicas=1&wait_seconds=30", "needs a socket_timeout above it, not 10"),
        ("redis+sentinel://host/service?wait_replicas=1&wait_seconds=2&socket_timeout=1", "above it, not 1"),
        ("redis+cluster://host?wait_replicas=1", "min-replicas-to-write"),
    ],
)
@pytest.mark.parametrize("kind", [RedisStateStore, AsyncRedisStateStore])
def test_waiting_for_replicas_that_cannot_work_is_refused_when_opening(
    url: str, text: str, kind: type[RedisStateStore] | type[AsyncRedisStateStore]
) -> None:
    with pytest.raises(ConfigError, match=text):
        kind(url)


@pytest.mark.parametrize("prefix", ["", "a:b", ":"])
def test_a_prefix_that_could_mix_up_stores_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix"):
        RedisAddress.parsed("redis://host", prefix)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (
            exceptions.AuthenticationError("invalid username-password pair"),
            StoreConnectionError,
            "credentials",
        ),
        (exceptions.BusyLoadingError("Redis is loading"), StoreConnectionError, "still loading"),
        (exceptions.ConnectionError("refused"), StoreConnectionError, "can't be reached"),
        (exceptions.TimeoutError("Timeout reading from socket"), StoreConnectionError, "can't be reached"),
        (ConnectionResetError(104, "reset by peer"), StoreConnectionError, "can't be reached"),
        (exceptions.NoPermissionError("no permissions to run 'evalsha'"), StoreError, "may not do this"),
        (exceptions.ReadOnlyError("You can't write"), StoreError, "read-only replica"),
        (
            exceptions.ResponseError("Error running script: -READONLY You can't"),
            StoreError,
            "read-only replica",
        ),
        (exceptions.OutOfMemoryError("command not allowed"), StoreError, "out of memory"),
        (exceptions.ResponseError("OOM command not allowed when"), StoreError, "out of memory"),
        (
            exceptions.ResponseError("MISCONF Redis is configured to save"),
            StoreError,
            "can't save to its disk",
        ),
        (exceptions.MovedError("866 127.0.0.1:7001"), StoreError, r"redis\+cluster://"),
        (exceptions.ResponseError("MOVED 866 127.0.0.1:7001"), StoreError, "Cluster"),
        (exceptions.ResponseError("something else"), StoreError, "refused a command: something else"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_errors_of_the_server_say_what_to_do(error: Exception, kind: type[StoreError], text: str) -> None:
    explained = PLANS.explained(error)
    assert type(explained) is kind
    with pytest.raises(kind, match=text):
        raise explained
    assert "cache.example:6380" in str(explained)
    assert "s3cret" not in str(explained)


def test_the_arguments_of_a_refused_command_stay_out_of_the_message() -> None:
    error = exceptions.ResponseError("unknown command 'EVALSHA', with args beginning with: 'private'")
    assert "private" not in str(PLANS.explained(error))
