# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate's loop: look at every balancer at each tick, judge, say so, until there is a verdict or the time is over.

Everything that takes time or touches the world (clock, sleep, balancers, sources, the screen) is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from math import ceil
from typing import Any, Callable, Optional, Protocol

from .._errors import SluiceError
from ._lines import Lines, Observation, Watch
from ._sentence import Names, progress
from ._settings import Settings
from ._tape import Line
from ._verdict import at_timeout, look_again

OUTCOMES = {"promote": "promote", "rollback": "rollback", "hold": "pause"}
# Connections, and finding the Python to use, make the first look slower than the others.
_FIRST_WAIT = 20.0
_SHORTEST_WAIT = 5.0
_LONGEST_WAIT = 10.0
# Between verdict and shift nobody waits long for a balancer that hangs.
_LAST_WAIT = 3.0


class AnyJudge(Protocol):
    """What ``Judge`` and ``ThresholdJudge`` have in common."""

    settings: Settings
    names: Names

    def tick(self, line: Mapping[str, Any]) -> dict[str, Any]: ...

    def due(self, t: float) -> list[str]: ...

    def carry(self) -> dict[str, Any]: ...


# Looks at every balancer and source; given the tape line of the tick before (or None), the seconds to wait, and the
# names of the thresholds that are due.
Observe = Callable[[Optional[Line], float, Sequence[str]], Observation]
# Hands over the last line of the tape; given the seconds to wait.
Record = Callable[[Line, float], None]


class GateLoop:
    """Runs one gate; :meth:`run` once, or :meth:`look` in check mode."""

    def __init__(
        self,
        watch: Watch,
        judge: AnyJudge,
        observe: Observe,
        *,
        record: Record,
        back: Optional[Callable[[], None]] = None,
        second_look: bool = False,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
    ) -> None:
        self._watch = watch
        self._judge = judge
        self._observe = observe
        self._record = record
        self._back = back
        self._second_look = second_look
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._lines = Lines(watch, judge.settings)
        self._began = 0.0

    def look(self) -> dict[str, Any]:
        """Look once and claim nothing: what check mode does. ``verdict`` and ``outcome`` are None."""
        observation = self._observe(None, self._wait(_FIRST_WAIT, _FIRST_WAIT), self._judge.due(0.0))
        line = self._lines.line(0.0, observation)
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
        """Tick until there is a verdict; the result of ``tape.md`` with ``outcome`` and ``carry``.

        An error of the gate itself takes the traffic back before it is raised, since nobody looks at it any more.
        """
        try:
            return self._run()
        except SluiceError:
            # Such as that of a playbook that is gone, whose traffic is for its lease to take back.
            raise
        except Exception:
            if self._back is not None:
                self._back()
            raise

    def _run(self) -> dict[str, Any]:
        self._began = self._clock()
        settings = self._judge.settings
        ended, line = self._start()
        number = 1
        while ended is None:
            self._sleep(max(0.0, self._began + number * settings.tick - self._clock()))
            at = self._elapsed()
            observation = self._observe(line, self._wait(_SHORTEST_WAIT, _LONGEST_WAIT), self._judge.due(at))
            fenced = _fenced(observation)
            if fenced:
                return self._superseded(at, fenced)
            line = self._lines.line(at, observation)
            result = self._judge.tick(line)
            self._say(progress(self._watch.label, result, self._judge.names))
            if result["verdict"] != "hold" or "outcome" in result:
                ended = result
            elif at >= settings.timeout:
                ended = at_timeout(result, settings.on_timeout)
            # A tick that took too long is followed by the next boundary, not by a burst.
            number = max(number + 1, ceil((self._clock() - self._began) / settings.tick))
        if self._second_look:
            ended = look_again(ended, settings)
        if ended.get("outcome", ended["verdict"]) == "rollback" and self._back is not None:
            self._back()
        if line is not None:
            # This renews the lease once more, so that it outlasts what the caller does next.
            self._record(line, self._wait(_LAST_WAIT, _LAST_WAIT))
        return self._finished(ended)

    def _wait(self, shortest: float, longest: float) -> float:
        """Seconds to wait for the balancers: a tick, within limits, and never so long that the others' leases end."""
        tick = self._judge.settings.tick
        wait = min(max(tick, shortest), longest)
        return min(wait, max(tick, self._watch.lease / 2.0)) if self._watch.lease else wait

    def _start(self) -> tuple[Optional[dict[str, Any]], Optional[Line]]:
        """The first look sets where counting begins; it ends a gate only when something is plainly wrong."""
        observation = self._observe(None, self._wait(_FIRST_WAIT, _FIRST_WAIT), ())
        fenced = _fenced(observation)
        if fenced:
            return self._superseded(0.0, fenced), None
        line = self._lines.line(0.0, observation)
        if "split_lost" in line or "down" in line:
            # By a copy, as nothing was counted and no threshold asked yet: that must not be held against anybody later.
            result = deepcopy(self._judge).tick(line)
            if result["verdict"] == "rollback":
                self._say(progress(self._watch.label, result, self._judge.names))
                return result, line
        return None, None

    def _elapsed(self) -> float:
        digits = 1 if self._judge.settings.tick >= 1.0 else 3
        return round(self._clock() - self._began, digits)

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
        if result["verdict"] != "hold" or "outcome" in result:
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
