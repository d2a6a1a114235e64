# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One health probe over HTTP or TCP, and threads that run many of them at once."""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ._expected import BODY_LIMIT, Check, compare
from ._units import shown

# Enough for a large fleet, few enough for the descriptors and the memory of a small balancer.
MOST_THREADS = 256
# Before Python 3.10 they are two.
TIMEOUTS = (TimeoutError, socket.timeout)


class Endpoint(NamedTuple):
    """Where to probe. ``address`` is a name or an address of either family; ``name`` is for messages and results."""

    name: str
    address: str
    port: int


class Answer(NamedTuple):
    """What a probe found. ``reason`` says why it is not ``ok``; ``latency_ms`` is there where something answered.

    ``seen``: what else was found, for the evidence: ``version``, ``docker``, ``haproxy``.
    """

    ok: bool
    reason: str = ""
    status: Optional[int] = None
    latency_ms: Optional[float] = None
    seen: Mapping[str, Any] = {}


def together(answers: Sequence[Answer]) -> Answer:
    """One answer of many views of the same subject: well only if all of them are."""
    seen: dict[str, Any] = {}
    for answer in answers:
        seen.update(answer.seen)
    return Answer(
        all(answer.ok for answer in answers),
        "; ".join(answer.reason for answer in answers if answer.reason),
        next((answer.status for answer in answers if answer.status is not None), None),
        next((answer.latency_ms for answer in answers if answer.latency_ms is not None), None),
        seen,
    )


def url(endpoint: Endpoint, check: Check) -> str:
    """What was probed, for a person: ``http://198.18.0.31:8080/healthz`` or ``tcp://198.18.0.31:8080``."""
    place = _authority(endpoint)
    return f"tcp://{place}" if check.tcp else f"{'https' if check.tls else 'http'}://{place}{check.path}"


def _authority(endpoint: Endpoint) -> str:
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{address}:{endpoint.port}"


class DeadlineSocket(socket.socket):
    """A socket whose time limit is for everything together: a peer that drips a byte a second is cut off too."""

    deadline = float("inf")
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        left = self.deadline - self.clock()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)
        return super().recv_into(*args, **kwargs)


def _connect(endpoint: Endpoint, deadline: float, clock: Callable[[], float]) -> DeadlineSocket:
    """The first address of the endpoint that takes the connection, in the resolver's order."""
    failure: OSError = TimeoutError("timed out")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        endpoint.address, endpoint.port, type=socket.SOCK_STREAM
    ):
        left = deadline - clock()
        if left <= 0:
            break
        connection = DeadlineSocket(family, kind, protocol)
        try:
            connection.settimeout(left)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.deadline = deadline
            connection.clock = clock
            return connection
    raise failure


def probe(endpoint: Endpoint, check: Check, timeout: float, clock: Callable[[], float] = time.monotonic) -> Answer:
    """Probe once, in at most ``timeout`` seconds (and what the resolver takes). Never raises for what a peer does."""
    began = clock()
    try:
        connection: socket.socket = _connect(endpoint, began + timeout, clock)
    except TIMEOUTS:
        return Answer(False, f"no connection within {timeout:g} s")
    except (OSError, UnicodeError) as error:
        return Answer(False, trouble(error))
    try:
        if check.tcp:
            return Answer(True, latency_ms=_milliseconds(clock() - began))
        if check.tls:
            connection = _over_tls(connection, check.host_header, began + timeout - clock())
        return _http(connection, endpoint, check, lambda: _milliseconds(clock() - began))
    except TIMEOUTS:
        return Answer(False, f"no complete answer within {timeout:g} s")
    except (http.client.RemoteDisconnected, ConnectionError, http.client.IncompleteRead):
        return Answer(False, "connection closed without a complete answer")
    except (http.client.HTTPException, ValueError) as error:
        return Answer(False, f"the answer is not HTTP ({type(error).__name__} {shown(str(error))})")
    except OSError as error:
        return Answer(False, trouble(error))
    finally:
        connection.close()


def _over_tls(connection: socket.socket, name: Optional[str], left: float) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection.settimeout(max(left, 0.001))
    return context.wrap_socket(connection, server_hostname=name)


def _http(connection: socket.socket, endpoint: Endpoint, check: Check, taken: Callable[[], float]) -> Answer:
    client = http.client.HTTPConnection(endpoint.address, endpoint.port)
    client.sock = connection
    client.request(
        "GET",
        check.path,
        headers={
            "Host": check.host_header or _authority(endpoint),
            "User-Agent": "sluice.bluegreen",
            "Accept": "*/*",
            "Connection": "close",
            **check.request_headers,
        },
    )
    with client.getresponse() as response:
        found = compare(response.status, response.getheader, lambda: response.read(BODY_LIMIT), check)
        seen = {"version": found.version} if check.version_at is not None else {}
        return Answer(not found.reason, found.reason, response.status, taken(), seen)


def _milliseconds(taken: float) -> float:
    return round(taken * 1000, 1)


def trouble(error: Exception) -> str:
    """What went wrong with a connection, in a few words."""
    # A name that no resolver could ever be asked for fails in its encoding.
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "the name does not resolve"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


class Threads:
    """Runs probes of named subjects at once, up to ``MOST_THREADS``; the answers are collected as they come.

    The threads are daemons: a probe that hangs, in the resolver for one, keeps nobody from going home.
    """

    def __init__(self, run: Callable[[str], Answer]) -> None:
        """``run`` probes the subject of that name; it must not raise."""
        self._run = run
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    def start(self, name: str) -> None:
        """Begin a probe of ``name``, or put it in the queue where all threads are busy."""
        self._busy += 1
        if self._busy > self._threads and self._threads < MOST_THREADS:
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()
        self._wanted.put(name)

    def collect(self, wait: float) -> list[tuple[str, Answer]]:
        """What was found meanwhile; waits up to ``wait`` seconds for a first answer, so it may give none."""
        found: list[tuple[str, Answer]] = []
        try:
            found.append(self._answers.get(timeout=max(wait, 0.001)))
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            pass
        self._busy -= len(found)
        return found

    def _work(self) -> None:
        while True:
            name = self._wanted.get()
            self._answers.put((name, self._run(name)))
