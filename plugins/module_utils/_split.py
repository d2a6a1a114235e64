# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One guarded step on one balancer: fence, journal, lease, shift, commit, journal. The module adds only its spec.

The order is what a SIGKILL after any line leaves behind: runtime leads the disk only while a timer stands ready to take
it back, and the disk changes in one rename. So the lease is there before the first weight is sent, in a step that
commits too, and it goes only after the disk has the same split.

A step forward (``journal_required``) that fails leaves everything as it was, but for the journal's note of what was
tried. A step back to safety takes the traffic away first of all: neither the journal, nor the lease, nor a disk that
takes no commit keeps it where it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from . import _capacity, _health_gate, _journal, _lease, _lock, _state
from ._errors import BalancerError, InputError, SluiceError, StateError
from ._expected import Check
from ._files import mutex
from ._haproxy import _config, _observed, _reload, _roles, _shift, _stats, _users, _weights
from ._haproxy._socket import RuntimeSocket
from ._paths import ServicePaths
from ._probe import Endpoint
from ._waiter import Healthy, Pace

# One answer is enough of servers that were judged until now; a lost packet is sent again after a second.
_ANSWERS = _health_gate.Limits(Healthy(1, 0.0), Pace(1.0, 0.25, None), timeout=3.0, probe_timeout=3.0)

# Seconds. A reload takes as long as HAProxy takes to read its configuration.
_RELOAD_LIMIT = 15.0
_RELOAD_POLL = 0.1


@dataclass(frozen=True)
class Step:
    """What is wanted. ``shares`` None means what is committed on this balancer's disk; such a step needs no lease.

    ``lease`` is in seconds, more than 0. ``journal_required`` False is a step back to safety. ``capacities`` are those
    of the servers, 1 where not given, and ``max_load`` is the most that they may get (see ``_capacity.overload``).
    """

    release_id: str
    servers: Mapping[str, Sequence[str]]
    shares: Optional[Mapping[str, float]]
    lease: float
    commit: bool
    stage: Optional[int] = None
    reason: str = ""
    events: Sequence[Mapping[str, Any]] = ()
    journal_required: bool = True
    capacities: Mapping[str, float] = field(default_factory=dict)
    max_load: Optional[float] = None

    @property
    def leads(self) -> bool:
        """Whether runtime leads the disk after this step."""
        return not self.commit and self.shares is not None


@dataclass
class Outcome:
    """What was found and done; ``weights*`` by server, ``shares*`` and ``committed_*`` in per cent by color.

    ``committed`` says whether the split is on the disk, ``committed_before`` and ``committed_after`` what is.
    """

    changed: bool
    weights_before: dict[str, int]
    weights: dict[str, int]
    shares_before: dict[str, float]
    shares: dict[str, float]
    commands: list[str]
    committed: bool
    committed_before: dict[str, float]
    committed_after: dict[str, float]
    lease_ended: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Balancer:
    """The edges of this machine that a step acts on.

    ``commit(weights, shares, dry_run)`` makes a split durable and says whether the disk changes; BalancerError or
    OSError where it cannot, with the disk as it was. ``reloading()`` says whether a reload of HAProxy is not over yet.
    """

    paths: ServicePaths
    sock: RuntimeSocket
    socket_path: str
    timer: _lease.Timer
    commit: Callable[[Mapping[str, int], Mapping[str, float], bool], bool]
    reloading: Callable[[], bool] = _reload.in_progress
    now: Callable[[], datetime] = _journal.utc_now


def take_step(step: Step, balancer: Balancer, check_mode: bool = False) -> Outcome:
    """Shift, and commit where asked; FencedError before anything happens when another release is current.

    Errors: BalancerError (refused or differing weights, broken configuration), StateError, InputError, OSError.
    """
    paths = balancer.paths
    if step.lease <= 0:
        raise InputError(f"service {paths.service}: lease: must be more than 0 seconds")
    if check_mode:
        outcome, wanted = _observe(step, balancer)
        if step.commit:
            outcome.changed |= balancer.commit(outcome.weights, wanted, True)
        return outcome
    with mutex(paths.mutex):
        _lock.require(paths, step.release_id)
        outcome, wanted = _observe(step, balancer)
        taking = _Taking(step, balancer, outcome, wanted)
        taking.take()
        taking.follow()
        return outcome


def _observe(step: Step, balancer: Balancer) -> tuple[Outcome, dict[str, float]]:
    """What the step would do, as an outcome, and the shares that are wanted; nothing is changed."""
    service = balancer.paths.service
    try:
        text = _read_config(balancer.paths)
        committed = _config.committed_shares(text)
    except (BalancerError, StateError):
        # What the disk does not say keeps no traffic where it is.
        if step.journal_required or step.shares is None:
            raise
        text, committed = "", {}
    if step.shares is None:
        wanted = committed
        target = _config.committed_weights(text, service)
        _require_servers(service, step.servers, target)
    else:
        wanted = dict(step.shares)
        way = _config.split_by(text, service) if text else _users.way(balancer.sock, service)
        target = _weights.weights_by(way, step.servers, wanted, step.capacities)
    plan = _shift.shift(balancer.sock, service, target, check_mode=True)
    outcome = Outcome(
        changed=plan.changed or bool(step.events),
        weights_before=plan.before,
        weights=target,
        shares_before=_weights.shares_of(plan.before, step.servers),
        shares=_weights.shares_of(target, step.servers),
        commands=plan.commands,
        committed=not step.leads,
        committed_before=committed,
        committed_after=wanted if step.commit else committed,
    )
    if step.journal_required:
        _require_capacity(step, balancer, outcome)
    return outcome, wanted


def _require_capacity(step: Step, balancer: Balancer, outcome: Outcome) -> None:
    """Refuse to give a color more than its servers that are up now can carry."""
    gains = [color for color in step.servers if outcome.shares[color] > outcome.shares_before[color]]
    if step.max_load is None or not gains or not any(outcome.shares_before.values()):
        return
    (color,) = gains
    (other,) = set(step.servers) - {color}
    service = balancer.paths.service
    stats = _stats.server_stats(balancer.sock, service)
    servers = {
        name: {"color": of, "up": stats[name].up, "capacity": step.capacities.get(name, 1)}
        for of, names in step.servers.items()
        for name in names
    }
    problem = _capacity.overload(servers, color, other, outcome.shares[color], step.max_load)
    if problem:
        raise StateError(f"service {service}: {problem}. Nothing was changed")


class _Taking:
    """One step while it is taken, under the mutex and behind the fence."""

    def __init__(self, step: Step, balancer: Balancer, outcome: Outcome, wanted: Mapping[str, float]) -> None:
        self.step = step
        self.balancer = balancer
        self.paths = balancer.paths
        self.outcome = outcome
        self.wanted = wanted
        self.forward = step.journal_required
        self.shifts = bool(outcome.commands)
        self.leading = _lease.current(self.paths) is not None
        self.armed = False
        self.unwritten: list[_state.Event] = []

    def take(self) -> None:
        step, outcome = self.step, self.outcome
        color = self._rolling_color() if step.commit and self.forward else None
        if color and self.shifts:
            raise self._not_judged()
        # Refused by HAProxy: better known before the traffic moves. A way back does not wait for that.
        commits = step.commit and self.forward and self._commit(dry_run=True)
        if color:
            self._require_answering(color)
        if self.shifts or commits:
            self._record(
                "shift" if self.shifts else "committing",
                {"shares": self.wanted, "before": outcome.shares_before, "stage": step.stage, "reason": step.reason},
                "nothing was shifted",
            )
        # A commit has a moment too in which runtime leads.
        if step.leads or (step.commit and self.shifts and not self.leading):
            self._arm()
        self._shift()
        changes = step.commit and self._make_durable()
        outcome.changed |= changes
        if changes:
            self._shift_again()
        if not step.leads:
            outcome.lease_ended = _lease.drop(self.paths, self.balancer.timer)
        done = "the split is set" + (" and committed" if step.commit else "")
        if changes or (step.commit and self._journal_differs()):
            self._record("committed", {"shares": self.wanted, "reason": step.reason}, done)
        for event in step.events:
            self._record(event["event"], event.get("data") or {}, done)

    def follow(self) -> None:
        """Let pins and previews go where the traffic went, also where the journal could not be told."""
        try:
            _roles.follow(self.paths, self.balancer.sock, self.unwritten)
        except (SluiceError, OSError) as error:
            self._warn(f"pins and previews of {self.paths.service} were not changed: {error}")

    def _rolling_color(self) -> Optional[str]:
        """The candidate's color, where this is a step of a release in its stages."""
        release = _state.derive(_journal.read(self.paths.journal).events)["release"]
        if release and release["release_id"] == self.step.release_id and release["phase"] == "rolling":
            return str(release["color"])
        return None

    def _not_judged(self) -> StateError:
        """Somebody else has moved the traffic since the stage, so the gate did not see what would be made durable."""
        return StateError(
            f"service {self.paths.service}: HAProxy works with {_said(self.outcome.shares_before)}, not with the "
            f"{_said(self.outcome.shares)} that were judged: the lease ran out, or HAProxy was reloaded. Nothing "
            "was committed"
        )

    def _require_answering(self, color: str) -> None:
        """Refuse to make durable what leads to servers that are gone, which HAProxy's checks take seconds to find out.

        Asked are those of the candidate that HAProxy calls up, also where its share was committed before.
        """
        service = self.paths.service
        names = sorted(name for name in self.step.servers[color] if self.outcome.weights[name])
        if not names:
            return
        stats = _stats.server_stats(self.balancer.sock, service)
        states = _stats.server_states(self.balancer.sock, service)
        asked = [Endpoint(name, states[name].address, states[name].port) for name in names if stats[name].up]
        if not asked:
            raise StateError(f"service {service}: HAProxy calls none of {', '.join(names)} up; nothing was committed")
        try:
            _health_gate.gate(asked, Check(tcp=True), _ANSWERS)
        except _health_gate.UnhealthyError as error:
            raise StateError(
                f"service {service}: {color} is no longer what was judged, nothing was committed: {error}"
            ) from error

    def _commit(self, dry_run: bool) -> bool:
        return self.balancer.commit(self.outcome.weights, self.wanted, dry_run)

    def _arm(self) -> None:
        step, balancer = self.step, self.balancer
        try:
            _lease.arm(self.paths, step.release_id, step.lease, balancer.timer, balancer.socket_path)
        except (SluiceError, OSError) as error:
            if self.forward:
                raise
            self._warn(str(error))
            return
        self.armed = True

    def _shift_again(self) -> None:
        """Where somebody's reload began before the commit, the new process may have read the file from before it."""
        limit = time.monotonic() + _RELOAD_LIMIT
        while self.balancer.reloading() and time.monotonic() < limit:
            time.sleep(_RELOAD_POLL)
        try:
            if _shift.shift(self.balancer.sock, self.paths.service, self.outcome.weights, check_mode=True).commands:
                self._shift()
        except BalancerError as error:
            self._warn(f"whether HAProxy works with what was committed is not known: {error}")

    def _shift(self) -> None:
        try:
            _shift.shift(self.balancer.sock, self.paths.service, self.outcome.weights)
        except BalancerError as error:
            if error.details.get("restored", True):
                self._disarm()
            raise
        if self.shifts:
            # For those who look later; no reason to undo what is done.
            with suppress(SluiceError, OSError):
                _observed.remember(self.paths.counters, self.balancer.sock, self.paths.service)

    def _disarm(self) -> None:
        """End the lease of a step that came to nothing; the one of the stage before stays."""
        if self.armed and not self.leading:
            _lease.drop(self.paths, self.balancer.timer)

    def _make_durable(self) -> bool:
        try:
            return self._commit(dry_run=False)
        except (SluiceError, OSError) as error:
            service = self.paths.service
            details = error.details if isinstance(error, SluiceError) else {}
            if self.forward:
                raise BalancerError(f"service {service}: {error} {self._put_back()}".rstrip(), **details) from error
            # Falling back to what is committed would send the traffic to where it was just taken away from.
            _lease.drop(self.paths, self.balancer.timer)
            self._record("commit_failed", {"shares": self.wanted, "problem": str(error)}, "")
            # What has happened has, and the next command begins there: only the commit is owed.
            for event in self.step.events:
                self._record(event["event"], event.get("data") or {}, "")
            self.follow()
            raise BalancerError(
                f"service {service}: the traffic was taken away, but a reload of HAProxy would bring it back, because "
                f"the disk {_has(self.outcome.committed_before)}. Mend this and do it again: {error}",
                **details,
            ) from error

    def _put_back(self) -> str:
        if not self.shifts:
            return ""
        try:
            _shift.shift(self.balancer.sock, self.paths.service, self.outcome.weights_before)
        except BalancerError as error:
            return f"The weights from before could not be set ({error}); the balancer falls back by itself."
        self._disarm()
        return "The weights from before are set again."

    def _journal_differs(self) -> bool:
        """Whether the journal does not know of a commit, because the step that made it was killed."""
        try:
            events = _journal.read(self.paths.journal).events
        except OSError:
            return True
        return bool(_state.derive(events)["shares"] != self.wanted)

    def _record(self, event: str, data: Mapping[str, Any], done: str) -> None:
        try:
            _journal.append(self.paths.journal, event, self.step.release_id, dict(data), self.balancer.now)
        except OSError as error:
            problem = f"{self.paths.journal} cannot be written: {error.strerror or error}"
            if self.forward:
                raise StateError(f"service {self.paths.service}: {problem}; {done}") from error
            self._warn(problem)
            self.unwritten.append(self._event(event, data))

    def _event(self, event: str, data: Mapping[str, Any]) -> _state.Event:
        at = _journal.timestamp(self.balancer.now())
        return {"event": event, "release_id": self.step.release_id, "at": at, "data": dict(data)}

    def _warn(self, problem: str) -> None:
        if problem not in self.outcome.warnings:
            self.outcome.warnings.append(problem)


def _has(shares: Mapping[str, float]) -> str:
    return f"still has {_said(shares)}" if shares else "does not say what is committed"


def _said(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{color} {share:.4g} %" for color, share in shares.items())


def _require_servers(service: str, declared: Mapping[str, Sequence[str]], committed: Mapping[str, int]) -> None:
    known = {name for names in declared.values() for name in names}
    missing, unexpected = sorted(known - set(committed)), sorted(set(committed) - known)
    if missing or unexpected:
        raise BalancerError(
            f"The servers of service {service} on disk are not those of the inventory: missing {missing or 'none'}, "
            f"unexpected {unexpected or 'none'}. Run sluice.bluegreen.site; nothing was changed.",
            missing=missing,
            unexpected=unexpected,
        )


def _read_config(paths: ServicePaths) -> str:
    text = _config.read_service_file(str(paths.config))
    if text is None:
        raise StateError(
            f"{paths.config} is not on this balancer, so service {paths.service} is not configured here; "
            "run sluice.bluegreen.site"
        )
    return text
