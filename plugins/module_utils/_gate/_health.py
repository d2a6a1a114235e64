# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the candidate up at all? What is so plain that it needs no statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

# What HAProxy calls a server that can take requests, or could if it had a weight.
UP = ("UP", "DRAIN", "no check")


def is_up(status: str) -> bool:
    """Whether HAProxy's status of a server (``UP``, ``UP 1/3``, ``DOWN``, ``MAINT`` ...) counts as healthy."""
    return status.startswith(UP)


class Health:
    """Follows the candidate's servers from tape line to tape line.

    ``down`` is the reason for an immediate rollback, or None: a balancer that sees none of the candidate's servers
    up, or two or more ticks in a row (ticks without requests aside) in which every candidate request failed while not
    every stable one did, with ``min_errors`` requests at least. ``missing`` is what else is not up, a text a server.
    ``useless`` is True after a tick in which every candidate request failed, whatever the stable color did.
    """

    def __init__(self, candidate: Iterable[str], min_errors: int) -> None:
        self._candidate = set(candidate)
        self._given = bool(self._candidate)
        self._min_errors = min_errors
        self._failed_ticks = 0
        self._failed_requests = 0
        self.down: Optional[str] = None
        self.missing: dict[str, str] = {}
        self.useless = False

    @property
    def up_fraction(self) -> float:
        """Fraction of the candidate's servers that every balancer sees up."""
        return 1.0 - len(self.missing) / len(self._candidate) if self._candidate else 1.0

    def update(self, line: Mapping[str, Any], candidate: tuple[int, int], stable: tuple[int, int]) -> None:
        """``candidate`` and ``stable`` are this tick's requests and errors."""
        if not self._given:
            self._candidate |= set(line.get("colors", {}).get("candidate", {}))
        self.down = None
        self.missing = {}
        for balancer, servers in sorted(line.get("down", {}).items()):
            fallen = {name: status for name, status in servers.items() if name in self._candidate}
            if self._candidate and len(fallen) == len(self._candidate):
                self.down = f"{balancer} sees none of its servers up ({_list(fallen)})"
            for name, status in fallen.items():
                self.missing.setdefault(name, f"{name} is {status} on {balancer}")
        self.useless = 0 < candidate[0] == candidate[1]
        self._count_failed(candidate, stable)
        if self.down is None and self._failed_ticks >= 2 and self._failed_requests >= self._min_errors:
            self.down = f"every request failed in {self._failed_ticks} ticks in a row ({self._failed_requests} of them)"

    def _count_failed(self, candidate: tuple[int, int], stable: tuple[int, int]) -> None:
        n_c, k_c = candidate
        n_b, k_b = stable
        if not n_c:
            return
        if k_c < n_c or (n_b and k_b == n_b):
            # What kills the stable color too is not the candidate's doing.
            self._failed_ticks = self._failed_requests = 0
            return
        self._failed_ticks += 1
        self._failed_requests += k_c


def _list(servers: Mapping[str, str]) -> str:
    shown = [f"{name} {status}" for name, status in sorted(servers.items())[:3]]
    more = len(servers) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
