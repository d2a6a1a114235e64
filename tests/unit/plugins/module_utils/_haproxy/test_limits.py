# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy cannot do, found before anything is written."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._limits import balance_problem, service_problems

SHOP: dict[str, Any] = {
    "name": "shop",
    "listen": {"bind": "*:80"},
    "health": {"tcp": False, "path": "/healthz", "status": [200], "port": None},
    "balance": "roundrobin",
    "hash_type": None,
    "servers": [
        {"name": "blue1", "color": "blue", "address": "198.18.0.21", "port": 8080},
        {"name": "green1.example.com", "color": "green", "address": "2001:db8::1", "port": "8080"},
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    service = copy.deepcopy(SHOP)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    target: Any = service
    for parent in parents:
        target = target[parent]
    target[last] = value
    return service


def test_a_good_service_has_no_problems() -> None:
    assert service_problems([SHOP, changed("name", "cart")]) == []


@pytest.mark.parametrize("balance", ["roundrobin", "random(1)"])
def test_algorithms_that_keep_to_weights_are_fine(balance: str) -> None:
    assert balance_problem(balance, None, 4) is None


@pytest.mark.parametrize("balance", ["source", "uri depth 2", "hdr(x-user)", "url_param id", "rdp-cookie"])
def test_hashes_need_the_consistent_type_to_take_weights(balance: str) -> None:
    assert balance_problem(balance, "consistent", 4) is None
    problem = balance_problem(balance, None, 4)
    assert problem is not None
    assert f"refuses new weights at runtime for balance {balance} without hash_type consistent" in problem


@pytest.mark.parametrize(
    "balance", ["static-rr", "first", "leastconn", "random(2)", "sourcery", "round robin\n  evil", ""]
)
def test_any_other_algorithm_is_refused_with_those_that_work(balance: str) -> None:
    problem = balance_problem(balance, "consistent", 4)
    assert problem is not None
    assert "use roundrobin or random(1)" in problem


def test_roundrobin_has_a_limit_of_servers() -> None:
    assert balance_problem("roundrobin", None, 4095) is None
    problem = balance_problem("roundrobin", None, 4096)
    assert problem == "balance roundrobin holds 4095 servers at most, and there are 4096; use random(1)"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("name", "Shop", "service Shop: a name is a lower-case letter"),
        ("listen", {}, "service shop: listen.bind is None, not an address and a port"),
        ("listen/bind", "*:80\n    evil", "service shop: listen.bind is"),
        ("health/path", "healthz", "service shop: health.path is 'healthz', not a path"),
        ("health/path", "/a b", "service shop: health.path"),
        ("health/host_header", "a b", "service shop: health.host_header"),
        ("health/port", 70000, "service shop: health.port 70000"),
        ("balance", "source", "service shop: HAProxy refuses new weights"),
        ("servers", [], "service shop: it has no servers"),
        ("servers/0/name", "a b", "service shop: server 'a b': a name may have"),
        ("servers/1/name", "blue1", "service shop: server blue1: given twice"),
        ("servers/0/color", "red", "service shop: server blue1: color 'red' is neither blue nor green"),
        ("servers/0/address", "a b", "service shop: server blue1: address 'a b' is not one"),
        ("servers/0/port", 0, "service shop: server blue1: port 0 is not a number from 1 to 65535"),
        ("servers/0/port", "{{ port }}", "service shop: server blue1: port"),
    ],
)
def test_what_would_break_the_configuration_is_named_with_its_place(path: str, value: Any, problem: str) -> None:
    (found,) = service_problems([changed(path, value)])
    assert found.startswith(problem)


@pytest.mark.parametrize("other", ["shop_blue", "shop_green", "shop_in"])
def test_services_whose_backends_would_share_a_name_are_refused(other: str) -> None:
    (found,) = service_problems([SHOP, changed("name", other)])
    assert f"its backend {other} would be that of the service {other}" in found


def test_a_service_given_twice_is_refused() -> None:
    assert service_problems([SHOP, SHOP]) == ["service shop: given twice"]


def test_what_a_page_may_not_say_of_traffic_is_refused_here_too() -> None:
    (found,) = service_problems([{**SHOP, "mode": "tcp", "split": {"by": "user", "cookie": "uid"}}])
    assert found.startswith("service shop: split.cookie: belongs to HTTP")
    (found,) = service_problems([{**SHOP, "listen": {**SHOP["listen"], "tls": {"certificates": ["a b"]}}}])
    assert found.startswith("service shop: listen.tls.certificates: ")


@pytest.mark.parametrize(
    ("stats", "path", "bind", "clashes"),
    [
        ("127.0.0.1:8404", "listen", "*:8404", True),
        ("*:8404", "preview", "192.0.2.1:8404", True),
        ("127.0.0.1:9000,*:8404", "preview", ":8404", True),
        ("127.0.0.1:8404", "preview", "192.0.2.1:8404", False),
        ("127.0.0.1:8404", "preview", "*:8405", False),
        ("/run/stats.sock", "preview", "*:8404", False),
        (None, "preview", "*:8404", False),
    ],
)
def test_a_service_does_not_take_the_port_of_the_statistics(
    stats: str | None, path: str, bind: str, clashes: bool
) -> None:
    address = bind if bind.startswith(("*", "1")) else f"*{bind}"
    ending = f"takes the port of the statistics, haproxy_stats_bind {(stats or '').split(',')[-1]}; change one of them"
    expected = [f"service shop: {path}.bind {address} {ending}"] if clashes else []
    assert service_problems([changed(path, {"bind": bind})], stats) == expected


@pytest.mark.parametrize(
    ("shares", "refused"),
    [
        ({"blue": 100.0, "green": 0.0}, True),
        ({"blue": 75.0, "green": 25.0}, True),
        ({"blue": 0.0, "green": 100.0}, False),
    ],
)
def test_a_server_does_not_bring_its_version_to_a_color_that_has_a_share(
    shares: dict[str, float], refused: bool
) -> None:
    here = {"shop": {"shares": shares, "colors": {"blue": ["blue1"], "green": ["green1.example.com", "green2"]}}}
    moved = changed("servers/1/color", "blue")
    found = service_problems([moved], here=here)
    expected = (
        f"service shop: green1.example.com would come from green to blue, which has {shares['blue']:g} % of the "
        "traffic, and get some of it with whatever version runs there; take it out of the inventory, run "
        "sluice.bluegreen.site, remove its container, and only then put it into the group of blue"
    )
    assert found == ([expected] if refused else [])
    assert service_problems([SHOP], here=here) == [], "who stays is fine"
    assert service_problems([moved], here={}) == [], "who is new is fine"


def test_colors_that_change_their_groups_are_told_in_one_sentence_each() -> None:
    here = {"shop": {"shares": {"blue": 50.0, "green": 50.0}, "colors": {"green": ["a", "b"], "blue": ["c", "d", "e"]}}}
    servers = [{**SHOP["servers"][0], "name": n, "color": "blue" if n in "ab" else "green"} for n in "abcde"]
    found = service_problems([{**SHOP, "servers": servers}], here=here)
    assert [problem.split(", which")[0] for problem in found] == [
        "service shop: a and 1 more would come from green to blue",
        "service shop: c and 2 more would come from blue to green",
    ]
