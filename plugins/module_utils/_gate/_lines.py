# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of balancers and sources at each tick, as a line of the tape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Optional

from ._counters import Counters, Increases, add_buckets, add_up, clamped, process
from ._evidence import Count
from ._health import is_up
from ._latency import Reference, unpack
from ._settings import Settings
from ._sources import Reading
from ._tape import COLORS, Line

NO_HISTOGRAM = (
    "HAProxy on {balancer} counts no latencies: that needs HAProxy 2.2 or newer, and its configuration written by "
    "sluice.bluegreen.site with haproxy_histogram: true; else leave gates.latency out, or read it from Prometheus"
)


# A series may begin with a server's first request, and Prometheus looks every minute where nobody says otherwise.
SCRAPED_WITHIN = 60.0


@dataclass(frozen=True)
class Observation:
    """What was seen at one tick.

    ``balancers``: by name the result of ``haproxy_tick``, or of its failure (``failed`` or ``unreachable`` with
    ``msg``); one that did not answer in time may be missing. ``thresholds``: by name what its source said.
    ``totals``: by gate (``errors``, ``latency``) what a source of its own said, as :func:`_sources.error_totals` and
    :func:`_sources.bucket_totals` give it.
    """

    balancers: Mapping[str, Mapping[str, Any]]
    thresholds: Mapping[str, Reading] = field(default_factory=dict)
    totals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Watch:
    """What a gate looks at; ``servers`` by color (``candidate``, ``stable``), ``lease`` and ``ages`` in seconds."""

    label: str
    balancers: Sequence[str]
    servers: Mapping[str, Sequence[str]]
    weights: Optional[Mapping[str, int]] = None
    """The weight that every balancer must give each server."""
    lease: Optional[float] = None
    """A balancer that does not answer for longer has gone back by itself; None where runtime does not lead."""
    ages: Mapping[str, float] = field(default_factory=dict)
    """How long the container of a server had been running when the stage began.

    A candidate that is left out has the age that the balancers' journals give it, others are not warming up.
    """
    concurrent: bool = True
    """Whether the stable color serves at the same time.

    Where it does not, nothing is asked of it in a tick, and its totals of before are on each line.
    """
    baseline: Sequence[str] = ()
    """The stable servers to compare with; all of them where empty."""
    reference: Mapping[str, Any] = field(default_factory=dict)
    """The stable color's quantiles, as a stage before took them."""


# By color and server.
ByColor = Mapping[str, Mapping[str, Sequence[int]]]


class _Found:
    """What of a tick goes onto the tape: counts by color and server, and what is missing by gate."""

    def __init__(self, colors: Iterable[str]) -> None:
        self.colors: dict[str, dict[str, dict[str, Any]]] = {color: {} for color in colors}
        self.missing: dict[str, dict[str, str]] = {}

    def add(self, gate: str, counts: Mapping[str, Mapping[str, Any]]) -> None:
        for color, servers in counts.items():
            for name, entry in servers.items():
                self.colors[color].setdefault(name, {})[gate] = entry

    def drop(self, name: str) -> None:
        for servers in self.colors.values():
            servers.pop(name, None)


class _Apart:
    """Totals of a source of its own, which is asked more often than it looks itself.

    The colors' totals move at moments of their own, and a tick in which only one of them moved says nothing: so what
    came is kept until there are requests of all ``colors``, those that are judged. That looks at how many requests
    there are, never at how they went.
    """

    def __init__(self, colors: Sequence[str]) -> None:
        self._colors = colors
        self._increases: dict[str, Increases] = {}
        self._kept: dict[str, dict[str, list[int]]] = {}
        self._bounds: Any = None

    def update(self, totals: Mapping[str, Any], missing: dict[str, str]) -> Optional[ByColor]:
        """Increases by color and server; zeros while they are kept back, None with the reason in ``missing``."""
        for cause in ("source_down", "no_data"):
            if cause in totals:
                missing[cause] = str(totals[cause])
                return None
        if "totals" not in totals:
            missing["source_down"] = str(totals.get("msg") or "no answer in time")
            return None
        if totals.get("bounds") != self._bounds:
            # Another histogram than before: counting begins anew.
            self._bounds, self._increases, self._kept = totals.get("bounds"), {}, {}
        for color, servers in totals["totals"].items():
            if not servers and color in self._colors:
                missing["no_data"] = f"the queries give nothing for the {color} color"
            kept = self._kept.setdefault(color, {})
            for name, more in self._increases.setdefault(color, Increases()).update(color, servers).items():
                kept[name] = [a + b for a, b in zip(kept.get(name, [0] * len(more)), more)]
        if missing:
            return None
        if not all(any(map(any, self._kept.get(color, {}).values())) for color in self._colors):
            return {
                color: {name: [0] * len(counts) for name, counts in servers.items()}
                for color, servers in self._kept.items()
            }
        given: ByColor = self._kept
        self._kept = {color: {} for color in given}
        return given


class Lines:
    """Makes the lines of a gate's tape, tick by tick, from what was seen."""

    def __init__(self, watch: Watch, settings: Settings) -> None:
        self._watch = watch
        self._settings = settings
        self._counters = Counters(watch.servers["stable"])
        self._buckets = Increases()
        judged = COLORS if watch.concurrent else COLORS[:1]
        self._apart: dict[str, _Apart] = {gate: _Apart(judged) for gate in settings.elsewhere}
        self._reference = Reference(settings.latency, settings.slowdown, settings.promote_slowdown, watch.reference)
        self._compared = {
            "candidate": list(watch.servers["candidate"]),
            "stable": list(watch.baseline or watch.servers["stable"]),
        }
        self._ages = dict(watch.ages)
        # What each one's first answer said: it may come late, and the others' do not stand in for it.
        self._deployed: dict[str, float] = {}
        self._before: dict[str, Count] = {}
        self._knows_before = ("errors",) if "errors" in self._apart else tuple(watch.balancers)
        # When the balancers first counted a request of a candidate server in this stage.
        self._asked: dict[str, float] = {}
        self._seen = dict.fromkeys(watch.balancers, 0.0)
        self._counted_until = 0.0

    def line(self, at: float, observation: Observation) -> Line:
        """The line of the tick ``at`` seconds after the begin; the first one only sets where counting begins."""
        answers, missed = self._answers(observation)
        line: Line = {"t": at}
        since, self._counted_until = self._counted_until, at
        self._note_ages(at, answers)
        if not self._watch.concurrent:
            self._note_before(answers, observation)
            if len(self._before) == len(self._knows_before):
                line["before"] = [sum(counts) for counts in zip(*self._before.values())]
        if answers:
            found = _Found(self._compared)
            self._count_errors(found, answers, observation)
            if self._settings.latency:
                self._count_latency(found, answers, observation)
                line["reference"] = self._reference.info
            young = self._young(since)
            for name in young:
                found.drop(name)
            line["colors"] = found.colors
            if found.missing:
                line["missing"] = found.missing
            if young:
                line["warmup"] = young
        else:
            line["source_down"] = "; ".join(f"{name}: {why}" for name, why in sorted(missed.items()))
        if answers and missed:
            line["missed"] = missed
        down = _down(answers, [name for names in self._watch.servers.values() for name in names])
        if down:
            line["down"] = down
        lost = self._fallen_back(at, answers, missed) or self._difference(answers)
        if lost:
            line["split_lost"] = lost
        if observation.thresholds:
            line["thresholds"] = dict(observation.thresholds)
        return line

    def _answers(self, observation: Observation) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
        answers: dict[str, Mapping[str, Any]] = {}
        missed: dict[str, str] = {}
        for balancer in self._watch.balancers:
            answer = observation.balancers.get(balancer)
            if answer is None:
                missed[balancer] = "no answer in time"
            elif answer.get("failed") or answer.get("unreachable") or "servers" not in answer:
                missed[balancer] = str(answer.get("msg") or "no counters in its answer")
            else:
                answers[balancer] = answer
        return answers, missed

    def _note_ages(self, at: float, answers: Mapping[str, Mapping[str, Any]]) -> None:
        """The candidate's containers are as old as its deployment, by the journal of whoever knows of it."""
        for balancer, answer in answers.items():
            if answer.get("deployed") is not None:
                self._deployed.setdefault(balancer, float(answer["deployed"]) - at)
        if self._deployed:
            age = min(self._deployed.values())
            self._ages.update({name: age for name in self._watch.servers["candidate"] if name not in self._watch.ages})

    def _note_before(self, answers: Mapping[str, Mapping[str, Any]], observation: Observation) -> None:
        """Requests and bad ones of the stable color, from those who count the candidate's errors too.

        A balancer's are those since it was started, another source's those since the stable color's processes were.
        """
        if "errors" in self._apart:
            told = observation.totals.get("errors", {}).get("totals", {}).get("stable")
            if told:
                requests, bad = (sum(counts) for counts in zip(*told.values()))
                self._before.setdefault("errors", (requests, min(requests, bad)))
            return
        for balancer, answer in answers.items():
            servers = [answer["servers"][name] for name in self._watch.servers["stable"] if name in answer["servers"]]
            unanswered = sum(max(0, int(server["unanswered"])) for server in servers)
            requests, bad = (sum(int(server[what]) for server in servers) for what in ("requests", "bad"))
            self._before.setdefault(balancer, (requests + unanswered, bad + unanswered))

    def _count_errors(self, found: _Found, answers: Mapping[str, Mapping[str, Any]], observation: Observation) -> None:
        # Also where errors come from elsewhere: the totals must be followed from the first answer on.
        of_balancers = add_up([self._counters.update(name, answer) for name, answer in sorted(answers.items())])
        increases: Optional[ByColor] = self._by_color(of_balancers)
        for name, (requests, _) in self._by_color(of_balancers)["candidate"].items():
            if requests:
                self._asked.setdefault(name, self._counted_until)
        if "errors" in self._apart:
            increases = self._from_apart("errors", found, observation)
        if increases is not None:
            found.add("errors", {color: _lists(clamped(servers)) for color, servers in increases.items()})

    def _count_latency(self, found: _Found, answers: Mapping[str, Mapping[str, Any]], observation: Observation) -> None:
        if "latency" in self._apart:
            increases = self._from_apart("latency", found, observation)
            bounds = [float(bound) for bound in observation.totals.get("latency", {}).get("bounds", [])]
        else:
            increases, bounds = self._histograms(answers, found)
        if increases is None:
            return
        try:
            found.add("latency", self._reference.count([*bounds, inf], increases["candidate"], increases["stable"]))
        except ValueError as error:
            found.missing["latency"] = {"no_data": str(error)}

    def _from_apart(self, gate: str, found: _Found, observation: Observation) -> Optional[ByColor]:
        missing: dict[str, str] = {}
        increases = self._apart[gate].update(observation.totals.get(gate, {}), missing)
        if missing:
            found.missing[gate] = missing
        if increases is None:
            return None
        self._note_silent(gate, found, observation.totals[gate]["totals"].get("candidate", {}))
        return {color: self._chosen(color, increases.get(color, {})) for color in self._compared}

    def _note_silent(self, gate: str, found: _Found, known: Mapping[str, Any]) -> None:
        """A server that had requests, and that a source which knows the inventory's names has nothing of."""
        if not set(known) & set(self._watch.servers["candidate"]):
            return
        silent = {name: since for name, since in self._asked.items() if name not in known}
        if silent:
            names = sorted(silent)
            text = f"nothing of {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            overdue = self._counted_until - min(silent.values()) >= SCRAPED_WITHIN
            found.missing[gate] = {"no_data" if overdue else "awaited": f"{text}, although the balancers sent requests"}

    def _histograms(
        self, answers: Mapping[str, Mapping[str, Any]], found: _Found
    ) -> tuple[Optional[ByColor], list[float]]:
        """Increases of the balancers' own histograms by color, and their bounds."""
        per_balancer = []
        bounds: list[float] = []
        for balancer, answer in sorted(answers.items()):
            histogram = answer.get("latency")
            if histogram is None:
                found.missing["latency"] = {"no_data": NO_HISTOGRAM.format(balancer=balancer)}
                return None, bounds
            bounds = [float(bound) for bound in histogram["bounds"]]
            totals = {name: unpack(packed, len(bounds) + 1) for name, packed in histogram["servers"].items()}
            per_balancer.append(self._buckets.update(balancer, totals, **process(answer)))
        return self._by_color(add_buckets(per_balancer)), bounds

    def _by_color(self, servers: Mapping[str, Sequence[int]]) -> dict[str, dict[str, Sequence[int]]]:
        """The servers that are compared."""
        return {
            color: {name: servers[name] for name in names if name in servers} for color, names in self._compared.items()
        }

    def _chosen(self, color: str, servers: Mapping[str, Sequence[int]]) -> Mapping[str, Sequence[int]]:
        """Of a source that knows the inventory's names those that are compared, of any other all."""
        if not set(servers) & set(self._watch.servers[color]):
            return servers
        return {name: counts for name, counts in servers.items() if name in self._compared[color]}

    def _young(self, since: float) -> dict[str, float]:
        """Ages, at the begin of the tick, of the servers that are too young to be counted."""
        warmup = self._settings.warmup
        ages = {
            name: self._ages[name] + since for names in self._compared.values() for name in names if name in self._ages
        }
        return {name: round(age, 1) for name, age in ages.items() if age < warmup}

    def _fallen_back(self, at: float, answers: Iterable[str], missed: Mapping[str, str]) -> Optional[str]:
        for balancer in answers:
            self._seen[balancer] = at
        lease = self._watch.lease
        for balancer, why in sorted(missed.items()):
            silent = at - self._seen[balancer]
            if lease and silent > lease:
                return (
                    f"{balancer} has not answered for {silent:.0f} s, longer than its lease of {lease:g} s, so it "
                    f"has gone back to what is committed ({why})"
                )
        return None

    def _difference(self, answers: Mapping[str, Mapping[str, Any]]) -> Optional[str]:
        for balancer, answer in sorted(answers.items()):
            differences = [f"contradicts itself ({difference})" for difference in answer.get("differences", ())]
            for name, weight in sorted((self._watch.weights or {}).items()):
                server = answer["servers"].get(name)
                if server is None:
                    differences.append(f"does not know {name}")
                elif int(server["weight"]) != weight:
                    differences.append(f"gives {name} weight {server['weight']} instead of {weight}")
            if differences:
                more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
                ended = "" if answer.get("leading", True) else "; its lease has ended"
                return f"{balancer} {', '.join(differences[:3])}{more}{ended}"
        return None


def _lists(counts: Mapping[str, tuple[int, int]]) -> dict[str, list[int]]:
    return {name: list(count) for name, count in counts.items()}


def _down(answers: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, str]]:
    down = {}
    for balancer, answer in sorted(answers.items()):
        statuses = {name: str(answer["servers"][name]["status"]) for name in names if name in answer["servers"]}
        fallen = {name: status for name, status in statuses.items() if not is_up(status)}
        if fallen:
            down[balancer] = fallen
    return down
