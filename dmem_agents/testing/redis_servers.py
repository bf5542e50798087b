"""Real Redis servers for tests and benchmarks: alone, replicated behind a Sentinel, and clustered; on free ports.

They listen on 127.0.0.1 only, are killed at the end, and keep nothing but what lies in the folder they are given.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

START_SECONDS = 30.0
_SLOTS = 16384


class RedisProcess:
    """One `redis-server` process, which can be killed and started again on the same data.

    Args:
        folder: for its data and log; its own.
        options: as on the command line of `redis-server`; they go before those here. `{port}` is the port.
        sentinel: run as a Sentinel, with `options` written to its configuration file as they are.
    """

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None, *, sentinel: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._sentinel = sentinel
        own = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(folder), "logfile": str(folder / "log")}
        self._options = (
            own
            if sentinel
            else {
                **own,
                "save": "",
                "appendonly": "no",
                **{name: value.format(port=self.port) for name, value in (options or {}).items()},
            }
        )
        if sentinel:
            lines = [f"{name} {value}" for name, value in {**own, **(options or {})}.items()]
            (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> RedisProcess:
        """Starts it and waits until it answers and has loaded its data."""
        binary = shutil.which("redis-server")
        if binary is None:
            raise RuntimeError("redis-server is not on the PATH. Install Redis 6.2 or later.")
        if self._sentinel:
            arguments = [str(self.folder / "sentinel.conf"), "--sentinel"]
        else:
            arguments = []
            for name, value in self._options.items():  # Redis 6.2 takes a host and its port as two arguments only
                arguments += [f"--{name}", *(value.split() if name == "replicaof" else [value])]
        self._process = subprocess.Popen(
            [binary, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers, f"redis-server on port {self.port} (log: {self.folder / 'log'})")
        return self

    def kill(self) -> None:
        """Kills it as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> redis.Redis:
        """A plain client."""
        return redis.Redis(port=self.port, protocol=2, socket_timeout=10)

    def _answers(self) -> bool:
        tls = "tls-port" in self._options
        try:
            with redis.Redis(
                port=self.port,
                ssl=tls,
                ssl_cert_reqs="none",
                ssl_check_hostname=False,
                protocol=2,
                socket_timeout=2,
            ) as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except (redis.RedisError, OSError):
            return False


@contextmanager
def running(folder: Path, options: Mapping[str, str] | None = None) -> Iterator[RedisProcess]:
    """One server."""
    server = RedisProcess(folder, options)
    try:
        yield server.start()
    finally:
        server.kill()


@contextmanager
def replicated(
    folder: Path, options: Mapping[str, str] | None = None, *, replicas: int = 1
) -> Iterator[tuple[str, RedisProcess, RedisProcess]]:
    """A primary, so many replicas, and a Sentinel that promotes one of them within about two seconds.

    Yields:
        The store's URL, the primary, the first replica.
    """
    with ExitStack() as stack:
        primary = stack.enter_context(running(folder / "primary", options))
        following = {**(options or {}), "replicaof": f"127.0.0.1 {primary.port}"}
        followers = [stack.enter_context(running(folder / f"replica-{n}", following)) for n in range(replicas)]
        sentinel = RedisProcess(
            folder / "sentinel",
            {
                "sentinel monitor": f"agents 127.0.0.1 {primary.port} 1",
                "sentinel down-after-milliseconds": "agents 500",
                "sentinel failover-timeout": "agents 2000",
            },
            sentinel=True,
        )
        stack.callback(sentinel.kill)
        sentinel.start()
        for replica in followers:
            wait_for(lambda at=replica: at.client().info("replication")["master_link_status"] == "up", "the replica")  # type: ignore[misc]
        wait_for(
            lambda: len(sentinel.client().sentinel_slaves("agents")) == replicas,
            "the Sentinel to know the replicas",
        )
        yield f"redis+sentinel://127.0.0.1:{sentinel.port}/agents/0", primary, followers[0]


@contextmanager
def clustered(
    folder: Path, options: Mapping[str, str] | None = None, *, nodes: int = 3
) -> Iterator[tuple[str, Sequence[RedisProcess]]]:
    """A Redis Cluster of so many primaries.

    Yields:
        The store's URL, the nodes.
    """
    with ExitStack() as stack:
        common = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": "5000",
            **(options or {}),
        }
        servers = [stack.enter_context(running(folder / f"node-{n}", common)) for n in range(nodes)]
        bounds = [_SLOTS * n // nodes for n in range(nodes + 1)]
        for n, server in enumerate(servers):
            client = server.client()
            client.execute_command("CLUSTER", "ADDSLOTS", *range(bounds[n], bounds[n + 1]))  # type: ignore[no-untyped-call]
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port)  # type: ignore[no-untyped-call]
        for server in servers:
            wait_for(lambda server=server: _is_whole(server, nodes), "the cluster")  # type: ignore[misc]
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        yield f"redis+cluster://{hosts}", servers


def move_slot(slot: int, source: RedisProcess, target: RedisProcess) -> None:
    """Moves a slot with its keys while clients go on, as `redis-cli --cluster reshard` does."""
    giving, taking = source.client(), target.client()
    source_id, target_id = _node_id(giving), _node_id(taking)
    taking.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)  # type: ignore[no-untyped-call]
    giving.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)  # type: ignore[no-untyped-call]
    while keys := giving.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):  # type: ignore[no-untyped-call]
        giving.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)  # type: ignore[no-untyped-call]
    for client in (taking, giving):
        client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target_id)  # type: ignore[no-untyped-call]


def free_port() -> int:
    """A port of this machine that is free now, low enough for a cluster's bus, 10,000 above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = START_SECONDS) -> None:
    """Waits until the condition holds.

    Raises:
        RuntimeError: it did not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"Waited {seconds:g} seconds for {what} in vain.")
        time.sleep(0.05)


def _node_id(client: redis.Redis) -> str:
    reply = client.execute_command("CLUSTER", "MYID")  # type: ignore[no-untyped-call]
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def _is_whole(server: RedisProcess, nodes: int) -> bool:
    info = bytes(server.client().execute_command("CLUSTER", "INFO"))  # type: ignore[no-untyped-call]
    return b"cluster_state:ok" in info and b"cluster_known_nodes:%d\r" % nodes in info
