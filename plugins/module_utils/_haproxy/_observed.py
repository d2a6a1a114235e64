# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The split that the counters of servers show since an earlier look at them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .._errors import BalancerError
from .._files import read_json, write_json
from ._socket import RuntimeSocket
from ._stats import INFO_COMMAND, ServerStats, parse_info, parse_stats, stats_command

SHIFT, START, LOOK = "shift", "start", "look"
LEAST_REQUESTS = 200
_LEAST_POINTS = 0.02
_DEVIATIONS = 5


@dataclass(frozen=True)
class Mark:
    """Running totals by server of one HAProxy process, and ``since`` what: the last shift, a look, or its start."""

    pid: int
    counts: Mapping[str, int]
    since: str


def counts_of(stats: Mapping[str, ServerStats]) -> dict[str, int]:
    """Finished requests by server; sessions for a service in TCP mode, which has no responses."""
    if any(any(of_server.responses.values()) for of_server in stats.values()):
        return {name: of_server.requests for name, of_server in stats.items()}
    return {name: of_server.stot for name, of_server in stats.items()}


def remember(path: Path, sock: RuntimeSocket, backend: str) -> None:
    """Keep the totals as they are right after a shift; BalancerError or OSError where that cannot be done."""
    stats, info = sock.run([stats_command(backend), INFO_COMMAND])
    counts = counts_of(parse_stats(stats, backend, sock.path))
    write_json(path, {"pid": parse_info(info, sock.path).pid, "counts": counts})


def recall(path: Path) -> Mark | None:
    """The totals of the last shift, or None where there are none that can be read."""
    kept = read_json(path)
    try:
        return Mark(int(kept["pid"]), {str(k): int(v) for k, v in kept["counts"].items()}, SHIFT) if kept else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def look(sock: RuntimeSocket, backend: str, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Mark:
    """The totals ``seconds`` ago."""
    stats, info = sock.run([stats_command(backend), INFO_COMMAND])
    mark = Mark(parse_info(info, sock.path).pid, counts_of(parse_stats(stats, backend, sock.path)), LOOK)
    sleep(seconds)
    return mark


def since(mark: Mark | None, pid: int, stats: Mapping[str, ServerStats]) -> tuple[dict[str, int], str]:
    """Requests by server since ``mark``, and since what; since HAProxy started where it did so after the mark.

    Raises ``BalancerError`` where HAProxy was reloaded between two looks that belong together.
    """
    counts = counts_of(stats)
    if mark is None or mark.pid != pid:
        if mark and mark.since == LOOK:
            raise BalancerError(
                f"HAProxy was reloaded between the two looks (process {mark.pid}, now {pid}); look again."
            )
        return counts, START
    # Less than before is a counter that somebody cleared.
    return {name: max(0, count - mark.counts.get(name, 0)) for name, count in counts.items()}, mark.since


def deviates(observed: float, requests: int, expected: float) -> bool:
    """Whether a share of ``requests`` (per cent) is not what chance makes of the ``expected`` one.

    That is beyond 2 percentage points and five standard deviations of a binomial share, from 200 requests on.
    """
    p = min(max(expected / 100, 0.0), 1.0)
    limit = _LEAST_POINTS + _DEVIATIONS * math.sqrt(p * (1 - p) / requests) if requests >= LEAST_REQUESTS else math.inf
    return abs(observed / 100 - p) > limit
