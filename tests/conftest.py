"""What all tests share: no internet, the golden folder, and a Redis server of their own."""

from __future__ import annotations

import os

# Before anything imports the hub's client: it reads this once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Before anything imports Triton (torch may): its kernels then run on the CPU.
os.environ["TRITON_INTERPRET"] = "1"

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_START_SECONDS = 20.0


class RedisServer:
    """One redis-server process on a free port of this machine, keeping nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._binary = shutil.which("redis-server") or ""
        if not self._binary:
            pytest.fail("redis-server is missing, and Redis tests don't skip. Run `make test`: it installs it.")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server, with no data, and wait until it answers; nothing if it runs already."""
        if self._process is not None and self._process.poll() is None:
            return
        log = self._folder / "redis.log"
        self._process = subprocess.Popen(
            [self._binary, *_options(port=self.port, dir=self._folder, logfile=log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(errors="replace")[-2000:] if log.exists() else "no log"
                self.kill()
                pytest.fail(f"redis-server did not start on port {self.port}:\n{text}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server as a crash would (SIGKILL); its data is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _options(**own: object) -> list[str]:
    fixed = {"bind": "127.0.0.1", "save": "", "appendonly": "no", "daemonize": "no"}
    return [text for name, value in (fixed | own).items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    """The worker's server process; tests take `redis_server`, which makes sure that it runs."""
    # The temporary folder's path is short on purpose: unix sockets in it must fit 108 characters.
    with tempfile.TemporaryDirectory(prefix="dmem-redis-") as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def redis_server(redis_process: RedisServer) -> RedisServer:
    """A running Redis server with `.url`, `.port`, `.kill()` and `.start()`, shared by this worker's tests.

    A test that kills it need not start it again. Data of earlier tests may be there: use your own prefix.
    """
    redis_process.start()
    return redis_process


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder with the reference implementation's numbers; `DMEM_GOLDEN` names another set."""
    folder = Path(os.environ.get("DMEM_GOLDEN") or Path(__file__).parent / "golden").absolute()
    if not (folder / "manifest.json").is_file():
        pytest.fail(f"{folder} holds no manifest.json: DMEM_GOLDEN must name a folder of golden files.")
    return folder
