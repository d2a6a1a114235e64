# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the healthy servers of a color can carry a share of the traffic, by those of the other color. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional


@dataclass(frozen=True)
class Strength:
    """A color as one balancer sees it: servers in all, those that are up, and the capacity of these."""

    servers: int
    up: int
    capacity: float

    def __str__(self) -> str:
        return f"{self.up} of {self.servers} servers up, capacity {self.capacity:g}"


def strengths(servers: Mapping[str, Mapping[str, Any]]) -> dict[str, Strength]:
    """By color; ``servers``: name to ``{"color": str, "up": bool, "capacity": number}`` (1 without it)."""
    found: dict[str, Strength] = {}
    for server in servers.values():
        color = server.get("color")
        if not color:
            continue
        so_far = found.get(color, Strength(0, 0, 0.0))
        capacity = float(server.get("capacity", 1)) if server["up"] else 0.0
        found[color] = Strength(so_far.servers + 1, so_far.up + bool(server["up"]), so_far.capacity + capacity)
    return found


def overload(
    servers: Mapping[str, Mapping[str, Any]], color: str, other: str, share: float, max_load: Optional[float]
) -> Optional[str]:
    """Why ``color`` cannot carry ``share`` per cent of what ``other`` carries all of now, or None where it can.

    A server's load is the traffic that it gets by its capacity. With the capacities K of the servers that are up, the
    load of ``color`` at the share s is s/100 · K(other)/K(color) times that of ``other`` at 100 %, and may be
    ``max_load`` times at most; None sets no limit.
    """
    if max_load is None or share <= 0:
        return None
    of = {name: strengths(servers).get(name, Strength(0, 0, 0.0)) for name in (color, other)}
    if not of[color].capacity:
        return f"{color} cannot carry {share:g} % of the traffic: none of its {of[color].servers} servers is up"
    load = share / 100 * of[other].capacity / of[color].capacity
    if load <= max_load:
        return None
    return (
        f"{color} cannot carry {share:g} % of the traffic: with {of[color]}, each of them would get {load:.3g} times "
        f"what those of {other} ({of[other]}) get at 100 %, and {max_load:g} times is the most (capacity.max_load on "
        "the service's page)"
    )
