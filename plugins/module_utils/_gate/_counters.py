# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From running totals, by balancer and server, to increases by server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ._evidence import Count


@dataclass(frozen=True)
class _Seen:
    pid: int
    uptime: Optional[float]
    totals: dict[str, Count]


class Counters:
    """Follows the totals of every balancer.

    A balancer's first answer only sets where counting begins. A total that went down, or another process behind the
    socket, means that the totals began anew: that tick is dropped for the server, or for the whole balancer. A balancer
    that missed a tick gives one longer tick when it answers again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def update(self, balancer: str, answer: Mapping[str, Any]) -> dict[str, Count]:
        """Requests and bad ones by server since this balancer's last answer.

        ``answer``: ``{"pid": int, "uptime": s, "servers": {name: {"requests": total, "bad": total, ...}}}``. A server
        that is left out had no data.
        """
        totals = {name: (int(entry["requests"]), int(entry["bad"])) for name, entry in answer["servers"].items()}
        uptime = answer.get("uptime")
        now = _Seen(int(answer["pid"]), None if uptime is None else float(uptime), totals)
        before, self._seen[balancer] = self._seen.get(balancer), now
        if before is None or _restarted(before, now):
            return {}
        increases = {}
        for name, (requests, bad) in totals.items():
            if name in before.totals:
                more, more_bad = requests - before.totals[name][0], bad - before.totals[name][1]
                if more >= 0 and more_bad >= 0:
                    # The totals are read while they move, so a bad request may be seen before it is counted.
                    increases[name] = (more, min(more, more_bad))
        return increases


def _restarted(before: _Seen, now: _Seen) -> bool:
    if before.pid != now.pid:
        return True
    # In a container a restarted HAProxy often gets the same process id again.
    return before.uptime is not None and now.uptime is not None and now.uptime < before.uptime


def add_up(increases: list[Mapping[str, Count]]) -> dict[str, Count]:
    """Increases of all balancers together."""
    total: dict[str, Count] = {}
    for counts in increases:
        for name, (requests, bad) in counts.items():
            n, k = total.get(name, (0, 0))
            total[name] = (n + requests, k + bad)
    return total
