# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One guarded step on one balancer: fence, journal, lease, shift, commit, journal. The module adds only its spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from . import _journal, _lease, _lock
from ._errors import InputError, StateError
from ._files import mutex
from ._haproxy import _config, _shift, _weights
from ._haproxy._socket import RuntimeSocket
from ._paths import ServicePaths


@dataclass(frozen=True)
class Step:
    """What is wanted. ``shares`` None means what is committed on this balancer's disk.

    ``lease`` is in seconds. ``journal_required`` False lets a step back to safety go on with a full disk.
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


@dataclass
class Outcome:
    """What was found and done; ``weights_*`` by server, ``shares_*`` in per cent by color."""

    changed: bool
    weights_before: dict[str, int]
    weights: dict[str, int]
    shares_before: dict[str, float]
    shares: dict[str, float]
    commands: list[str]
    committed: bool
    lease_ended: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Balancer:
    """The edges of this machine that a step acts on."""

    paths: ServicePaths
    sock: RuntimeSocket
    socket_path: str
    timer: _lease.Timer
    commit: Callable[[Mapping[str, int], Mapping[str, float], bool], bool]
    now: Callable[[], datetime] = _journal.utc_now


def take_step(step: Step, balancer: Balancer, check_mode: bool = False) -> Outcome:
    """Shift, and commit where asked; FencedError before anything happens when another release is current.

    Errors: BalancerError (refused or differing weights, broken configuration), StateError, InputError, OSError.
    """
    paths = balancer.paths
    if not step.commit and step.lease <= 0:
        raise InputError(f"service {paths.service}: a split that is not committed needs a lease of more than 0 seconds")
    if check_mode:
        return _take(step, balancer, check_mode=True)
    with mutex(paths.mutex):
        _lock.require(paths, step.release_id)
        return _take(step, balancer, check_mode=False)


def _take(step: Step, balancer: Balancer, check_mode: bool) -> Outcome:
    paths = balancer.paths
    text = _read_config(paths)
    if step.shares is None:
        shares = _config.committed_shares(text)
        target = _config.committed_weights(text, paths.service)
    else:
        shares = dict(step.shares)
        target = _weights.split_weights(step.servers, shares)
    plan = _shift.shift(balancer.sock, paths.service, target, check_mode=True)
    outcome = Outcome(
        changed=plan.changed,
        weights_before=plan.before,
        weights=target,
        shares_before=_weights.shares_of(plan.before, step.servers),
        shares=_weights.shares_of(target, step.servers),
        commands=plan.commands,
        committed=step.commit,
    )
    if check_mode:
        if step.commit:
            outcome.changed = balancer.commit(target, shares, True) or outcome.changed
        return outcome

    def record(event: str, data: Mapping[str, Any]) -> None:
        try:
            _journal.append(paths.journal, event, step.release_id, dict(data), balancer.now)
        except OSError as error:
            if step.journal_required:
                raise StateError(f"{paths.journal} cannot be written ({error}), so the step was not taken") from error
            outcome.warnings.append(f"{paths.journal} cannot be written: {error}")

    if plan.changed:
        described = {"shares": shares, "before": outcome.shares_before, "stage": step.stage, "reason": step.reason}
        record("shift", described)
    if not step.commit:
        _lease.arm(paths, step.release_id, step.lease, balancer.timer, balancer.socket_path)
    _shift.shift(balancer.sock, paths.service, target)
    if step.commit:
        if balancer.commit(target, shares, False):
            outcome.changed = True
            record("committed", {"shares": shares, "reason": step.reason})
        outcome.lease_ended = _lease.drop(paths, balancer.timer)
    for event in step.events:
        record(event["event"], event.get("data") or {})
    return outcome


def _read_config(paths: ServicePaths) -> str:
    try:
        return paths.config.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StateError(
            f"{paths.config} is not on this balancer, so service {paths.service} is not configured here; "
            "run sluice.bluegreen.site"
        ) from None
