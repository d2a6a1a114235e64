# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which promises a run kept, from what was seen of balancers, requests and commands. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from chaos.points import Case
from demo.traffic import Request

# Beyond the lease: the timer's own slack, and a systemd that tries again.
GRACE = 5.0


@dataclass(frozen=True)
class Balancer:
    """One balancer at one moment: weights by server on disk and at work (None: HAProxy did not answer).

    ``holder`` is the release whose lock is there, alive (``locked``) or run out; ``release`` the phase of the one that
    the journal calls in progress; ``version`` what the stable color runs, ``held`` what either does; ``way_back``
    whether a rollback from the stable color has somewhere to go.
    """

    disk: Mapping[str, int]
    shares: Mapping[str, float]
    runtime: Optional[Mapping[str, int]]
    holder: Optional[str]
    locked: bool
    leads: bool
    damage: Sequence[str]
    stable: Optional[str]
    version: Optional[str]
    release: Optional[str]
    held: frozenset[str] = frozenset()
    way_back: bool = True

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Balancer:
        """From what ``observe.py`` prints."""
        state = said["state"]
        serving = state["colors"].get(state["stable"]) if state["stable"] else None
        idle = [entry for color, entry in state["colors"].items() if color != state["stable"] and entry]
        return cls(
            disk=said["disk"],
            shares=said["shares"],
            runtime=said["runtime"],
            holder=(said["lock"] or {}).get("release_id"),
            locked=bool((said["lock"] or {}).get("live")),
            leads=said["lease"] is not None,
            damage=said["damage"],
            stable=state["stable"],
            version=serving["version"] if serving else None,
            release=(state["release"] or {}).get("phase"),
            held=frozenset(color["version"] for color in state["colors"].values() if color),
            way_back=any(entry["warm"] and not entry["rolled_back"] for entry in idle),
        )


@dataclass(frozen=True)
class Look:
    """All balancers at one moment, seconds since the epoch; None for one that could not be looked at."""

    at: float
    balancers: Mapping[str, Optional[Balancer]]


@dataclass(frozen=True)
class Command:
    """One of the next commands; ``status`` None: it had to be ended. ``said`` is its error message."""

    name: str
    status: Optional[int]
    said: str


@dataclass
class Run:
    """One case as it went.

    ``urls`` are the addresses of its service on the balancers, ``hit`` the one of these that the fault was done to.
    ``since`` is when the traffic should have begun to be safe: the kill, or the end of a release that lived on.
    ``fault_looks`` are those while the fault lasted, ``looks`` those after it, up to the next command. ``served`` is
    the version that answered through each balancer at the end.
    """

    case: Case
    began: float
    ended: float = 0.0
    since: float = 0.0
    healed: float = 0.0
    urls: Collection[str] = ()
    hit: Optional[str] = None
    fault_looks: list[Look] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    last: Optional[Look] = None
    served: Mapping[str, str] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    version: str = ""
    broken: list[str] = field(default_factory=list)


def unsafe(look: Look) -> Optional[str]:
    """Why the traffic is not safe: not the same on all balancers, or not what each has on its disk and in its journal.

    The next command brings all traffic to what the journal calls stable, so that has to have it already.
    """
    first: Optional[tuple[str, Balancer]] = None
    for name, seen in look.balancers.items():
        if seen is None:
            return f"{name} could not be looked at"
        if seen.runtime is None:
            return f"HAProxy on {name} does not answer"
        if dict(seen.runtime) != dict(seen.disk):
            return f"{name} works with {_weights(seen.runtime)}, committed is {_weights(seen.disk)}"
        if seen.leads:
            return f"{name} still holds a lease"
        if first and dict(first[1].disk) != dict(seen.disk):
            return f"{name} has committed {_weights(seen.disk)}, {first[0]} {_weights(first[1].disk)}"
        if seen.stable and not seen.release and seen.shares.get(seen.stable) != 100.0:
            return f"{name} calls {seen.stable} stable and has committed {_weights(seen.disk)}"
        first = first or (name, seen)
    return None


def safe_after(looks: Sequence[Look], since: float) -> Optional[float]:
    """Seconds from ``since`` to the first look from which on all were safe; None where the last was not."""
    found: Optional[float] = None
    for look in looks:
        if unsafe(look):
            found = None
        elif found is None:
            found = max(0.0, look.at - since)
    return found


def seconds_to_safe(run: Run) -> Optional[float]:
    """The worse of both: while the fault lasted, by the balancers that were left, and after it by all."""
    times = [safe_after(run.looks, run.healed or run.since)]
    if run.fault_looks:
        times.append(safe_after(run.fault_looks, run.since))
    known = [seconds for seconds in times if seconds is not None]
    return max(known) if len(known) == len(times) else None


def lost(run: Run, requests: Iterable[Request]) -> list[Request]:
    """Requests without a good answer that the fault must not have cost."""
    return [
        request
        for request in requests
        if request.failed
        and request.balancer in run.urls
        and run.began <= request.at < run.ended
        and (run.case.fault.spares or request.balancer != run.hit)
    ]


def broken_promises(run: Run, lease: float, requests: Iterable[Request]) -> list[str]:
    """One sentence for each promise that was not kept; ``lease`` in seconds."""
    found = list(run.broken)
    seconds = seconds_to_safe(run)
    if seconds is None:
        last = next((looks[-1] for looks in (run.looks, run.fault_looks) if looks and unsafe(looks[-1])), None)
        found.append(f"the traffic was never safe: {unsafe(last) if last else 'nobody looked'}")
    elif seconds > lease + GRACE:
        found.append(f"safe only after {seconds:.1f} s, not within the lease of {lease:g} s and {GRACE:g} s")
    failures = lost(run, requests)
    if failures:
        said = sorted({f"{request.balancer}: {request.error or request.status}" for request in failures})
        found.append(f"{len(failures)} requests lost ({'; '.join(said[:3])})")
    for command in run.commands:
        if command.status != 0:
            how = "did not end" if command.status is None else f"ended with {command.status}"
            found.append(f"the next command, {command.name}, {how}: {command.said}")
    return found + after_the_next(run)


def after_the_next(run: Run) -> list[str]:
    """What is wrong when the last command has ended."""
    if run.last is None:
        return ["nobody looked after the last command"]
    problem = unsafe(run.last)
    found = [problem] if problem else []
    for name, seen in run.last.balancers.items():
        if seen is None:
            continue
        found += [f"journal of {name}: {sentence}" for sentence in seen.damage]
        if seen.locked:
            found.append(f"{name} is still locked by {seen.holder}")
        if seen.release:
            found.append(f"{name} knows of a release that is {seen.release}")
        if not seen.stable:
            found.append(f"{name} calls no color stable")
        if run.case.then[-1] != "rollback" and seen.version != run.version:
            found.append(f"{name} serves {seen.version}, not {run.version}")
        if run.served.get(name) != seen.version:
            found.append(f"{name} calls {seen.version} stable, but {run.served.get(name) or 'nothing'} answers")
    return [f"after {run.case.then[-1]}: {sentence}" for sentence in found]


def _weights(weights: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {weight}" for name, weight in sorted(weights.items()))
