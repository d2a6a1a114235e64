"""Real servers on the loopback that behave well, badly, and not at all."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable

Behaviour = Callable[[socket.socket, int], None]

# Seconds that a server hangs: longer than any limit of a test, so that ending sooner means ending at that limit.
HELD = 60


class Servers:
    """Starts servers, one thread each and one a connection, and ends them."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []
        self.ending = threading.Event()

    def start(self, behave: Behaviour, family: int = socket.AF_INET) -> int:
        """The port of a server that does ``behave(connection, number)`` with each connection, counted from 1."""
        listener = socket.socket(family)
        listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        # A full queue makes a client wait a second and try again, which is not what these servers are for.
        listener.listen(1024)
        self._open.append(listener)
        threading.Thread(target=self._accept, args=(listener, behave), daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, behave: Behaviour) -> None:
        for number in itertools.count(1):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, behave, number), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket, behave: Behaviour, number: int) -> None:
        with contextlib.suppress(OSError), connection:
            behave(connection, number)

    def closed(self) -> int:
        """A port at which nobody listens."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return int(sock.getsockname()[1])

    def full(self) -> int:
        """A port whose queue is full: further connections get no answer, as from behind a firewall that drops."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        self._open.append(listener)
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            self._open.append(client)
        return int(listener.getsockname()[1])

    def end(self) -> None:
        self.ending.set()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            break
        data += received
    return data


def answer(
    status: int = 200, headers: str = "", body: bytes = b"ok", after: float = 0.0, seen: list[bytes] | None = None
) -> Behaviour:
    """Answers every request the same."""

    def behave(connection: socket.socket, _number: int) -> None:
        request = read_request(connection)
        if seen is not None:
            seen.append(request)
        time.sleep(after)
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)

    return behave
