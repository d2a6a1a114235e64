# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins, previews, affinity, limits and TCP on a running balancer."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease, _lock, _split
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._latency import histograms
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._roles import follow, map_text
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_stats
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import Check, Endpoint, probe
from haproxy_process import PATIENCE, HAProxy, WebServer, free_port, get, self_signed, until
from role_template import servers, write

Web = Callable[[str], WebServer]
STABLE = {"blue": 100.0, "green": 0.0}
ALL_GREEN = {"blue": 0.0, "green": 100.0}
NAMES = {"blue": ["blue1"], "green": ["green1"]}
PINS = [
    {"to": "stable", "header": "X-Old", "value": "1"},
    {"to": "candidate", "header": "X-Beta", "value": "yes"},
    {"to": "candidate", "cookie": "beta", "value": "on"},
    {"to": "candidate", "path": "/canary"},
]


class Journal:
    """A journal that HAProxy follows."""

    def __init__(self, haproxy: HAProxy) -> None:
        self.haproxy = haproxy
        self.paths = ServicePaths(
            "shop", str(haproxy.folder / "lib"), str(haproxy.folder / "run"), str(haproxy.conf_dir)
        )

    def note(self, event: str, release_id: str, **data: Any) -> bool:
        _journal.append(self.paths.journal, event, release_id, data)
        return follow(self.paths, self.haproxy.runtime)

    def back(self, release_id: str, problem: OSError | None) -> None:
        """All traffic to blue, as a gate orders it; the disk may have a problem with that."""

        def commit(_weights: object, _shares: object, _dry_run: bool) -> bool:
            if problem:
                raise problem
            return True

        event = {"event": "rolled_back", "data": {"cause": "errors"}}
        step = _split.Step(release_id, NAMES, STABLE, 30.0, commit=True, events=[event], journal_required=False)
        _split.take_step(step, _split.Balancer(self.paths, self.haproxy.runtime, "", _lease.SystemdTimer(), commit))


@pytest.fixture
def start(haproxy: HAProxy, web: Web) -> Callable[..., HAProxy]:
    def started(shares: Mapping[str, float] = STABLE, **page: Any) -> HAProxy:
        ports = {color: [web(f"{color}1").port] for color in NAMES}
        write(haproxy, {"name": "shop", "servers": servers(**ports), **page}, shares)
        haproxy.start()
        return haproxy

    return started


def ask(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    """Status and body; `_` in the name of a header stands for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def session(port: int, address: str = "127.0.0.1") -> http.client.HTTPConnection:
    """A connection from an address of this machine, open until it is closed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(address, 0))
    connection.connect()
    return connection


def answer(connection: http.client.HTTPConnection) -> tuple[int, str]:
    connection.request("GET", "/")
    response = connection.getresponse()
    return response.status, response.read().decode()


def counted(haproxy: HAProxy, column: str) -> int:
    """What HAProxy counted at the listener of the service."""
    head, row = haproxy.runtime.run(["show stat shop_in 1 -1"])[0].splitlines()[:2]
    return int(dict(zip(head[2:].split(","), row.split(",")))[column])


def test_pins_follow_the_journal_without_a_reload(start: Callable[..., HAProxy]) -> None:
    shop = start(pins=PINS)
    journal, port = Journal(shop), shop.listen

    def pinned() -> set[str]:
        by = [ask(port, X_Beta="yes"), ask(port, Cookie="a=b; beta=on"), ask(port, "/canary/1")]
        return {body for _status, body in by}

    assert pinned() == {"blue1"}, "nothing is known of a candidate"
    journal.note("release_started", "r0", version="v1", color="blue")
    journal.note("promoted", "r0")
    assert not journal.note("something", "r0"), "nothing that a pin depends on changed"
    journal.note("release_started", "r1", version="v2", color="green")
    assert pinned() == {"blue1"}, "green is being deployed to"
    assert journal.note("deployed", "r1")
    assert pinned() == {"green1"}
    assert ask(port)[1] == ask(port, X_Beta="no")[1] == "blue1", "who is not pinned goes by the split"
    assert ask(port, X_Beta="yes", X_Old="1")[1] == "blue1", "the first pin that fits"

    shop.reload()
    assert pinned() == {"green1"}, "a reload keeps it"
    shop.runtime.act(["set server shop/green1 health down"])
    assert pinned() == {"blue1"}, "rather than nothing"
    shop.runtime.act(["set server shop/green1 health up"])

    shift(shop.runtime, "shop", split_weights(NAMES, ALL_GREEN))
    assert ask(port, X_Old="1")[1] == "blue1", "pinned to what is stable until the promotion"
    journal.note("promoted", "r1")
    assert pinned() | {ask(port, X_Old="1")[1]} == {"green1"}
    assert Path(shop.folder, "maps", "shop.roles.map").read_text() == map_text({"stable": "green"})


def test_pins_leave_the_candidate_with_the_traffic_where_the_journal_takes_no_line(
    start: Callable[..., HAProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = start(pins=PINS)
    journal = Journal(shop)
    journal.note("release_started", "r0", version="v1", color="blue")
    journal.note("promoted", "r0")
    _lock.acquire(journal.paths, "r1", "alice@ci", 600)
    journal.note("release_started", "r1", version="v2", color="green")
    journal.note("deployed", "r1")
    assert ask(shop.listen, X_Beta="yes")[1] == "green1"

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_journal, "_write", full)
    for problem in (None, OSError(errno.EROFS, os.strerror(errno.EROFS))):
        follow(journal.paths, shop.runtime)
        assert ask(shop.listen, X_Beta="yes")[1] == "green1", "as the journal has it"
        with pytest.raises(BalancerError, match="Read-only") if problem else nullcontext():
            journal.back("r1", problem)
        assert ask(shop.listen, X_Beta="yes")[1] == "blue1", "not kept on a version that failed"


def test_a_preview_shows_a_color_before_any_traffic_and_counts_for_its_server(start: Callable[..., HAProxy]) -> None:
    shop = start(preview={"header": "X-Sluice-Preview", "from": [], "bind": None})
    port = shop.listen
    assert ask(port, X_Sluice_Preview="green") == (200, "green1")
    assert ask(port, X_Sluice_Preview="blue") == (200, "blue1")
    assert ask(port) == ask(port, X_Sluice_Preview="red") == (200, "blue1")
    assert ask(port, X_Sluice_Preview="candidate")[0] == 503, "there is none, and nothing else is shown instead"
    journal = Journal(shop)
    journal.note("release_started", "r1", version="v2", color="green")
    journal.note("deployed", "r1")
    assert ask(port, X_Sluice_Preview="candidate") == (200, "green1")
    found = histograms(shop.runtime, "shop")
    assert found is not None
    assert (sum(found["blue1"]), sum(found["green1"])) == (3, 2)
    assert server_stats(shop.runtime, "shop")["green1"].requests == 2
    shop.runtime.act(["set server shop/green1 health down"])
    assert ask(port, X_Sluice_Preview="green")[0] == 503


def test_a_preview_can_be_for_some_networks_only_and_have_a_port(start: Callable[..., HAProxy]) -> None:
    other = free_port()
    shop = start(preview={"header": "X-See", "from": ["192.0.2.0/24"], "bind": f"127.0.0.1:{other}"})
    assert ask(shop.listen, X_See="green") == (200, "green1"), "the balancer itself may always look"
    assert ask(other)[0] == 503, "no candidate"
    assert ask(other, X_See="green") == (200, "green1")
    found = probe(
        Endpoint("preview", "127.0.0.1", shop.listen), Check(request_headers={"X-See": "green"}, contains="green1"), 5
    )
    assert found.ok, found.reason


def test_affinity_keeps_sessions_of_a_color_that_gets_no_new_ones(start: Callable[..., HAProxy]) -> None:
    shop = start(affinity={"cookie": "SRV"})
    connection = http.client.HTTPConnection("127.0.0.1", shop.listen, timeout=PATIENCE)
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    cookie = str(response.getheader("Set-Cookie")).split(";")[0]
    connection.close()
    assert cookie == "SRV=blue1"
    shift(shop.runtime, "shop", split_weights(NAMES, ALL_GREEN))
    assert ask(shop.listen)[1] == "green1"
    assert ask(shop.listen, Cookie=cookie)[1] == "blue1", "established"
    shop.runtime.act(["set server shop/blue1 health down"])
    assert ask(shop.listen, Cookie=cookie)[1] == "green1", "until its server goes, as when another version is deployed"


def test_an_address_with_too_many_requests_is_told_so(start: Callable[..., HAProxy]) -> None:
    shop = start(limits={"connections": None, "address": {"connections": None, "requests": 5, "period": 3600}})
    assert get(shop.listen, 8, keep=False) == {"blue1": 5, "429": 3}
    other = session(shop.listen, "127.0.0.2")
    assert answer(other) == (200, "blue1"), "another address has its own count"


def test_connections_above_the_limit_of_the_listener_wait_for_their_turn(start: Callable[..., HAProxy]) -> None:
    shop = start(limits={"connections": 2, "address": None})
    held = [session(shop.listen) for _number in range(2)]
    assert [answer(one) for one in held] == [(200, "blue1")] * 2
    waiting = [session(shop.listen) for _number in range(2)]
    for one in waiting:
        one.request("GET", "/")
    assert counted(shop, "stot") == 2, "HAProxy has not taken the others yet"
    for one in held:
        one.close()
    for one in waiting:
        response = one.getresponse()
        assert (response.status, response.read()) == (200, b"blue1")
        one.close()
    assert (counted(shop, "smax"), counted(shop, "stot")) == (2, 4), "all were served, two at a time"


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_an_address_with_too_many_connections_is_refused_further_ones(start: Callable[..., HAProxy], mode: str) -> None:
    shop = start(mode=mode, limits={"connections": None, "address": {"connections": 2, "requests": None}})
    held = [session(shop.listen) for _number in range(2)]
    assert [answer(one) for one in held] == [(200, "blue1")] * 2
    with pytest.raises(ConnectionError):
        answer(session(shop.listen))
    assert answer(session(shop.listen, "127.0.0.2")) == (200, "blue1"), "another address has its own count"
    assert [answer(one) for one in held] == [(200, "blue1")] * 2, "those that are there stay"
    held[0].close()
    until("a place is free again", lambda: get(shop.listen, 1, keep=False) == {"blue1": 1})


def test_tcp_services_split_connections(start: Callable[..., HAProxy]) -> None:
    shop = start({"blue": 50.0, "green": 50.0}, mode="tcp")
    answers = [ask(shop.listen)[1] for _connection in range(10)]
    assert (answers.count("blue1"), answers.count("green1")) == (5, 5)
    until(
        "all connections have ended",
        lambda: [(one.requests, one.bad) for one in server_stats(shop.runtime, "shop").values()] == [(5, 0), (5, 0)],
    )
    assert histograms(shop.runtime, "shop") is None


def test_tls_with_http2(start: Callable[..., HAProxy], haproxy: HAProxy, tmp_path: Path) -> None:
    tls = {"certificates": [str(self_signed(tmp_path))]}
    shop = start(listen={"bind": f"127.0.0.1:{haproxy.listen}", "tls": tls, "http2": True})
    found = probe(Endpoint("shop", "127.0.0.1", shop.listen), Check(tls=True, contains="blue1"), 5)
    assert found.ok, found.reason
    assert not probe(Endpoint("shop", "127.0.0.1", shop.listen), Check(), 5).ok
    context = ssl.create_default_context(cafile=str(tmp_path / "crt"))
    context.check_hostname = False
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", shop.listen), timeout=PATIENCE)
    with context.wrap_socket(plain) as peer:
        assert peer.selected_alpn_protocol() == "h2"
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert peer.recv(9)[3] == 4, "HAProxy answers with its own SETTINGS"
