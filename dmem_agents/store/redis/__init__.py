"""Records in Redis or Valkey: `ops` says what is done, `sync` and `aio` do it. Only here is `redis` used."""

from __future__ import annotations

from dmem_agents.store.redis.aio import AsyncRedisStateStore
from dmem_agents.store.redis.sync import RedisStateStore

__all__ = ["AsyncRedisStateStore", "RedisStateStore"]
