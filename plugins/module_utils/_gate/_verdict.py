# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From evidence to a verdict: what wins over what, and what the cause is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Optional

from ._policy import Forced
from ._sentence import held_at_timeout, once_more
from ._settings import Settings
from ._thresholds import ThresholdState

# What a person may wave through with ``on_timeout: promote``. No data, no source, one bad machine never pass.
MAY_PASS = ("undecided", "too_few_requests", "dwell")


@dataclass(frozen=True)
class Signals:
    """Everything that a verdict rests on, at one tick. Texts are reasons; None means that there is none."""

    split_lost: Optional[str] = None
    down: Optional[str] = None
    thresholds: ThresholdState = field(default_factory=ThresholdState)
    forced: Optional[Forced] = None
    """What a policy demands for data that have been missing for some ticks."""
    rollback_counts: bool = False
    """The evidence for a rollback has reached 1/alpha, and what may count of it does."""
    rollback_cause: str = "errors"
    one_host: Optional[str] = None
    """The candidate server without which that evidence falls apart."""
    e_rollback: float = 0.0
    source_down: Optional[str] = None
    no_data: Optional[str] = None
    warmup: Optional[str] = None
    """Containers that are too young to be counted."""
    server_down: Optional[str] = None
    useless: bool = False
    """Every candidate request of this tick failed; the stable ones too, or it would be down."""
    measuring: Optional[int] = None
    """How many responses of the stable color are still missing to know how quick it is."""
    needed: int = 0
    """About how many candidate requests are still missing."""
    e_promote: Optional[float] = None
    """The least of the required ones; None where none is required."""
    proven: float = 20.0
    """1/beta."""
    promote_below: float = 10.0
    lasted: bool = False
    """The stage has lasted its dwell."""


def decide(signals: Signals) -> tuple[str, str]:
    """Verdict and cause. Any reason to roll back wins; every reason to promote is required."""
    return _rollback(signals) or _hold(signals) or ("promote", "passed")


def _rollback(signals: Signals) -> Optional[tuple[str, str]]:
    if signals.split_lost:
        return "rollback", "split_lost"
    if signals.down:
        return "rollback", "candidate_down"
    if signals.thresholds.violated:
        return "rollback", "threshold"
    if signals.rollback_counts and not signals.one_host:
        return "rollback", signals.rollback_cause
    if signals.forced and signals.forced.action == "rollback":
        return "rollback", signals.forced.trouble.cause
    return None


def _hold(signals: Signals) -> Optional[tuple[str, str]]:
    unproven = signals.e_promote is not None and signals.e_promote < signals.proven
    if signals.forced:
        return "hold", signals.forced.trouble.cause
    held = (
        ("source_down", signals.source_down or signals.thresholds.source_down),
        ("no_data", signals.no_data or signals.thresholds.no_data),
        ("warmup", signals.warmup),
        ("one_host", signals.one_host),
        ("server_down", signals.server_down),
        ("undecided", signals.thresholds.failing or signals.useless),
        ("undecided", signals.e_rollback >= signals.promote_below),
        ("too_few_requests", signals.measuring is not None),
        ("too_few_requests", unproven and signals.needed > 0),
        ("undecided", unproven or signals.thresholds.waiting),
        ("dwell", not signals.lasted),
    )
    for cause, applies in held:
        if applies:
            return "hold", cause
    return None


def look_again(result: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The result of a gate whose caller can go back to a stage in which both colors serve, and look there again.

    A rollback gets the ``outcome`` ``second_look`` where nothing speaks for it but what the stable color did at another
    time. Anything else stays as it is: a candidate that is down or has failed every request of the stage, a split that
    is lost, a limit that the page sets.
    """
    evidence = result["evidence"]
    causes = ("errors", "latency") if settings.max_error_ratio is None else ("latency",)
    if result["verdict"] != "rollback" or result["cause"] not in causes or evidence["concurrent"]:
        return result
    count = evidence["stage"]["candidate"]
    if count["errors"] == count["requests"]:
        return result
    return {**result, "outcome": "second_look", "message": once_more(result)}


def ended_by(signals: Signals, verdict: str) -> dict[str, str]:
    """``{"outcome": "pause"}`` where a policy ends the gate although its verdict is to hold, else nothing."""
    return {"outcome": "pause"} if verdict == "hold" and signals.forced else {}


def weakest_host(without: Mapping[str, float], enough: float) -> Optional[str]:
    """The server that the evidence hangs on, or None: it is ``enough`` without any of them, or there is only one.

    ``without`` is the evidence with each candidate server left out in turn.
    """
    if len(without) < 2:
        return None
    weakest = min(sorted(without), key=lambda server: without[server])
    return weakest if without[weakest] < enough else None


def least(values: list[Optional[float]]) -> Optional[float]:
    """The least of the values that are there."""
    there = [value for value in values if value is not None]
    return min(there, default=inf) if there else None


def at_timeout(result: dict[str, Any], on_timeout: str) -> dict[str, Any]:
    """The result of a gate that is still held when its time is over, by the stage's policy, with its ``outcome``.

    ``promote`` passes only what is undecided; a gate without data, with its source down or with one bad machine
    pauses instead.
    """
    cause = result["cause"]
    policy = "pause" if on_timeout == "promote" and cause not in MAY_PASS else on_timeout
    ended = {**result, "held_for": cause, "message": held_at_timeout(result, policy, on_timeout)}
    if policy == "pause":
        return {**ended, "outcome": "pause"}
    return {**ended, "verdict": policy, "cause": "timeout", "outcome": policy}
