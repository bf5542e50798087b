from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dmem_agents.errors import ConfigError
from dmem_agents.store import (
    InMemoryStateStore,
    SQLiteStateStore,
    ThreadedStateStore,
    default_store_url,
    open_async_store,
    open_store,
)
from dmem_agents.store.redis import AsyncRedisStateStore, RedisStateStore

ROOT = Path(__file__).parents[2]


def test_memory_urls_open_a_new_store_each_time() -> None:
    with open_store("memory://") as one, open_store("memory://") as two:
        assert isinstance(one, InMemoryStateStore)
        one.commit("a", b"1", expected=None)
        assert two.load("a") is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///agents.sqlite", "cwd/agents.sqlite"),
        ("sqlite:///new/agents.sqlite", "cwd/new/agents.sqlite"),
        ("sqlite:///~/agents.sqlite", "home/agents.sqlite"),
        ("sqlite:///a%20b.sqlite", "cwd/a b.sqlite"),
        ("sqlite:///{tmp}/absolute.sqlite", "absolute.sqlite"),
    ],
)
def test_sqlite_urls_name_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, path: str) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with open_store(url.format(tmp=tmp_path)) as store:
        assert isinstance(store, SQLiteStateStore)
        assert store.path == tmp_path / path
    assert (tmp_path / path).is_file()


@pytest.mark.parametrize("name", ["a b", "a%20b", "a?b", "a#b", "~", "ä"])
def test_the_default_store_lies_in_the_data_folder_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / name))
    with open_store(default_store_url()) as store:
        assert isinstance(store, SQLiteStateStore)
        assert store.path == tmp_path / name / "dmem-agents" / "agents.db"


@pytest.mark.parametrize(
    "url",
    [
        *("redis://localhost", "rediss://localhost:6380/1", "unix:///run/redis.sock"),
        *("redis+sentinel://one,two:7/service/1", "rediss+sentinel://one/service?sentinel_password=x"),
        *("redis+cluster://one:7000,two:7001", "rediss+cluster://one?ssl_ca_certs=/x", "redis://h?snapshots=3"),
    ],
)
async def test_redis_urls_open_redis_stores_without_connecting(url: str) -> None:
    with open_store(url) as store:
        assert isinstance(store, RedisStateStore)
    async with open_async_store(url) as async_store:
        assert isinstance(async_store, AsyncRedisStateStore)


async def test_async_stores_over_files_and_memory_run_in_threads(tmp_path: Path) -> None:
    for url in ("memory://", f"sqlite:///{tmp_path}/agents.sqlite"):
        async with open_async_store(url) as store:
            assert isinstance(store, ThreadedStateStore)
            assert (await store.commit("a", b"1", expected=None)).version == 1


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "sqlite:///"),
        ("agents.sqlite", "sqlite:///"),
        ("postgres://host", "'postgres'"),
        ("sqlite://", "sqlite:///relative/path"),
        ("sqlite:///", "sqlite:///relative/path"),
        ("sqlite://agents.sqlite", "sqlite:///relative/path"),
        ("sqlite:///agents.sqlite?mode=ro", "no options but.*got mode"),
        ("sqlite:///agents.sqlite?snapshots=many", "numbers"),
        ("sqlite:///agents.sqlite?snapshots=-1", "0 to 1000"),
        ("sqlite:///agents.sqlite?ttl_seconds=0", "ttl_seconds"),
        ("memory://?refresh=never", "refresh=read"),
        ("sqlite:///:memory:", "memory://"),
        ("memory://name", "memory://"),
        ("redis+sentinel://host", "can't be taken apart"),
        ("redis+cluster://host/5", "can't be taken apart"),
        ("redis+unix://host", "got one that begins with"),
        ("redis://one,two", "can't be taken apart"),
    ],
)
def test_other_urls_are_refused_with_advice(url: str, text: str) -> None:
    for opener in (open_store, open_async_store):
        with pytest.raises(ConfigError, match=text):
            opener(url)


def test_a_missing_redis_client_is_named_with_the_way_to_install_it() -> None:
    program = (
        "import sys; sys.modules['redis'] = None\n"
        "from dmem_agents.errors import ConfigError\n"
        "from dmem_agents.store import open_store, open_async_store\n"
        "open_store('memory://')\n"
        "for opener in (open_store, open_async_store):\n"
        "    try: opener('redis://localhost')\n"
        "    except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'dmem-agents[redis]'") == 2
