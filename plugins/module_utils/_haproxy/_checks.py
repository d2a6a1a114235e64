# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy asks the servers of a service for: by the file that it has, and by the page as it is now. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._config import with_section
from ._stats import SPARE

_SENT = re.compile(r"\s*http-check send meth GET uri (\S+) ver \S+ hdr Host (\S+)")
_EXPECTED = re.compile(r"\s*http-check expect (?:status (\d+)|rstatus \^\(([\d|]+)\)\$)")
_SERVER = re.compile(r"\s*server\s+(\S+)\s+(\S+)(?:.*\scheck port (\d+))?")


def of_file(text: str, service: str) -> dict[str, Any]:
    """``health`` with the keys of a page's that HAProxy asks by, and ``servers``: name to address and port."""
    health: dict[str, Any] = {"tcp": True, "port": None}
    servers = {}
    for section, line in with_section(text):
        if section != ("backend", service):
            continue
        if server := _SERVER.match(line):
            if server[1] != SPARE:
                servers[server[1]] = server[2]
                health["port"] = int(server[3]) if server[3] else health["port"]
        elif sent := _SENT.match(line):
            health.update(tcp=False, path=sent[1], host_header=sent[2])
        elif expected := _EXPECTED.match(line):
            health["status"] = sorted(map(int, (expected[1] or expected[2]).split("|")))
    return {"health": health, "servers": servers}


def of_page(service: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a service's page, as the role writes it into the file."""
    given = service.get("health") or {}
    health: dict[str, Any] = {"tcp": bool(given.get("tcp")), "port": int(given["port"]) if given.get("port") else None}
    if not health["tcp"]:
        status = given.get("status", [200])
        health["status"] = sorted(map(int, status if isinstance(status, (list, tuple)) else [status]))
        health["path"] = given.get("path") or "/"
        health["host_header"] = given.get("host_header") or service["name"]
    servers = {server["name"]: f"{server['address']}:{server['port']}" for server in service["servers"]}
    return {"health": health, "servers": servers}


def new_checks(
    services: Sequence[Mapping[str, Any]],
    here: Mapping[str, Mapping[str, Any]],
    up: Mapping[str, Sequence[str]],
) -> list[dict[str, Any]]:
    """What servers that serve now will be asked for, and have not been until now; nothing where nothing changes.

    ``here`` and ``up`` are those of ``haproxy_config_info``. Each is a ``service``, its ``endpoints`` and a ``health``,
    as ``health_gate`` takes them. A server that HAProxy does not call up has nothing to lose.
    """
    found = []
    for service in services:
        name = service["name"]
        if name not in here:
            continue
        before, after = here[name]["checks"], of_page(service)
        serving = [
            server
            for server in service["servers"]
            if here[name]["shares"].get(server["color"]) and server["name"] in up.get(name, ())
        ]
        moved = [
            server for server in serving if before["servers"].get(server["name"]) != after["servers"][server["name"]]
        ]
        asked = moved if before["health"] == after["health"] else serving
        looks = [(asked, after["health"])]
        # The check then says nothing of where the requests go.
        looks += [(moved, {"tcp": True})] if after["health"]["port"] else []
        found += [
            {
                "service": name,
                "endpoints": [{key: server[key] for key in ("name", "address", "port")} for server in endpoints],
                "health": health,
            }
            for endpoints, health in looks
            if endpoints
        ]
    return found
