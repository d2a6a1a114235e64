# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate is told: the judge's numbers and the thresholds, checked before anything runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Optional, Union
from urllib.parse import urlsplit

from .._errors import InputError
from ._evidence import QUANTILES

ON_TIMEOUT = ("pause", "rollback", "promote")
SOURCES = ("prometheus",)

Number = Union[int, float]


@dataclass(frozen=True)
class Settings:
    """The judge's numbers; rates and margins are fractions (0.002 is 0.2 percentage points), times are seconds."""

    errors: bool = True
    """Whether error rates are compared (E1, E3)."""
    latency: tuple[str, ...] = ()
    """Quantiles of which latencies are compared (E2): some of p50, p90, p99; empty for none."""
    alpha: float = 0.01
    """Chance of rolling back a candidate that is not worse, over a whole release."""
    beta: float = 0.05
    """Chance of promoting one that is worse than ``r1`` and ``d1`` allow, a stage."""
    r0: float = 1.5
    """Roll back only on evidence that the candidate fails more than this many times as often."""
    r1: float = 2.0
    """Promote on evidence that it fails less than ``r1`` times as often plus ``d1``."""
    d1: float = 0.002
    cap: float = 4.0
    """Most that one tick may multiply the evidence for a rollback by."""
    tick: float = 5.0
    dwell: float = 60.0
    """Least time of a stage before it is promoted."""
    timeout: float = 900.0
    """Time at which ``on_timeout`` (pause, rollback, promote) ends a stage that is still held."""
    on_timeout: str = "pause"
    warmup: float = 30.0
    """A server is not counted until its container has run this long."""
    min_errors: int = 5
    """E1 counts only with at least this many candidate errors ..."""
    min_excess: float = 0.0005
    """... and with this much more of its requests failing than of the stable color's."""
    host_check: float = 20.0
    """Evidence for a rollback that must remain whichever candidate server is left out."""
    promote_below: float = 10.0
    """No promotion while the evidence for a rollback is this high."""
    min_healthy: float = 1.0
    """Fraction of the candidate's servers that must be up to promote."""
    max_error_ratio: Optional[float] = None
    """Highest error rate of the candidate where there is nothing to compare with."""

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            _check(0.0 < getattr(self, name) < 1.0, name, getattr(self, name), "a probability between 0 and 1")
        _check(self.r0 >= 1.0, "max_ratio", self.r0, "1 or more (1.5 means: up to half more errors are accepted)")
        _check(self.r1 >= 1.0, "promote_ratio", self.r1, "1 or more")
        _check(0.0 < self.d1 < 1.0, "margin", self.d1, "above 0 and below 100 percentage points")
        _check(self.cap > 1.0, "cap", self.cap, "above 1")
        _check(self.tick > 0.0, "tick", self.tick, "above 0 seconds")
        _check(self.dwell >= 0.0, "dwell", self.dwell, "0 seconds or more")
        _check(self.timeout > 0.0, "timeout", self.timeout, "above 0 seconds")
        _check(self.warmup >= 0.0, "warmup", self.warmup, "0 seconds or more")
        _check(0.0 < self.min_healthy <= 1.0, "min_healthy", self.min_healthy, "a fraction above 0 and up to 1")
        if self.timeout < self.dwell:
            raise InputError(
                f"gate: timeout {self.timeout:g} s is shorter than dwell {self.dwell:g} s, so no stage could be "
                "promoted; make timeout the longer one"
            )
        if self.on_timeout not in ON_TIMEOUT:
            raise InputError(f"gate: on_timeout {self.on_timeout!r}: use one of {', '.join(ON_TIMEOUT)}")
        unknown = [quantile for quantile in self.latency if quantile not in QUANTILES]
        if unknown:
            raise InputError(f"gate: latency quantile {unknown[0]!r}: use some of {', '.join(QUANTILES)}")
        if self.max_error_ratio is not None:
            _check(0.0 <= self.max_error_ratio < 1.0, "max_error_ratio", self.max_error_ratio, "at least 0 and below 1")


@dataclass(frozen=True)
class Threshold:
    """A limit on one measured value: above ``max`` or below ``min`` in ``failures`` ticks in a row means rollback."""

    name: str
    max: Optional[float] = None
    min: Optional[float] = None
    failures: int = 2
    source: str = "prometheus"
    url: Optional[str] = None
    query: Optional[str] = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: Optional[str] = field(default=None, repr=False)
    timeout: float = 5.0

    def __post_init__(self) -> None:
        where = f"threshold {self.name!r}"
        if (self.max is None) == (self.min is None):
            raise InputError(f"{where}: give either max or min")
        limit = self.max if self.max is not None else self.min
        if limit is None or not math.isfinite(limit):
            raise InputError(f"{where}: {limit!r} is not a limit; give a number")
        if self.failures < 1:
            raise InputError(f"{where}: failures {self.failures}: at least 1 is needed")
        if self.source not in SOURCES:
            raise InputError(f"{where}: source {self.source!r}: use {' or '.join(SOURCES)}")
        if not self.url or not self.query:
            raise InputError(f"{where}: source {self.source} needs url and query")
        _check_url(self.url, where)
        if self.timeout <= 0:
            raise InputError(f"{where}: timeout {self.timeout:g}: seconds above 0 are needed")

    def violated(self, value: float) -> bool:
        return (self.max is not None and value > self.max) or (self.min is not None and value < self.min)

    @property
    def limit(self) -> str:
        return f"at most {self.max:g}" if self.max is not None else f"at least {self.min:g}"


def _check(passed: bool, name: str, value: Number, wanted: str) -> None:
    # NaN fails every comparison, so it is refused here too.
    if not passed:
        raise InputError(f"gate: {name} {value:g}: must be {wanted}")


def _check_url(url: str, where: str) -> None:
    """The URL itself is not shown: somebody may have written a password into it."""
    if not re.match(r"https?://[^/]", url):
        raise InputError(f"{where}: url must begin with http:// or https:// and name a host")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{where}: url: {error}") from error
    if parts.username is not None or not parts.hostname or port == 0:
        raise InputError(f"{where}: url must be scheme, host, port and path only; credentials go into token or headers")


def fraction(value: object, name: str, *, bare: float = 1.0) -> float:
    """A fraction from ``0.5pp`` or ``0.5%`` (both 0.005), or from a bare number, which is multiplied by ``bare``."""
    if isinstance(value, bool):
        raise InputError(f"gate: {name} {value!r}: give a number or a text like '0.5pp' or '0.5%'")
    if isinstance(value, (int, float)):
        return float(value) * bare
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(pp|%|)\s*", str(value))
    if not match:
        raise InputError(f"gate: {name} {value!r}: give a number or a text like '0.5pp' or '0.5%'")
    return float(match.group(1)) * (0.01 if match.group(2) else bare)


# gate option -> field of Settings
_ERROR_OPTIONS = {
    "max_ratio": "r0",
    "promote_ratio": "r1",
    "alpha": "alpha",
    "beta": "beta",
    "cap": "cap",
    "min_errors": "min_errors",
    "warmup": "warmup",
}


def settings_of(gates: Mapping[str, Any], **stage: Any) -> Settings:
    """Settings from the ``gates`` of a service's page and a stage's ``tick``, ``dwell``, ``timeout``, ``on_timeout``.

    ``margin`` is in percentage points: ``0.5pp``, or 0.5. ``max_error_ratio`` is a fraction (0.01) or ``1%``. Options
    that are None are left at their default. Raises InputError.
    """
    chosen: dict[str, Any] = {name: value for name, value in stage.items() if value is not None}
    errors = gates.get("errors")
    chosen["errors"] = errors is not None
    for option, value in (errors or {}).items():
        if value is None:
            continue
        if option == "margin":
            chosen["d1"] = fraction(value, option, bare=0.01)
        elif option in ("max_error_ratio", "min_excess"):
            chosen[option] = fraction(value, option, bare=1.0 if option == "max_error_ratio" else 0.01)
        elif option in _ERROR_OPTIONS:
            chosen[_ERROR_OPTIONS[option]] = value
        else:
            known = ", ".join(sorted([*_ERROR_OPTIONS, "margin", "max_error_ratio", "min_excess"]))
            raise InputError(f"gate errors: unknown option {option!r}; known are {known}")
    if gates.get("latency") is not None:
        chosen["latency"] = tuple(gates["latency"].get("quantiles") or QUANTILES)
    return Settings(**chosen)


def thresholds_of(entries: Sequence[Mapping[str, Any]]) -> list[Threshold]:
    """Thresholds from their list on the service's page; ``failure_limit`` is another name of ``failures``."""
    known = {entry.name for entry in fields(Threshold)}
    thresholds = []
    for entry in entries:
        given = {name: value for name, value in entry.items() if value is not None}
        if "failure_limit" in given:
            given["failures"] = given.pop("failure_limit")
        unknown = sorted(set(given) - known)
        if unknown:
            raise InputError(
                f"threshold {given.get('name')!r}: unknown option {unknown[0]!r}; known are {', '.join(sorted(known))}"
            )
        if not given.get("name"):
            raise InputError("a threshold has no name; give it one, it is what a person will read")
        thresholds.append(Threshold(**given))
    names = [threshold.name for threshold in thresholds]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two thresholds are called {twice[0]!r}; give each its own name")
    return thresholds
