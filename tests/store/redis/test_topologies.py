"""The suite on a Cluster of three nodes and behind a Sentinel, sync and async; Unix sockets, TLS, ACL users."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import secrets
import signal
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dmem_agents.errors import StateConflictError, StoreConnectionError, StoreError
from dmem_agents.store import StateStore, open_async_store, open_store
from dmem_agents.store.redis import AsyncRedisStateStore, RedisStateStore
from dmem_agents.testing.blocking_store import BlockingStore
from dmem_agents.testing.redis_servers import RedisProcess, clustered, move_slot, replicated, running, wait_for
from dmem_agents.testing.shared_store_conformance import SharedStoreConformance
from tests.store.redis.suites import AsyncRedisSuite, RedisSuite

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Short on purpose: unix sockets in it must fit 108 characters.
    with tempfile.TemporaryDirectory(prefix="dmem-redis-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[tuple[str, list[RedisProcess]]]:
    with clustered(folder / "cluster") as (url, nodes):
        yield url, list(nodes)


@pytest.fixture(scope="module")
def sentinel_url(folder: Path) -> Iterator[str]:
    with replicated(folder / "replicated") as (url, _, _):
        yield url


class TestCluster(RedisSuite, SharedStoreConformance):
    @pytest.fixture(autouse=True)
    def _url(self, cluster: tuple[str, list[RedisProcess]]) -> None:
        self.url = f"{cluster[0]}?prefix={secrets.token_hex(4)}"


class TestAsyncCluster(AsyncRedisSuite):
    @pytest.fixture(autouse=True)
    def _url(self, cluster: tuple[str, list[RedisProcess]]) -> None:
        self.url = f"{cluster[0]}?prefix={secrets.token_hex(4)}"


class TestSentinel(RedisSuite, SharedStoreConformance):
    @pytest.fixture(autouse=True)
    def _url(self, sentinel_url: str) -> None:
        self.url = f"{sentinel_url}?prefix={secrets.token_hex(4)}"


class TestAsyncSentinel(AsyncRedisSuite):
    @pytest.fixture(autouse=True)
    def _url(self, sentinel_url: str) -> None:
        self.url = f"{sentinel_url}?prefix={secrets.token_hex(4)}"


def test_agents_are_spread_over_the_clusters_nodes(cluster: tuple[str, list[RedisProcess]]) -> None:
    url, nodes = cluster
    with open_store(f"{url}?prefix=spread") as store:
        for number in range(30):
            store.commit(f"agent {number}", b"", expected=None)
    assert all(node.client().keys("spread:*") for node in nodes)


async def test_closing_also_closes_what_was_opened_after_an_error_had_closed_the_client(
    cluster: tuple[str, list[RedisProcess]],
) -> None:
    store = AsyncRedisStateStore(f"{cluster[0]}?prefix=closing")
    await store.load("a")
    client = store._open()
    await client.aclose()  # as redis-py does when a slot is not covered
    nodes = [*client.get_nodes(), *client.startup_nodes]
    for node in nodes:
        await node.execute_command("PING")
    assert all(connection.is_connected for node in nodes for connection in node._connections)
    await store.aclose()
    assert not any(connection.is_connected for node in nodes for connection in node._connections)


def test_an_agent_is_read_and_written_while_its_slot_moves(cluster: tuple[str, list[RedisProcess]]) -> None:
    url, nodes = cluster
    with open_store(f"{url}?prefix=moving") as store, BlockingStore(open_async_store(f"{url}?prefix=moving")) as other:
        record = store.commit("a", b"0", expected=None)
        slot = nodes[0].client().execute_command("CLUSTER", "KEYSLOT", "moving:a")
        source = next(node for node in nodes if node.client().execute_command("CLUSTER", "COUNTKEYSINSLOT", slot))
        target = next(node for node in nodes if node is not source)
        move_slot(slot, source, target)
        record = store.commit("a", b"1", expected=record)
        assert other.load("a") == record
        move_slot(slot, target, source)
        assert other.commit("a", b"2", expected=record).version == 3
        assert list(store.list_agents()) == ["a"]


def test_a_plain_url_to_a_cluster_says_which_url_it_needs(cluster: tuple[str, list[RedisProcess]]) -> None:
    def load_some(store: RedisStateStore) -> None:
        for number in range(30):
            store.load(f"agent {number}")

    with RedisStateStore(cluster[1][0].url) as store, pytest.raises(StoreError, match=r"redis\+cluster://"):
        load_some(store)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_commit_waits_for_the_replica_that_takes_over(folder: Path, kind: str) -> None:
    with replicated(folder / f"failover-{kind}") as (url, primary, replica):
        async_store = BlockingStore(AsyncRedisStateStore(url)) if kind == "async" else None
        with async_store or RedisStateStore(url) as store:
            first = store.commit("a", b"1", expected=None)
            wait_for(lambda: replica.client().hget("dmem:a", "version") == b"1", "the replica to have the commit")
            primary.kill()
            second = store.commit("a", b"2", expected=first)
            assert store.load("a") == second
            assert replica.client().hget("dmem:a", "record") == b"2"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_commit_is_acknowledged_once_so_many_replicas_have_it(folder: Path, kind: str, size: int) -> None:
    options = "wait_replicas=1&wait_seconds=2&socket_timeout=5"
    with replicated(folder / secrets.token_hex(4)) as (url, _, replica):
        opened = RedisStateStore if kind == "sync" else lambda at: BlockingStore(AsyncRedisStateStore(at))
        with opened(f"{url}?{options}") as store, replica.client() as following:
            record = store.commit("a", b"first", expected=None)
            for number in range(5):
                record = store.commit("a", bytes([number]) * size, expected=record)
                assert following.hget("dmem:a", "version") == str(record.version).encode()
            replica.kill()
            with pytest.raises(StoreConnectionError, match=r"stored by .* only 0 of 1 replicas .* with its token"):
                store.commit("a", b"6" * size, expected=record, token="turn 6")
            stored = store.load("a")
            assert stored is not None
            assert stored.data == b"6" * size
            with pytest.raises(StateConflictError):
                store.commit("a", b"7" * size, expected=record)
            replica.start()
            wait_for(lambda: following.info("replication")["master_link_status"] == "up", "the replica")
            assert store.commit("a", b"6" * size, expected=record, token="turn 6") == stored
            assert following.hget("dmem:a", "version") == str(stored.version).encode()


@pytest.mark.parametrize("options", ["", "?wait_replicas=1&wait_seconds=0.2"])
def test_what_a_promoted_replica_never_got_was_not_acknowledged_when_waiting_for_it(folder: Path, options: str) -> None:
    acknowledged = 0
    with replicated(folder / secrets.token_hex(4)) as (url, primary, replica):
        replica_pid = replica.client().info("server")["process_id"]
        with RedisStateStore(f"{url}{options}") as store:
            record = store.commit("a", bytes([0]), expected=None)
            wait_for(lambda: replica.client().hget("dmem:a", "version") == b"1", "the replica to have the first commit")
            os.kill(replica_pid, signal.SIGSTOP)
            with pytest.raises(StoreConnectionError, match="0 of 1 replicas") if options else nullcontext():
                for number in range(1, 31):  # more than the sockets between the two hold
                    record = store.commit("a", bytes([number]) * 1_000_000, expected=record)
                    acknowledged = number
            primary.kill()
            os.kill(replica_pid, signal.SIGCONT)
            wait_for(lambda: replica.client().info("replication")["role"] == "master", "the replica to take over")
        with RedisStateStore(url) as store:
            found = store.load("a")
            assert found is not None
            if options:
                assert acknowledged == 0
            else:
                assert found.data[0] < acknowledged == 30


@pytest.mark.parametrize("url", ["redis+sentinel://127.0.0.1:1/agents", "redis+cluster://127.0.0.1:1"])
def test_sentinels_and_nodes_that_do_not_answer_are_one_message(url: str) -> None:
    url = url.replace("://", "://user:s3cret@") + "?retries=1"
    for store in (RedisStateStore(url), BlockingStore(AsyncRedisStateStore(url))):
        with store, pytest.raises(StoreConnectionError, match=r"127\.0\.0\.1:1") as caught:
            store.load("a")
        assert "s3cret" not in str(caught.value)
        with pytest.raises(StoreError):
            next(iter(store.list_agents()), None)


def test_a_service_that_the_sentinels_do_not_know_is_named(sentinel_url: str) -> None:
    with (
        RedisStateStore(sentinel_url.replace("/agents", "/others") + "?retries=0") as store,
        pytest.raises(StoreConnectionError, match=r"name no primary.*others"),
    ):
        store.load("a")


def test_a_unix_socket_serves_both_twins(folder: Path) -> None:
    path = folder / "redis.sock"
    with running(folder / "socket", {"unixsocket": str(path)}):
        with open_store(f"unix://{path}") as store:
            record = store.commit("a", b"1", expected=None)
        with BlockingStore(open_async_store(f"unix://{path}?prefix=dmem")) as store:
            assert store.load("a") == record


def documented_rights() -> list[list[str]]:
    """What docs/store.md gives a user, on one server and on a Cluster."""
    text = (DOCS / "store.md").read_text(encoding="utf-8")
    found = re.search(r"`~prefix:\*` and `([^`]*)`.*?on a Cluster also\s`([^`]*)`", text, re.DOTALL)
    assert found is not None
    one, more = found[1].split(), found[2].split()
    return [["~agents:*", *one], ["~agents:*", *one, *more]]


def do_everything(store: StateStore) -> None:
    """Everything that a store can do, on two agents that are gone afterwards."""
    fence = store.acquire_lease("a", "me", ttl_seconds=5)
    first = store.commit("a", b"1", expected=None, fence=fence)
    second = store.commit("a", b"2", expected=first)
    store.commit("a", bytes(100_000), expected=second)
    with pytest.raises(StateConflictError):
        store.commit("not there", bytes(100_000), expected=second)
    store.restore("a", 1)
    store.fork("a", "b")
    store.release_lease("a", "me")
    assert sorted(store.list_agents()) == ["a", "b"]
    assert list(store.strays()) == []
    assert store.delete("a")
    assert store.delete("b")


def test_a_user_with_just_the_documented_rights_can_do_everything_on_a_cluster(
    cluster: tuple[str, list[RedisProcess]],
) -> None:
    url, nodes = cluster
    for node in nodes:
        node.client().execute_command("ACL", "SETUSER", "memory", "on", ">s3cret", *documented_rights()[1])
    url = url.replace("://", "://memory:s3cret@") + "?prefix=agents&snapshots=2&retries=1"
    for store in (RedisStateStore(url), BlockingStore(AsyncRedisStateStore(url))):
        with store:
            do_everything(store)


def test_a_user_with_just_the_documented_rights_can_do_everything(folder: Path) -> None:
    with running(folder / "acl") as server:
        server.client().execute_command("ACL", "SETUSER", "memory", "on", ">s3cret", *documented_rights()[0])
        url = f"redis://memory:s3cret@127.0.0.1:{server.port}/0?prefix=agents&snapshots=2&ttl_seconds=60&refresh=read"
        for store in (RedisStateStore(url), BlockingStore(AsyncRedisStateStore(url))):
            with store:
                do_everything(store)
        with (
            RedisStateStore(url.replace("prefix=agents", "prefix=others")) as store,
            pytest.raises(StoreError, match="may not do this"),
        ):
            store.load("a")


def test_tls_checks_the_servers_certificate(folder: Path) -> None:
    certificate, key = _self_signed(folder)
    options = {"port": "0", "tls-port": "{port}", "tls-auth-clients": "no"}
    files = {"tls-cert-file": str(certificate), "tls-key-file": str(key), "tls-ca-cert-file": str(certificate)}
    with running(folder / "tls", options | files) as server:
        url = f"rediss://127.0.0.1:{server.port}/0?retries=0"
        with open_store(f"{url}&ssl_ca_certs={certificate}") as store:
            record = store.commit("a", b"1", expected=None)
        with BlockingStore(open_async_store(f"{url}&ssl_ca_certs={certificate}")) as store:
            assert store.load("a") == record
        with open_store(url) as store, pytest.raises(StoreConnectionError, match="certificate"):
            store.load("a")


def _self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path
