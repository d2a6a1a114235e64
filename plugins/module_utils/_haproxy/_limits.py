# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy cannot do, told before anything is changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._page import BALANCE
from .._schema import Problem, Reader
from .._traffic import KEYS, binds, binds_of, clash, read_tls, read_traffic
from ._config import COLORS
from ._weights import ROUNDROBIN_MOST

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
# What these let through is a single word to HAProxy: no space, quote, escape or comment.
_WORD = re.compile(r"[A-Za-z0-9_.:-]+")
_BIND = re.compile(r"[A-Za-z0-9_.:*@,/\[\]-]+")
_PATH = re.compile(r"/[A-Za-z0-9._~!&()*+,;=:@%/?-]*")
_HASH = re.compile(r"(?:source|uri|url_param|hdr|rdp-cookie|hash)\b[^\"'\\#\n\r]*")
_SUFFIXES = (*COLORS, "in", "latency", "preview")


def balance_problem(balance: str, hash_type: str | None, servers: int) -> str | None:
    """Why this balance cannot carry a split over ``servers`` servers, or nothing where it can."""
    ways = f"use {' or '.join(BALANCE)}, or a hash such as source with hash_type consistent"
    if isinstance(balance, str) and _HASH.fullmatch(balance):
        if hash_type == "consistent":
            return None
        return f"HAProxy refuses new weights at runtime for balance {balance} without hash_type consistent; {ways}"
    if balance not in BALANCE:
        return f"HAProxy refuses new weights at runtime for balance {balance}, or does not keep to them; {ways}"
    if balance == "roundrobin" and servers > ROUNDROBIN_MOST:
        return f"balance roundrobin holds {ROUNDROBIN_MOST} servers at most, and there are {servers}; use random(1)"
    return None


def service_problems(
    services: Sequence[Mapping[str, Any]],
    stats_bind: str | None = None,
    here: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[str]:
    """One sentence for everything in ``services`` (normalised) that would make a configuration wrong or ambiguous.

    ``stats_bind``: where the statistics are served, if they are. ``here``: the services as the balancer has them, each
    with ``shares`` in per cent and ``colors``, as ``haproxy_config_info`` gives them.
    """
    found = []
    names = [str(service.get("name")) for service in services]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(f"service {name}: given twice")
    for service, name in zip(services, names):
        problems = [*_problems(service), *_stats_problems(service, stats_bind)]
        problems += _color_problems(service, (here or {}).get(name))
        found += [f"service {name}: {problem}" for problem in problems]
        found += [
            f"service {name}: its backend {name}_{suffix} would be that of the service {name}_{suffix}; rename one"
            for suffix in _SUFFIXES
            if f"{name}_{suffix}" in names
        ]
    return found


def _problems(service: Mapping[str, Any]) -> list[str]:
    found = []
    if not _NAME.fullmatch(str(service.get("name"))):
        found.append("a name is a lower-case letter, then up to 39 lower-case letters, digits, '_' and '-'")
    bind = (service.get("listen") or {}).get("bind")
    if not isinstance(bind, str) or not _BIND.fullmatch(bind):
        found.append(f"listen.bind is {bind!r}, not an address and a port such as '*:80'")
    servers = service.get("servers") or []
    problems: list[Problem] = []
    listen = Reader(service.get("listen") or {}, "listen", problems)
    traffic = read_traffic(Reader({key: service.get(key) for key in KEYS}, "", problems))
    read_tls(listen, traffic["mode"])
    found += [f"{key}: {text}" for key, text in problems]
    problem = balance_problem(service.get("balance") or BALANCE[0], service.get("hash_type"), len(servers))
    found += [problem] if problem else []
    return [*found, *_health_problems(service.get("health") or {}), *_server_problems(servers)]


def _stats_problems(service: Mapping[str, Any], stats_bind: str | None) -> list[str]:
    both = clash(binds_of(service), binds({"haproxy_stats_bind": stats_bind}))
    return [f"{both[0]} takes the port of the statistics, {both[1]}; change one of them"] if both else []


def _color_problems(service: Mapping[str, Any], here: Mapping[str, Any] | None) -> list[str]:
    """A VM that comes to a color brings along the version that it runs for the other."""
    if not here:
        return []
    color_of = {name: color for color, names in here["colors"].items() for name in names}
    moved: dict[str, list[str]] = {}
    for server in service.get("servers") or []:
        name, color = str(server.get("name")), str(server.get("color"))
        if color_of.get(name, color) != color and here["shares"].get(color):
            moved.setdefault(color, []).append(name)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''} would come from {color_of[names[0]]} to "
        f"{color}, which has {here['shares'][color]:g} % of the traffic, and get some of it with whatever version runs "
        "there; take it out of the inventory, run sluice.bluegreen.site, remove its container, and only then put it "
        f"into the group of {color}"
        for color, names in moved.items()
    ]


def _health_problems(health: Mapping[str, Any]) -> list[str]:
    found = []
    path = health.get("path")
    if path is not None and not (isinstance(path, str) and _PATH.fullmatch(path)):
        found.append(f"health.path is {path!r}, not a path such as /healthz")
    host = health.get("host_header")
    if host and not (isinstance(host, str) and re.fullmatch(r"[A-Za-z0-9._\[\]:-]+", host)):
        found.append(f"health.host_header is {host!r}, not a name such as shop.example.com")
    port = health.get("port")
    if port is not None and not _is_port(port):
        found.append(f"health.port {port!r} is not a number from 1 to 65535")
    return found


def _server_problems(servers: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    names = [str(server.get("name")) for server in servers]
    if not servers:
        found.append("it has no servers")
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(f"server {name}: given twice; a host belongs to one color")
    for server, name in zip(servers, names):
        if not _WORD.fullmatch(name):
            found.append(f"server {name!r}: a name may have letters, digits, '_', '.', ':' and '-' for HAProxy")
        if server.get("color") not in COLORS:
            found.append(f"server {name}: color {server.get('color')!r} is neither blue nor green")
        if not _WORD.fullmatch(str(server.get("address") or "")):
            found.append(f"server {name}: address {server.get('address')!r} is not one")
        if not _is_port(server.get("port")):
            found.append(f"server {name}: port {server.get('port')!r} is not a number from 1 to 65535")
    return found


def _is_port(port: Any) -> bool:
    # A template hands over digits, a normalised service a number.
    return not isinstance(port, bool) and str(port).isdecimal() and 1 <= int(port) <= 65535
