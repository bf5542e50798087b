"""A TCP proxy that cuts connections after random numbers of bytes, in either direction: a bad network on demand."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress

_CHUNK = 16 * 1024


class CuttingProxy:
    """Passes bytes on to a server of this machine until it cuts the connection.

    Args:
        port: the server's.
        longest_bytes: a connection is cut after up to so many bytes of one direction; 0 cuts none.
        seed: of the cuts.
    """

    def __init__(self, port: int, *, longest_bytes: int = 0, seed: int = 0) -> None:
        self._target = port
        self._random = random.Random(seed)
        self.longest_bytes = longest_bytes
        self.cuts = 0
        """How many connections it has cut."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections; those there are go on."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        left = self._random.randint(1, self.longest_bytes) if self.longest_bytes else None
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if left is not None and len(data) >= left:
                    target.sendall(data[: left - 1])
                    self.cuts += 1
                    break
                left = None if left is None else left - len(data)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
