# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that serve are asked before they would be called down, and nobody is asked where nothing changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._checks import new_checks, of_page

SERVERS = [
    {"name": name, "color": name.rstrip("12"), "address": f"198.18.0.{20 + number}", "port": 8080, "capacity": 1}
    for number, name in enumerate(("blue1", "blue2", "green1", "green2"))
]
HEALTH = {"tcp": False, "path": "/healthz", "status": [200], "port": None, "host_header": None, "timeout": 60}
SHOP: dict[str, Any] = {"name": "shop", "servers": SERVERS, "health": HEALTH}
UP = {"shop": ["blue1", "blue2", "green1", "green2"]}


def here(shop: dict[str, Any] = SHOP, blue: float = 100.0) -> dict[str, Any]:
    return {"shop": {"shares": {"blue": blue, "green": 100.0 - blue}, "checks": of_page(shop)}}


def changed(path: str, value: Any) -> dict[str, Any]:
    shop = copy.deepcopy(SHOP)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    target: Any = shop
    for parent in parents:
        target = target[parent]
    target[last] = value
    return shop


def asked(shop: dict[str, Any], before: dict[str, Any], up: dict[str, list[str]] = UP) -> list[tuple[list[str], Any]]:
    """Whom, and for what."""
    return [
        ([endpoint["name"] for endpoint in look["endpoints"]], look["health"])
        for look in new_checks([shop], before, up)
    ]


@pytest.mark.parametrize(
    "shop",
    [
        SHOP,
        changed("health/timeout", 5),
        changed("servers/0/capacity", 2),
        changed("health/host_header", "shop"),
        changed("health/status", 200),
    ],
)
def test_nobody_is_asked_where_haproxys_checks_stay_as_they_are(shop: dict[str, Any]) -> None:
    assert new_checks([shop], here(), UP) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("health/path", "/livez", {"path": "/livez"}),
        ("health/status", [200, 204], {"status": [200, 204]}),
        ("health/port", 9000, {"port": 9000}),
        ("health/host_header", "shop.example.com", {"host_header": "shop.example.com"}),
    ],
)
def test_those_that_serve_are_asked_what_the_new_page_asks(path: str, value: Any, told: dict[str, Any]) -> None:
    base = {"tcp": False, "port": None, "status": [200], "path": "/healthz", "host_header": "shop"}
    assert asked(changed(path, value), here()) == [(["blue1", "blue2"], {**base, **told})]
    assert asked(changed(path, value), here(blue=0)) == [(["green1", "green2"], {**base, **told})]
    assert asked(changed(path, value), here(blue=75))[0][0] == ["blue1", "blue2", "green1", "green2"]
    assert asked(changed("health", {"tcp": True}), here()) == [(["blue1", "blue2"], {"tcp": True, "port": None})]


def test_who_is_down_already_has_nothing_to_lose() -> None:
    shop = changed("health/path", "/livez")
    assert asked(shop, here(), {"shop": ["blue2", "green1"]})[0][0] == ["blue2"]
    assert asked(shop, here(), {"shop": ["green1"]}) == []
    assert asked(shop, here(), {}) == [], "HAProxy does not run"


def test_before_a_first_release_and_before_a_first_file_nobody_serves() -> None:
    shop = changed("health/path", "/livez")
    nowhere = {"shop": {**here()["shop"], "shares": {"blue": 0.0, "green": 0.0}}}
    assert asked(shop, nowhere) == []
    assert asked(shop, {}) == []


def test_only_a_server_that_is_to_be_reached_elsewhere_is_asked_there() -> None:
    (look,) = new_checks([changed("servers/1/port", 9090)], here(), UP)
    assert look["endpoints"] == [{"name": "blue2", "address": "198.18.0.21", "port": 9090}]
    assert asked(changed("servers/2/address", "198.18.0.99"), here()) == [], "green does not serve"
    new = {**SERVERS[0], "name": "blue3"}
    assert asked({**SHOP, "servers": [*SERVERS, new]}, here()) == [], "who is new does not serve yet"


def test_where_the_check_has_a_port_of_its_own_the_port_of_the_requests_is_asked_too() -> None:
    before = changed("health/port", 9000)
    after = copy.deepcopy(before)
    after["servers"][0]["port"] = 9090
    assert asked(after, here(before)) == [
        (["blue1"], of_page(before)["health"]),
        (["blue1"], {"tcp": True}),
    ]
