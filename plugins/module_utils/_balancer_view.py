# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HAProxy of this host calls the servers of a service, by its own checks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Union

from ._errors import SluiceError
from ._haproxy._stats import ServerStats
from ._probe import Answer

Read = Callable[[], Mapping[str, ServerStats]]
# One reading has all servers; many endpoints that ask at once are told from the same.
_FRESH = 0.1


class BalancerView:
    """Asks by name of the server; ``read`` gives the counters of all of them. Safe to be asked by many threads."""

    def __init__(self, read: Read, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Union[Mapping[str, ServerStats], str] = ""
        self._at = float("-inf")

    def look(self, server: str) -> Answer:
        """Never raises for what the balancer does."""
        with self._lock:
            if self._clock() - self._at >= _FRESH:
                try:
                    self._found = self._read()
                except SluiceError as error:
                    self._found = str(error)
                self._at = self._clock()
            found = self._found
        if isinstance(found, str):
            return Answer(False, found)
        stats = found.get(server)
        if stats is None:
            return Answer(False, "HAProxy has no such server", seen={"haproxy": "missing"})
        seen = {"haproxy": stats.status}
        if stats.up:
            return Answer(True, seen=seen)
        why = " ".join(part for part in (stats.check, stats.check_text) if part)
        return Answer(False, f"HAProxy calls it {stats.status}{f' ({why})' if why else ''}", seen=seen)
