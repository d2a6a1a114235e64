# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the doc fragment ``sluice.bluegreen.balancer``, and what modules make of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ._paths import CONFIG_DIR, RUN_DIR, STATE_DIR, ServicePaths
from ._state import COLORS

SOCKET = "/run/haproxy/admin.sock"
SERVER: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "color": {"type": "str", "choices": list(COLORS), "required": True},
    "capacity": {"type": "float", "default": 1.0},
    "address": {"type": "str"},
    "port": {"type": "int"},
}
"""The options of an entry of a service's servers (doc fragment ``sluice.bluegreen.servers``)."""
EVENTS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {"event": {"type": "str", "required": True}, "data": {"type": "dict", "default": {}}},
}
"""Events for the journal (doc fragment ``sluice.bluegreen.events``)."""


def balancer_args(**more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The argument spec of a module on a balancer, with its own options added."""
    return {
        "service": {"type": "str", "required": True},
        "socket": {"type": "path", "default": SOCKET},
        "config_dir": {"type": "path", "default": CONFIG_DIR},
        "state_dir": {"type": "path", "default": STATE_DIR},
        "run_dir": {"type": "path", "default": RUN_DIR},
        **more,
    }


def names_by_color(servers: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The names of ``servers`` by color, in their order."""
    found: dict[str, list[str]] = {color: [] for color in COLORS}
    for server in servers:
        found[server["color"]].append(server["name"])
    return found


def capacities(servers: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Relative capacity by server."""
    return {server["name"]: float(server.get("capacity", 1)) for server in servers}


def service_paths(params: dict[str, Any]) -> ServicePaths:
    return ServicePaths(params["service"], params["state_dir"], params["run_dir"], params["config_dir"])
