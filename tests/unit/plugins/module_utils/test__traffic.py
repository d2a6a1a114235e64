# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page may say of traffic, and what it is told where it may not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._page import read
from ansible_collections.sluice.bluegreen.plugins.module_utils._schema import Problem, Reader
from ansible_collections.sluice.bluegreen.plugins.module_utils._traffic import read_traffic

PAGE: dict[str, Any] = {
    "image": "shop",
    "hosts": {"blue": "b", "green": "g"},
    "container": {"port": 8080},
    "health": {"path": "/"},
    "listen": {"bind": "*:80"},
}


def traffic(**given: Any) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    top = Reader(given, "", problems)
    found = read_traffic(top)
    top.done()
    return found, problems


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"split": {"by": "user", "cookie": "uid"}, "affinity": {"cookie": "SRV"}},
        {"mode": "tcp", "split": {"by": "user"}, "pins": [{"to": "stable", "from": "192.0.2.7"}]},
        {"pins": [{"to": "candidate", "header": "X-A", "value": "1"}, {"to": "stable", "path": "/old"}]},
        {"preview": {"from": ["192.0.2.0/24"], "bind": "*:8081"}},
        {"limits": {"connections": 5, "address": {"requests": "7", "period": "1m"}}},
    ],
)
def test_what_is_read_reads_the_same_again(given: dict[str, Any]) -> None:
    found, problems = traffic(**given)
    assert not problems
    assert traffic(**found) == (found, [])


@pytest.mark.parametrize(
    ("given", "key", "text"),
    [
        ({"mode": "udp"}, "mode", "Known values: http, tcp"),
        ({"split": {"by": "moon"}}, "split.by", "Known values: requests, user, vm"),
        ({"split": {"by": "user", "kookie": "a"}}, "split.kookie", "did you mean 'cookie'?"),
        ({"split": {"by": "user", "cookie": "a", "header": "B"}}, "split", "either 'cookie' or 'header', not both"),
        ({"split": {"by": "vm", "cookie": "a"}}, "split.cookie", "'by: vm' does not"),
        ({"mode": "tcp", "split": {"by": "user", "cookie": "a"}}, "split.cookie", "belongs to HTTP; in TCP mode"),
        ({"split": {"by": "user", "cookie": "a b"}}, "split.cookie", "write the name of a cookie"),
        ({"pins": [{"to": "canary", "path": "/x"}]}, "pins[0].to", "Known values: candidate, stable"),
        ({"pins": [{"path": "/x"}]}, "pins[0].to", "is missing"),
        ({"pins": [{"to": "stable"}]}, "pins[0]", "exactly one of header, cookie, path, from, not none"),
        ({"pins": [{"to": "stable", "path": "/x", "from": "::/0"}]}, "pins[0]", "not path and from"),
        ({"pins": [{"to": "stable", "path": "x"}]}, "pins[0].path", "the beginning of a path"),
        ({"pins": [{"to": "stable", "path": "/x }"}]}, "pins[0].path", "does not fit"),
        ({"pins": [{"to": "stable", "path": "/x", "value": "1"}]}, "pins[0].value", "leave it out"),
        ({"pins": [{"to": "stable", "header": "X"}]}, "pins[0].value", "the value that the header must have"),
        ({"pins": [{"to": "stable", "header": "X", "value": "a\nb"}]}, "pins[0].value", "does not fit"),
        ({"pins": [{"to": "stable", "from": "lan"}]}, "pins[0].from", "not a network"),
        ({"mode": "tcp", "pins": [{"to": "stable", "path": "/x"}]}, "pins[0].path", "pins go by 'from' only"),
        ({"mode": "tcp", "preview": {"from": "::/0"}}, "preview", "TCP mode does not have"),
        ({"preview": {"bind": "8081"}}, "preview.bind", "an address and a port"),
        ({"preview": {"bind": "*:99999"}}, "preview.bind", "must be from 1 to 65535"),
        ({"mode": "tcp", "affinity": {"cookie": "S"}}, "affinity", "use 'balance: source' instead"),
        ({"split": {"by": "user", "cookie": "u"}, "affinity": {"cookie": "u"}}, "affinity.cookie", "name another"),
        ({"limits": {"connections": 0}}, "limits.connections", "out of range"),
        ({"mode": "tcp", "limits": {"address": {"requests": 5}}}, "limits.address.requests", "limit 'connections'"),
        ({"limits": {"rate": 5}}, "limits.rate", "unknown key"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(given: dict[str, Any], key: str, text: str) -> None:
    _found, problems = traffic(**given)
    assert [problem.key for problem in problems] == [key]
    assert text in problems[0].text


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"listen": {"bind": "*:443", "tls": {}}}, "listen.tls.certificates", "is missing; write a list of paths"),
        ({"listen": {"bind": "*:443", "tls": {"certificates": []}}}, "listen.tls.certificates", "is empty"),
        ({"listen": {"bind": "*:443", "tls": {"certificates": ["a.pem"]}}}, "listen.tls.certificates", "does not fit"),
        ({"listen": {"bind": "*:443", "http2": True}}, "listen.http2", "needs 'mode: http' and 'tls'"),
        ({"preview": {"bind": "*:80"}}, "preview.bind", "takes the port 80 of listen.bind"),
    ],
)
def test_a_listener_that_cannot_be_is_refused(changes: dict[str, Any], key: str, text: str) -> None:
    _found, problems = read("shop", {**PAGE, **changes})
    assert [problem.key for problem in problems] == [key]
    assert text in problems[0].text


def test_http2_is_offered_over_tls_unless_it_was_switched_off() -> None:
    tls = {"bind": "*:443", "tls": {"certificates": ["/etc/haproxy/shop.pem"]}}
    assert read("shop", {**PAGE, "listen": tls})[0]["listen"]["http2"] is True
    assert read("shop", {**PAGE, "listen": {**tls, "http2": False}})[0]["listen"]["http2"] is False
