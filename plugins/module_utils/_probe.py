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
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

from ._units import shown

# What `contains` is looked for in; a health page that is longer than that is no health page.
BODY_LIMIT = 1024 * 1024
# Enough for a large fleet, few enough for the descriptors and the memory of a small balancer.
MOST_THREADS = 256
# Before Python 3.10 they are two.
_TIMEOUTS = (TimeoutError, socket.timeout)


class Endpoint(NamedTuple):
    """Where to probe. ``address`` is a name or an address of either family; ``name`` is for messages and results."""

    name: str
    address: str
    port: int


class Check(NamedTuple):
    """What to probe for: a TCP connection, or an HTTP answer to ``GET path`` as told.

    ``status``: accepted statuses. ``headers``: response headers and their exact values. ``contains``: a text in the
    first MiB of the body. ``host_header``: instead of ``address:port``. ``request_headers``: sent beside it. ``tls``:
    over TLS, whoever's certificate it is, since an address is probed and not a name. Redirects are not followed,
    proxies not used.
    """

    tcp: bool = False
    path: str = "/"
    status: tuple[int, ...] = (200,)
    headers: Mapping[str, str] = {}
    contains: Optional[str] = None
    host_header: Optional[str] = None
    request_headers: Mapping[str, str] = {}
    tls: bool = False


class Answer(NamedTuple):
    """What a probe found. ``reason`` says why it is not ``ok``; ``latency_ms`` is there where something answered."""

    ok: bool
    reason: str = ""
    status: Optional[int] = None
    latency_ms: Optional[float] = None


def url(endpoint: Endpoint, check: Check) -> str:
    """What was probed, for a person: ``http://198.18.0.31:8080/healthz`` or ``tcp://198.18.0.31:8080``."""
    place = _authority(endpoint)
    return f"tcp://{place}" if check.tcp else f"{'https' if check.tls else 'http'}://{place}{check.path}"


def _authority(endpoint: Endpoint) -> str:
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{address}:{endpoint.port}"


class _DeadlineSocket(socket.socket):
    """A socket whose time limit is for everything together: a peer that drips a byte a second is cut off too."""

    deadline = float("inf")
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        left = self.deadline - self.clock()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)
        return super().recv_into(*args, **kwargs)


def _connect(endpoint: Endpoint, deadline: float, clock: Callable[[], float]) -> _DeadlineSocket:
    """The first address of the endpoint that takes the connection, in the resolver's order."""
    failure: OSError = TimeoutError("timed out")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        endpoint.address, endpoint.port, type=socket.SOCK_STREAM
    ):
        left = deadline - clock()
        if left <= 0:
            break
        connection = _DeadlineSocket(family, kind, protocol)
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
    except _TIMEOUTS:
        return Answer(False, f"no connection within {timeout:g} s")
    except (OSError, UnicodeError) as error:
        return Answer(False, _trouble(error))
    try:
        if check.tcp:
            return Answer(True, latency_ms=_milliseconds(clock() - began))
        if check.tls:
            connection = _over_tls(connection, check.host_header, began + timeout - clock())
        return _http(connection, endpoint, check, lambda: _milliseconds(clock() - began))
    except _TIMEOUTS:
        return Answer(False, f"no complete answer within {timeout:g} s")
    except (http.client.RemoteDisconnected, ConnectionError, http.client.IncompleteRead):
        return Answer(False, "connection closed without a complete answer")
    except (http.client.HTTPException, ValueError) as error:
        return Answer(False, f"the answer is not HTTP ({type(error).__name__} {shown(str(error))})")
    except OSError as error:
        return Answer(False, _trouble(error))
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
        reason = unexpected(response.status, response.getheader, check)
        if not reason and check.contains is not None:
            body = response.read(BODY_LIMIT)
            if check.contains.encode() not in body:
                reason = f"the body does not contain {shown(check.contains)} (its start: {shown(_text(body[:60]))})"
        return Answer(not reason, reason, response.status, taken())


def unexpected(status: int, header: Callable[[str], Optional[str]], check: Check) -> str:
    """Why status and headers are not as ``check`` wants them; empty where they are. Pure."""
    if status not in check.status:
        wanted = " or ".join(str(s) for s in check.status)
        where = f" to {shown(header('Location'))}" if 300 <= status < 400 and header("Location") else ""
        return f"status {status}{where}, expected {wanted}"
    for name, value in check.headers.items():
        found = header(name)
        if found is None:
            return f"the header {name} is missing, expected {shown(value)}"
        if found != value:
            return f"the header {name} is {shown(found)}, expected {shown(value)}"
    return ""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _milliseconds(taken: float) -> float:
    return round(taken * 1000, 1)


def _trouble(error: Exception) -> str:
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
