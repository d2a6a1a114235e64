# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latency histogram of a running HAProxy against servers that wait for a known time."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from math import sqrt

from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._latency import BOUNDS, histograms
from haproxy_process import PATIENCE, HAProxy, WebServer, free_port, get
from role_template import servers, write

Web = Callable[[str], WebServer]
BOTH = {"blue": 50.0, "green": 50.0}
# Lets HAProxy tell of each request the rate at which it came, and whether it was timed.
TOLD = """    http-request set-var(txn.rate) fe_req_rate
    http-after-response set-header x-told "%[var(txn.rate)] %s %[var(txn.sluice_began),bool]"
    default_backend shop
"""
ANSWER = re.compile(r"x-told: (\d+) (\S+) (\d?)")
# Requests a second from which on not each is timed; the role's own is more than a busy machine may send.
MANY = 100
# So many tell one of eight from one of seven and from one of nine.
ENOUGH = 40_000
BURST = 500


def test_every_response_is_counted_once_for_its_server_and_never_below_the_time_that_it_waited(
    haproxy: HAProxy, web: Web
) -> None:
    blue, green = web("blue1"), web("green1")
    green.delay = 0.05
    write(haproxy, {"name": "shop", "servers": servers(blue=[blue.port], green=[green.port])}, BOTH)
    haproxy.start()
    began = time.monotonic()
    assert get(haproxy.listen, 10) == {"blue1": 5, "green1": 5}, "over one connection"
    assert get(haproxy.listen, 10, keep=False) == {"blue1": 5, "green1": 5}, "a connection each"
    longest = time.monotonic() - began
    found = histograms(haproxy.runtime, "shop")
    assert found is not None
    assert set(found) == {"blue1", "green1"}
    for name, waited in (("blue1", 0.0), ("green1", 0.05)):
        assert len(found[name]) == len(BOUNDS)
        assert sum(found[name]) == 10, name
        lower = (0.0, *BOUNDS)
        for bucket, count in enumerate(found[name]):
            if count:
                assert BOUNDS[bucket] > waited, f"{name}: {count} took less than {BOUNDS[bucket]} s"
                assert lower[bucket] < longest, f"{name}: {count} took longer than all together"


def test_what_no_server_answered_at_once_is_not_timed(haproxy: HAProxy, web: Web) -> None:
    good, silent = web("blue1"), web("green1")
    silent.status = None
    page = {"name": "shop", "servers": servers(blue=[good.port], green=[silent.port])}
    haproxy.main.write_text(
        haproxy.main.read_text() + "    retries 3\n    option redispatch 1\n    retry-on all-retryable-errors\n"
    )
    write(haproxy, page, BOTH)
    haproxy.start()
    assert get(haproxy.listen, 10) == {"blue1": 10}, "what the silent one got went to the other"
    assert get(haproxy.listen, 4, "POST", keep=False)["502"] == 2, "and this may not be repeated"
    found = histograms(haproxy.runtime, "shop")
    assert found is not None
    assert sum(found["green1"]) == 0
    tried_again = silent.requests - 2
    assert tried_again > 0
    assert sum(found["blue1"]) == 12 - tried_again, "the time that a request lost elsewhere is not this server's"


def test_a_service_without_a_histogram_and_a_balancer_without_the_service_have_none(haproxy: HAProxy) -> None:
    page = {"name": "shop", "servers": servers(blue=[free_port()], green=[free_port()])}
    write(haproxy, page, BOTH, haproxy_histogram=False)
    haproxy.start()
    assert histograms(haproxy.runtime, "shop") is None
    assert histograms(haproxy.runtime, "nothing") is None


def test_of_many_requests_one_of_eight_is_counted_by_chance_and_of_few_each(haproxy: HAProxy) -> None:
    port = free_port()
    answers = f"frontend answers\n    bind 127.0.0.1:{port}\n    http-request return status 200\n"
    # With one thread nothing happens between the template's look at the rate and the test's own.
    haproxy.main.write_text(haproxy.main.read_text().replace("global\n", "global\n    nbthread 1\n", 1) + answers)
    page = {"name": "shop", "servers": servers(blue=[port], green=[port])}
    path = write(haproxy, page, BOTH, __haproxy_histogram_all_below=MANY)
    path.write_text(path.read_text().replace("    default_backend shop\n", TOLD, 1))
    haproxy.start()
    told: Counter[tuple[bool, str, bool]] = Counter()
    with socket.create_connection(("127.0.0.1", haproxy.listen), PATIENCE) as peer, peer.makefile("rb") as lines:
        while sum(count for (many, _name, _timed), count in told.items() if many) < ENOUGH:
            assert sum(told.values()) < 2 * ENOUGH, f"fewer than {MANY} came in a second: {told}"
            peer.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n" * BURST)
            for _answer in range(BURST):
                status, *head = iter(lines.readline, b"\r\n")
                assert status.startswith(b"HTTP/1.1 200 "), status
                rate, name, began = ANSWER.findall(b"".join(head).decode())[0]
                told[int(rate) >= MANY, name, began == "1"] += 1
    both = ("blue1", "green1")
    assert sum(told[False, name, True] for name in both) > 0
    assert sum(told[False, name, False] for name in both) == 0, "of few, each"
    for names in (both, both[:1], both[1:]):
        timed, left_out = (sum(told[True, name, found] for name in names) for found in (True, False))
        # Six standard deviations: one run in 500 million is further off by chance.
        assert abs(timed - (timed + left_out) / 8) < 6 * sqrt((timed + left_out) * 7) / 8, told
    counted = histograms(haproxy.runtime, "shop")
    assert counted is not None
    for name in both:
        assert sum(counted[name]) == told[True, name, True] + told[False, name, True], "each that is timed, once"
