# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate's loop: look at every balancer at each tick, judge, say so, until there is a verdict or the time is over.

Everything that takes time or touches the world (clock, sleep, balancers, sources, the screen) is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Callable, Optional, Protocol

from ._counters import Counters, add_up
from ._health import is_up
from ._sentence import Names, progress
from ._settings import Settings
from ._sources import Reading
from ._tape import Line
from ._threshold_judge import ThresholdJudge
from ._verdict import at_timeout

OUTCOMES = {"promote": "promote", "rollback": "rollback", "hold": "pause"}
# Connections, and finding the Python to use, make the first look slower than the others.
_FIRST_WAIT = 20.0
_SHORTEST_WAIT = 3.0
_LONGEST_WAIT = 10.0


class AnyJudge(Protocol):
    """What ``Judge`` and ``ThresholdJudge`` have in common."""

    settings: Settings
    names: Names

    def tick(self, line: Mapping[str, Any]) -> dict[str, Any]: ...

    def carry(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Observation:
    """What was seen at one tick.

    ``balancers``: by name the result of ``haproxy_tick``, or of its failure (``failed`` or ``unreachable`` with
    ``msg``); one that did not answer in time may be missing. ``thresholds``: by name what its source said.
    """

    balancers: Mapping[str, Mapping[str, Any]]
    thresholds: Mapping[str, Reading] = field(default_factory=dict)


# Looks at every balancer and source; given the tape line of the tick before (or None) and the seconds to wait.
Observe = Callable[[Optional[Line], float], Observation]
# Hands over the last line of the tape; given the seconds to wait.
Record = Callable[[Line, float], None]


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
    """How long the container of a server had been running when the stage began; one left out is not warming up."""


class GateLoop:
    """Runs one gate; :meth:`run` once, or :meth:`look` in check mode."""

    def __init__(
        self,
        watch: Watch,
        judge: AnyJudge,
        observe: Observe,
        *,
        record: Record,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
    ) -> None:
        self._watch = watch
        self._judge = judge
        self._observe = observe
        self._record = record
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._counters = Counters()
        self._began = 0.0
        self._seen: dict[str, float] = {}
        self._counted_until = 0.0

    def look(self) -> dict[str, Any]:
        """Look once and claim nothing: what check mode does. ``verdict`` and ``outcome`` are None."""
        self._begin()
        observation = self._observe(None, self._first_wait())
        line = self._line(0.0, observation)
        settings, names = self._judge.settings, self._judge.names
        message = (
            f"would judge {names.candidate} on {', '.join(self._watch.balancers)} every {settings.tick:g} s, for at "
            f"least {settings.dwell:g} s and at most {settings.timeout:g} s"
        )
        troubles = [str(line[name]) for name in ("source_down", "split_lost") if name in line]
        troubles += [f"{balancer} does not answer: {why}" for balancer, why in sorted(line.get("missed", {}).items())]
        if troubles:
            message += f"; now: {'; '.join(troubles)}"
        self._say(f"{self._watch.label}: {message}")
        return {"verdict": None, "outcome": None, "cause": "check_mode", "message": message, "ticks": 0, "elapsed": 0}

    def run(self) -> dict[str, Any]:
        """Tick until there is a verdict; the result of ``tape.md`` with ``outcome`` and ``carry``."""
        self._begin()
        settings = self._judge.settings
        ended, line = self._start()
        number = 1
        while ended is None:
            self._sleep(max(0.0, self._began + number * settings.tick - self._clock()))
            at = self._elapsed()
            observation = self._observe(line, min(max(settings.tick, _SHORTEST_WAIT), _LONGEST_WAIT))
            fenced = _fenced(observation)
            if fenced:
                return self._superseded(at, fenced)
            line = self._line(at, observation)
            result = self._judge.tick(line)
            self._say(progress(self._watch.label, result, self._judge.names))
            if result["verdict"] != "hold":
                ended = result
            elif at >= settings.timeout:
                ended = at_timeout(result, settings.on_timeout)
            # A tick that took too long is followed by the next boundary, not by a burst.
            number = max(number + 1, ceil((self._clock() - self._began) / settings.tick))
        if line is not None:
            # This renews the lease once more, so that it outlasts what the caller does next.
            self._record(line, _SHORTEST_WAIT)
        return self._finished(ended)

    def _begin(self) -> None:
        self._began = self._clock()
        self._seen = dict.fromkeys(self._watch.balancers, self._began)

    def _first_wait(self) -> float:
        longest = max(self._judge.settings.tick, self._watch.lease / 2.0) if self._watch.lease else _FIRST_WAIT
        return min(_FIRST_WAIT, longest)

    def _start(self) -> tuple[Optional[dict[str, Any]], Optional[Line]]:
        """The first look sets where counting begins; it ends a gate only when something is plainly wrong."""
        observation = self._observe(None, self._first_wait())
        fenced = _fenced(observation)
        if fenced:
            return self._superseded(0.0, fenced), None
        line = self._line(0.0, observation)
        if isinstance(self._judge, ThresholdJudge):
            self._judge.note_stable(*self._totals(observation, self._watch.servers["stable"]))
        if "split_lost" in line or "down" in line:
            result = self._judge.tick(line)
            if result["verdict"] == "rollback":
                self._say(progress(self._watch.label, result, self._judge.names))
                return result, line
        return None, None

    def _totals(self, observation: Observation, names: Iterable[str]) -> tuple[int, int]:
        """Requests and errors of servers since the balancers were started."""
        answers, _ = self._answers(observation)
        counted = [
            answer["servers"][name] for answer in answers.values() for name in names if name in answer["servers"]
        ]
        return sum(int(server["requests"]) for server in counted), sum(int(server["bad"]) for server in counted)

    def _elapsed(self) -> float:
        digits = 1 if self._judge.settings.tick >= 1.0 else 3
        return round(self._clock() - self._began, digits)

    def _line(self, at: float, observation: Observation) -> Line:
        answers, missed = self._answers(observation)
        line: Line = {"t": at}
        counts = self._count(at, answers)
        if answers:
            line["colors"] = {
                color: {name: {"errors": list(counts[name])} for name in names if name in counts}
                for color, names in self._watch.servers.items()
            }
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

    def _count(self, at: float, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
        increases = [self._counters.update(balancer, answer) for balancer, answer in sorted(answers.items())]
        since, self._counted_until = self._counted_until, at
        warmup = self._judge.settings.warmup
        return {
            name: count
            for name, count in add_up(list(increases)).items()
            if name not in self._watch.ages or self._watch.ages[name] + since >= warmup
        }

    def _fallen_back(self, at: float, answers: Iterable[str], missed: Mapping[str, str]) -> Optional[str]:
        now = self._began + at
        for balancer in answers:
            self._seen[balancer] = now
        lease = self._watch.lease
        for balancer, why in sorted(missed.items()):
            silent = now - self._seen[balancer]
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

    def _superseded(self, at: float, why: str) -> dict[str, Any]:
        last = self._judge.tick({"t": at, "source_down": why})
        self._say(f"{self._watch.label} {at:g} s: hold superseded - {why}")
        return self._finished({**last, "verdict": "hold", "cause": "superseded", "message": f"superseded: {why}"})

    def _finished(self, result: dict[str, Any]) -> dict[str, Any]:
        return {"outcome": OUTCOMES[result["verdict"]], **result, "carry": self._judge.carry()}


def replay(
    lines: Iterable[Mapping[str, Any]], judge: AnyJudge, *, label: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """Judge a recorded tape; needs no clock, and ends at the first verdict, at ``timeout``, or with the tape."""
    settings = judge.settings
    result: Optional[dict[str, Any]] = None
    for line in lines:
        result = judge.tick(line)
        say(progress(label, result, judge.names))
        if result["verdict"] != "hold":
            return {"outcome": OUTCOMES[result["verdict"]], **result, "carry": judge.carry()}
        if line["t"] >= settings.timeout:
            ended = at_timeout(result, settings.on_timeout)
            return {"outcome": OUTCOMES[ended["verdict"]], **ended, "carry": judge.carry()}
    if result is None:
        raise ValueError("a tape without lines")
    message = f"the tape ends at {result['elapsed']:.0f} s without a verdict; last: {result['message']}"
    return {**result, "outcome": "pause", "held_for": result["cause"], "message": message, "carry": judge.carry()}


def _fenced(observation: Observation) -> Optional[str]:
    for balancer, answer in sorted(observation.balancers.items()):
        if answer.get("fenced"):
            return f"{balancer}: {answer.get('msg') or 'this release is no longer the current one'}"
    return None


def _down(answers: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, str]]:
    down = {}
    for balancer, answer in sorted(answers.items()):
        statuses = {name: str(answer["servers"][name]["status"]) for name in names if name in answer["servers"]}
        fallen = {name: status for name, status in statuses.items() if not is_up(status)}
        if fallen:
            down[balancer] = fallen
    return down
