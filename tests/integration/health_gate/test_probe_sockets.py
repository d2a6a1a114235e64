"""One probe against real sockets: whatever a peer does, there is an answer in time and it says what happened."""

from __future__ import annotations

import socket
import time

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._expected import Check
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import Answer, Endpoint, probe
from health_servers import HELD, Servers, answer, read_request


def look(port: int, timeout: float = 2.0, address: str = "127.0.0.1", **check: object) -> Answer:
    return probe(Endpoint("a", address, port), Check(**check), timeout)  # type: ignore[arg-type]


def test_a_healthy_answer_is_one(servers: Servers) -> None:
    seen: list[bytes] = []
    found = look(servers.start(answer(seen=seen)), path="/healthz?full=1", host_header="shop.example.com")
    assert (found.ok, found.status, found.reason) == (True, 200, "")
    assert found.latency_ms is not None and found.latency_ms >= 0
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /healthz?full=1 HTTP/1.1"
    assert "Host: shop.example.com" in lines
    assert "Connection: close" in lines
    assert sum(line.lower().startswith("host:") for line in lines) == 1


def test_without_a_host_header_the_host_is_address_and_port(servers: Servers) -> None:
    seen: list[bytes] = []
    port = servers.start(answer(seen=seen))
    look(port)
    assert f"Host: 127.0.0.1:{port}\r\n".encode() in seen[0]


def test_the_latency_is_the_time_of_the_answer(servers: Servers) -> None:
    found = look(servers.start(answer(after=0.2)))
    assert found.ok
    assert found.latency_ms is not None and found.latency_ms >= 200


def test_a_wrong_status_is_told_with_the_expected_one(servers: Servers) -> None:
    found = look(servers.start(answer(503)), status=(200, 204))
    assert (found.ok, found.status, found.reason) == (False, 503, "status 503, expected 200 or 204")


def test_a_redirect_is_not_followed(servers: Servers) -> None:
    seen: list[bytes] = []
    elsewhere = servers.start(answer(seen=seen))
    found = look(servers.start(answer(302, f"Location: http://127.0.0.1:{elsewhere}/\r\n")))
    assert found.reason.startswith("status 302 to 'http://127.0.0.1:")
    assert seen == []


def test_a_proxy_of_the_environment_is_not_used(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{servers.closed()}")
    assert look(servers.start(answer())).ok


def test_the_version_that_answers_is_compared_without_regard_to_the_case_of_the_name(servers: Servers) -> None:
    port = servers.start(answer(headers="x-app-version: v1\r\n"))
    assert look(port, headers={"X-App-Version": "v1"}).ok
    assert look(port, headers={"X-App-Version": "v2"}).reason == "the header X-App-Version is 'v1', expected 'v2'"
    assert look(port, headers={"X-Other": "v2"}).reason == "the header X-Other is missing, expected 'v2'"


def test_the_body_is_looked_into_where_it_should_contain_something(servers: Servers) -> None:
    port = servers.start(answer(body=b"x" * 100000 + b"ready"))
    assert look(port, contains="ready").ok
    assert look(port, contains="broken").reason.startswith("the body does not contain 'broken' (its start: 'xxx")


def test_an_endless_body_is_not_read_to_its_end(servers: Servers) -> None:
    def endless(connection: socket.socket, _number: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not servers.ending.is_set():
            connection.sendall(b"y" * 65536)

    port = servers.start(endless)
    assert look(port).ok, "the body does not matter"
    assert look(port, contains="ready").reason.startswith("the body does not contain 'ready'")


def test_nobody_listening_is_refused(servers: Servers) -> None:
    found = look(servers.closed())
    assert (found.ok, found.reason, found.status, found.latency_ms) == (False, "connection refused", None, None)


def test_no_connection_ends_at_the_time_limit(servers: Servers) -> None:
    found = look(servers.full(), timeout=0.4)
    assert found.reason == "no connection within 0.4 s"


def test_one_that_hangs_ends_at_the_time_limit(servers: Servers) -> None:
    found = look(servers.start(lambda _connection, _number: servers.ending.wait(HELD) and None), timeout=0.4)
    assert found.reason == "no complete answer within 0.4 s"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status line", "header"])
def test_one_that_drips_a_byte_at_a_time_ends_at_the_time_limit_too(servers: Servers, head: bytes) -> None:
    def drip(connection: socket.socket, _number: int) -> None:
        connection.sendall(head)
        while not servers.ending.is_set():
            connection.sendall(b"H")
            time.sleep(0.02)

    found = look(servers.start(drip), timeout=0.5)
    assert found.reason == "no complete answer within 0.5 s"


def test_one_that_closes_without_an_answer_is_told_so(servers: Servers) -> None:
    assert (
        look(servers.start(lambda _connection, _number: None)).reason == "connection closed without a complete answer"
    )


def test_what_is_not_http_is_told_so(servers: Servers) -> None:
    def smtp(connection: socket.socket, _number: int) -> None:
        connection.sendall(b"220 mail.example.com ESMTP\r\n")
        read_request(connection)

    assert look(servers.start(smtp)).reason.startswith("the answer is not HTTP (BadStatusLine")


@pytest.mark.parametrize("address", ["no-such-host.invalid", "a..b", "x" * 70])
def test_a_name_that_does_not_resolve_is_told_so(address: str) -> None:
    assert look(80, address=address).reason == "the name does not resolve"


def test_an_ipv6_address_is_probed(servers: Servers) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        port = servers.start(answer(), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    assert look(port, address="::1").ok


def test_tcp_needs_a_connection_and_nothing_more(servers: Servers) -> None:
    found = look(servers.start(lambda _connection, _number: None), tcp=True)
    assert (found.ok, found.status) == (True, None)
    assert look(servers.closed(), tcp=True).reason == "connection refused"
    assert look(servers.full(), tcp=True, timeout=0.3).reason == "no connection within 0.3 s"
