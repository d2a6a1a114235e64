# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long a release that runs keeps its lock: until the process that it belongs to is gone, or it is fenced.

In a hook of a stage its lease is kept in the same way, until the hook has ended or its time is over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

# A lock is renewed so often in its time that one lost renewal does not end it.
RENEWALS = 3
LOOK = 0.5
"""Seconds between two looks whether the process is alive."""

Answers = Mapping[str, Mapping[str, Any]]


class Process:
    """A process of this machine, told from a later one with the same number where there is a ``/proc``."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._began = self._stat()

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        now = self._stat()
        return now is None or (now == self._began and now[0] not in "ZX")

    def _stat(self) -> Optional[tuple[str, str]]:
        """State letter class and start time: zombies are told apart from processes that run."""
        try:
            told = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # Fields 3 and 22 of proc(5); the name in brackets before them may hold anything.
        fields = told.rpartition(")")[2].split()
        return ("Z" if fields[0] in "ZX" else "R"), fields[19]


def keep(
    renew: Callable[[float], Answers],
    ttl: float,
    alive: Callable[[], bool],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> str:
    """Renew until the process is gone or a balancer says that the lock is not ours, or the hook over; why it ended.

    ``renew`` asks every balancer and waits for the given seconds at most; one that does not answer is asked again.
    """
    due = clock() + ttl / RENEWALS
    while alive():
        if clock() < due:
            sleep(LOOK)
            continue
        due = clock() + ttl / RENEWALS
        answers = renew(ttl / RENEWALS).values()
        if any(answer.get("fenced") for answer in answers):
            return "fenced"
        if any(answer.get("running") is False for answer in answers):
            return "ended"
    return "gone"
