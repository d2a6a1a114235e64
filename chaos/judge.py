# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which promises a run kept, from what was seen of balancers, requests and commands. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from chaos.points import Case
from demo.traffic import Request

# Beyond the lease: the timer's own slack, and a systemd that tries again.
GRACE = 5.0
# Seconds that a client waits for an answer.
PATIENCE = 10.0
# Of the requests that belong into a run, those that a slow machine sends at least.
LOADED = 1 / 3

Answers = Callable[[str, float, float], Mapping[str, int]]
"""To an address, from one second to another: how many requests each version answered; "" where none did."""


@dataclass(frozen=True)
class Balancer:
    """One balancer at one moment: weights by server on disk and at work (None: HAProxy did not answer).

    ``holder`` is the release whose lock is there, alive (``locked``) or run out; ``release`` the phase of the one that
    the journal calls in progress; ``version`` what the stable color runs, ``held`` what either does; ``back`` is the
    version that a rollback from the stable color has to go to, None without one. ``story`` is what the journals of two
    balancers have in common that have missed nothing.
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
    back: Optional[str] = None
    story: Sequence[Any] = ()

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
            back=next((entry["version"] for entry in idle if entry["warm"] and not entry["rolled_back"]), None),
            story=[state.get(key) for key in ("stable", "colors", "shares", "operations")],
        )


@dataclass(frozen=True)
class Look:
    """All balancers at one moment, seconds since the epoch; None for one that could not be looked at."""

    at: float
    balancers: Mapping[str, Optional[Balancer]]


@dataclass(frozen=True)
class Command:
    """One of the next commands; ``status`` None: it had to be ended. ``said`` is its error message.

    ``look`` and ``served`` are as at the end of a run, where another command follows.
    """

    name: str
    status: Optional[int]
    said: str
    look: Optional[Look] = None
    served: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """One case as it went.

    ``urls`` are the addresses through which nothing may be lost, ``hit`` those of the balancer that the fault was done
    to, ``own`` by balancer that of the service. ``struck`` is just before the fault, ``gone`` when it was done.
    ``since`` is when the traffic should have begun to be safe: the kill, or the end of a release that lived on.
    ``lone_looks`` are those at a balancer that runs on where nobody reaches it, ``fault_looks`` those while the fault
    lasted, ``looks`` those after it, up to the next command, which was given at ``commanded``. ``served`` is the
    version that answered through each balancer at the end. ``statuses`` are those of the releases that lived through
    the fault. ``missed``: what the release was at instead of the moment; then nothing was done to it.
    """

    case: Case
    began: float
    ended: float = 0.0
    struck: float = 0.0
    gone: float = 0.0
    since: float = 0.0
    healed: float = 0.0
    commanded: float = 0.0
    urls: Collection[str] = ()
    hit: Collection[str] = ()
    own: Mapping[str, str] = field(default_factory=dict)
    statuses: list[Optional[int]] = field(default_factory=list)
    missed: str = ""
    lone_looks: list[Look] = field(default_factory=list)
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
        # A release commits all of the traffic or, at a pause, what it pauses at.
        if seen.release != "paused" and any(share not in (0.0, 100.0) for share in seen.shares.values()):
            return f"{name} has committed {_weights(seen.disk)}, a split that nobody decided on"
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
    """The worst: while the fault lasted, by the balancers that were left and by one on its own, and after it by all."""
    times = [safe_after(run.looks, run.healed or run.since)]
    if run.fault_looks:
        times.append(safe_after(run.fault_looks, run.since))
    if run.lone_looks:
        times.append(safe_after(run.lone_looks, run.gone))
    known = [seconds for seconds in times if seconds is not None]
    return max(known) if len(known) == len(times) else None


def lost(run: Run, requests: Iterable[Request]) -> list[Request]:
    """Requests without a good answer that the fault must not have cost."""
    return [
        request
        for request in requests
        if request.failed
        and request.balancer in run.urls
        and any(since <= request.at < until for since, until in demanded(run, request.balancer))
    ]


def demanded(run: Run, url: str) -> list[tuple[float, float]]:
    """The times of a run in which each request to ``url`` must be answered: all but where the fault kills what does."""
    if run.case.fault.spares or url not in run.hit:
        return [(run.began, run.ended)]
    return [(run.began, max(run.began, run.struck - PATIENCE)), (run.healed or run.ended, run.ended)]


def unloaded(run: Run, rate: float, answers: Answers) -> list[str]:
    """Where too few requests were sent to say that none was lost; ``rate`` is in requests a second and address."""
    if run.missed:
        return []
    found = []
    for url in sorted(run.urls):
        parts = demanded(run, url)
        sent = sum(sum(answers(url, since, until).values()) for since, until in parts)
        due = rate * sum(until - since for since, until in parts)
        if sent < LOADED * due:
            found.append(f"{sent} requests to {url} instead of about {due:.0f}, so nobody knows what was lost")
    return found


def strangers(run: Run, answers: Answers) -> list[str]:
    """Versions that answered between the look from which on all were safe and the next command, and had no traffic."""
    since = run.healed or run.since
    seconds = safe_after(run.looks, since)
    if seconds is None:
        return []
    # Requests are counted by whole seconds.
    start, end = math.ceil(since + seconds), math.floor(run.commanded)
    found = []
    for name, url in run.own.items():
        seen = run.looks[-1].balancers.get(name)
        if seen is None or not seen.stable:
            continue
        # A release that was killed as it committed has left that, and the next command knows of it.
        version = seen.version if seen.shares.get(seen.stable) == 100.0 else run.version
        others = sorted(set(answers(url, start, end)) - {"", version})
        if others:
            found.append(f"{name} had all its traffic on {version}, yet {', '.join(others)} answered")
    return found


def broken_promises(run: Run, lease: float, requests: Iterable[Request]) -> list[str]:
    """One sentence for each promise that was not kept; ``lease`` in seconds."""
    if run.missed:
        return [f"tried twice, and neither time at the moment: {run.missed}"]
    found = [*run.broken, *own_result(run)]
    seconds = seconds_to_safe(run)
    if seconds is None:
        seen = (run.looks, run.fault_looks, run.lone_looks)
        last = next((looks[-1] for looks in seen if looks and unsafe(looks[-1])), None)
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
    return found + astray(run) + after_the_next(run)


def own_result(run: Run) -> list[str]:
    """What is wrong with how a release ended that lived through the fault; of two either may have gone through."""
    if not run.looks or not run.statuses or None in run.statuses:
        return []
    seen = run.looks[-1].balancers
    without = [name for name, balancer in seen.items() if balancer is None or balancer.version != run.version]
    if 0 in run.statuses:
        return [f"the release ended well, but {name} does not call {run.version} stable" for name in without]
    return [] if without else [f"the release failed, but all balancers call {run.version} stable"]


def way_back(run: Run) -> Optional[str]:
    """The version that a rollback has to bring back, by the last look before it; None where that is not certain."""
    found = list(run.looks[-1].balancers.values()) if run.looks else []
    seen = [balancer for balancer in found if balancer]
    if not seen or len(seen) < len(found) or len({balancer.version for balancer in seen}) > 1:
        return None
    first = seen[0]
    if all(balancer.release for balancer in seen):
        return first.version
    # Where one has missed something, it depends on what that was.
    if any(balancer.release or balancer.story != first.story for balancer in seen):
        return None
    # One that was cut off without a promotion is what is taken back, and nothing before it.
    cut_off = first.version != run.version and any(balancer.holder for balancer in seen)
    return first.version if cut_off else first.back


def astray(run: Run) -> list[str]:
    """Where the first of the next commands, a rollback, has gone instead of where it had to."""
    wanted = way_back(run) if run.case.then[0] == "rollback" else None
    if wanted is None or not run.commands or run.commands[0].status != 0:
        return []
    first = run.commands[0]
    look, served = (first.look, first.served) if len(run.case.then) > 1 else (run.last, run.served)
    found = []
    for name, seen in (look.balancers if look else {}).items():
        if seen is None:
            continue
        answers = served.get(name) or "nothing"
        # What has no room to write down that it went back is asked by its traffic only.
        writes = run.case.fault.action != "disk_fill" or run.own.get(name) not in run.hit
        if answers != wanted or (writes and seen.version != wanted):
            calls = f"{name} calls {seen.version} stable and {answers} answers"
            found.append(f"the rollback had to go to {wanted}, but {calls}")
    return found


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
