# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From running totals, by balancer and server, to increases by server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ._evidence import Count

Totals = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class _Seen:
    pid: int
    uptime: Optional[float]
    totals: dict[str, tuple[int, ...]]


class Increases:
    """Follows totals (any number of them a server) of every source, such as a balancer.

    A source's first totals only set where counting begins. A total that went down, or another process behind the
    source, means that the totals began anew: that tick is dropped for the server, or for the whole source. A source
    that missed a tick gives one longer tick when it answers again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def update(
        self, source: str, totals: Totals, *, pid: int = 0, uptime: Optional[float] = None
    ) -> dict[str, tuple[int, ...]]:
        """Increases by server since this source's last totals; a server that is left out had no data."""
        now = _Seen(pid, uptime, {name: tuple(int(count) for count in counts) for name, counts in totals.items()})
        before, self._seen[source] = self._seen.get(source), now
        if before is None or _restarted(before, now):
            return {}
        increases = {}
        for name, counts in now.totals.items():
            earlier = before.totals.get(name)
            if earlier is not None and len(earlier) == len(counts):
                more = tuple(count - start for count, start in zip(counts, earlier))
                if min(more, default=0) >= 0:
                    increases[name] = more
        return increases


class Unanswered:
    """Attempts without an answer of one server, as totals that never fall: what was lost, and what may have been.

    At any moment as many as :class:`~.._haproxy._stats.ServerStats` says have certainly ended without an answer since
    HAProxy started, and at most that and the sessions in progress; the answers that are still being sent are missing
    in the first, and are not in the second. Counting begins where the server first has traffic, with all sessions in
    progress taken for such. So ``lost`` is never too high, and lacks the answers that are being sent, of which a color
    that has served for hours may have thousands; ``doubtful`` does not, and is too high by what waits for an answer.
    """

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.requests = entry["requests"]
        self.lost = self.doubtful = 0
        self._first = entry["requests"] + entry["unanswered"]
        self._before: Optional[int] = None

    def update(self, entry: Mapping[str, Any]) -> None:
        """Take in one more answer of the balancer."""
        self.requests = entry["requests"]
        certain, at_most = entry["unanswered"], entry["unanswered"] + entry["sessions"]
        if self._before is not None:
            self._before = min(self._before, at_most)
            self.lost = max(self.lost, certain - self._before)
            self.doubtful = max(self.doubtful, at_most - self._before)
        elif entry["requests"] + certain > self._first:
            self._before = at_most


class Counters:
    """Requests and bad ones of every balancer, as :class:`Increases` follows them.

    Of a server what was certainly left unanswered counts; but once a balancer has lost some of another one's, what may
    have been counts of those in ``stable``: so a candidate is not blamed for what both colors lose and the one that it
    is compared with hides.
    """

    def __init__(self, stable: Collection[str] = ()) -> None:
        self._stable = frozenset(stable)
        self._increases = Increases()
        self._unanswered: dict[tuple[str, int, str], Unanswered] = {}
        self._doubted: set[tuple[str, int]] = set()

    def update(self, balancer: str, answer: Mapping[str, Any]) -> dict[str, Count]:
        """Requests and bad ones by server since this balancer's last answer.

        ``answer``: ``{"pid": int, "uptime": s, "servers": {name: {"requests": total, "bad": total, "unanswered":
        number, "sessions": number, ...}}}``. What was left unanswered is a request that was bad. A server that is left
        out had no data.
        """
        there = (balancer, int(answer["pid"]))
        found = {}
        for name, entry in answer["servers"].items():
            found[name] = self._of((*there, name), entry)
            found[name].update(entry)
            if found[name].lost and name not in self._stable:
                self._doubted.add(there)
        totals = {}
        for name, entry in answer["servers"].items():
            doubted = there in self._doubted and name in self._stable
            unanswered = found[name].doubtful if doubted else found[name].lost
            totals[name] = (entry["requests"] + unanswered, entry["bad"] + unanswered)
        return clamped(self._increases.update(balancer, totals, **process(answer)))

    def _of(self, server: tuple[str, int, str], entry: Mapping[str, Any]) -> Unanswered:
        known = self._unanswered.get(server)
        if known is None or entry["requests"] < known.requests:
            known = self._unanswered[server] = Unanswered(entry)
        return known


def process(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What tells one process behind a balancer's socket from the next: ``pid`` and ``uptime``."""
    uptime = answer.get("uptime")
    return {"pid": int(answer["pid"]), "uptime": None if uptime is None else float(uptime)}


def clamped(increases: Mapping[str, Sequence[int]]) -> dict[str, Count]:
    """Counts that are no more bad than they are: totals are read while they move, the bad ones perhaps first."""
    return {name: (requests, min(requests, bad)) for name, (requests, bad) in increases.items()}


def _restarted(before: _Seen, now: _Seen) -> bool:
    if before.pid != now.pid:
        return True
    # In a container a restarted HAProxy often gets the same process id again.
    return before.uptime is not None and now.uptime is not None and now.uptime < before.uptime


def add_up(increases: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    """Increases of all balancers together."""
    total: dict[str, Count] = {}
    for counts in increases:
        for name, (requests, bad) in counts.items():
            n, k = total.get(name, (0, 0))
            total[name] = (n + requests, k + bad)
    return total


def add_buckets(increases: Iterable[Mapping[str, Sequence[int]]]) -> dict[str, list[int]]:
    """Buckets of all balancers together, by server."""
    total: dict[str, list[int]] = {}
    for servers in increases:
        for name, buckets in servers.items():
            so_far = total.get(name)
            total[name] = list(buckets) if so_far is None else [a + b for a, b in zip(so_far, buckets)]
    return total
