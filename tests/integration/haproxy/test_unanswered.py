# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that a server left without an answer, of which the counters of errors know nothing before HAProxy 3.0."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import ServerStats, server_stats
from haproxy_process import HAProxy, WebServer, get, until

# As the role's templates have it, with a short patience for answers.
AS_THE_ROLE = """    balance roundrobin
    timeout server 1s
    retries 5
    option redispatch 1
    retry-on conn-failure empty-response
    http-reuse safe
    http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ANSWERS = {
    "/ok": OK,
    "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    "/upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhi",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf",
    "/nonsense": b"nonsense\r\n\r\n",
}
"""By path what is sent, after which the connection ends unless the answer was whole; for /late nothing is ever sent."""


class Raw(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                path = line.split()[1].decode()
                if path == "/late":
                    self.rfile.read(1)
                    return
                self.wfile.write(ANSWERS[path])
                if path not in ("/ok", "/hints"):
                    return


@pytest.fixture
def raw(haproxy: HAProxy) -> Iterator[HAProxy]:
    """HAProxy with one server that answers by the path."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Raw) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        only = {"blue": {"blue1": server.server_address[1]}}
        haproxy.service(only, {"blue1": 1}, {"blue": 100.0, "green": 0.0}, extra=AS_THE_ROLE)
        haproxy.start()
        yield haproxy
        server.shutdown()


def stats(haproxy: HAProxy) -> dict[str, ServerStats]:
    return server_stats(haproxy.runtime, "shop")


@pytest.fixture
def shop(haproxy: HAProxy, web: Callable[[str], WebServer]) -> HAProxy:
    """Two servers in turn, of which blue2 closes every connection without an answer."""
    good, bad = web("blue1"), web("blue2")
    bad.status = None
    ports = {"blue": {"blue1": good.port, "blue2": bad.port}}
    haproxy.service(ports, {"blue1": 1, "blue2": 1}, {"blue": 100.0, "green": 0.0}, extra=AS_THE_ROLE)
    haproxy.start()
    return haproxy


def test_what_clients_lost_on_connections_that_they_keep_is_counted(shop: HAProxy) -> None:
    assert get(shop.listen, 20, "POST") == {"blue1": 10, "RemoteDisconnected": 10}
    found = stats(shop)
    # All of it is unanswered to HAProxy 2.6, and an error of the response to 3.0.
    assert found["blue2"].bad + found["blue2"].unanswered == 10
    assert (found["blue1"].bad, found["blue1"].unanswered) == (0, 0)


def test_what_was_sent_again_elsewhere_is_counted_too(shop: HAProxy) -> None:
    assert get(shop.listen, 20) == {"blue1": 20}
    found = stats(shop)
    assert found["blue2"].bad + found["blue2"].unanswered >= 10
    assert (found["blue1"].bad, found["blue1"].unanswered) == (0, 0)


def test_what_haproxy_counts_as_an_error_is_not_counted_twice(shop: HAProxy) -> None:
    assert get(shop.listen, 20, "POST", keep=False) == {"blue1": 10, "502": 10}
    found = stats(shop)["blue2"]
    # HAProxy 3.0 counts each of these as two errors.
    assert found.bad >= 10
    assert found.unanswered <= 0


@pytest.mark.parametrize("path", [*ANSWERS, "/late"])
def test_nothing_else_is_taken_for_unanswered(raw: HAProxy, path: str) -> None:
    seen: Counter[bytes] = Counter()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", raw.listen), 10) as client:
            # Not the first request of its connection.
            for asked in ("/ok", path):
                client.sendall(
                    f"POST {asked} HTTP/1.1\r\nHost: shop\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n".encode()
                )
                reply = client.recv(65536)
            seen[reply[9:12]] += 1
    assert seen, "answers came"
    until("all sessions have ended", lambda: stats(raw)["blue1"].scur == 0)
    found = stats(raw)["blue1"]
    assert found.stot == 10
    # What is counted twice, with a 1xx before its answer or cut short after its beginning, hides one that has none.
    assert found.unanswered <= 0, found
    assert found.unanswered == 0 or path != "/ok", found


@pytest.mark.parametrize("path", ["/late", "/ok"])
def test_a_client_that_does_not_wait_is_no_failure_of_the_server(raw: HAProxy, path: str) -> None:
    for number in range(1, 6):
        with socket.create_connection(("127.0.0.1", raw.listen), 10) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
            until("it is with the server", lambda number=number: stats(raw)["blue1"].stot == number)
    until("all sessions have ended", lambda: stats(raw)["blue1"].scur == 0)
    assert stats(raw)["blue1"].unanswered <= 0


def test_sessions_in_progress_are_none_that_have_ended_without_an_answer(raw: HAProxy) -> None:
    with contextlib.ExitStack() as clients:
        for _ in range(5):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", raw.listen), 10))
            client.sendall(b"GET /late HTTP/1.1\r\nHost: shop\r\n\r\n")
        until("they are with the server", lambda: stats(raw)["blue1"].stot == 5)
        assert stats(raw)["blue1"].unanswered <= 0
