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
from ._policy import ACTIONS, CAUSES

ON_TIMEOUT = ("pause", "rollback", "promote")
SOURCES = ("prometheus", "json", "command")
JUDGE_SOURCES = ("haproxy", "prometheus")
# Stands for the color that is asked about, in whatever a source is asked.
COLOR = "$color"

Number = Union[int, float]


@dataclass(frozen=True)
class Settings:
    """The judge's numbers; rates and margins are fractions (0.002 is 0.2 percentage points), times are seconds."""

    errors: bool = True
    """Whether error rates are compared (E1, E3)."""
    latency: tuple[str, ...] = ()
    """Quantiles of which latencies are compared (E2): some of p50, p90, p99; empty for none."""
    slowdown: float = 1.1
    """Roll back only on evidence that more responses are slower than this many times the stable quantile."""
    promote_slowdown: float = 1.46
    """Promote on evidence that fewer are slower than this many times."""
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
    elsewhere: tuple[str, ...] = ()
    """Gates (errors, latency) whose data do not come from the balancers."""

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            _check(0.0 < getattr(self, name) < 1.0, name, getattr(self, name), "a probability between 0 and 1")
        _check(self.r0 >= 1.0, "max_ratio", self.r0, "1 or more (1.5 means: up to half more errors are accepted)")
        _check(self.r1 >= 1.0, "promote_ratio", self.r1, "1 or more")
        _check(0.0 < self.d1 < 1.0, "margin", self.d1, "above 0 and below 100 percentage points")
        _check(self.slowdown >= 1.0, "max_slowdown", 100.0 * (self.slowdown - 1.0), "0 % or more")
        _check(
            self.promote_slowdown > self.slowdown,
            "promote_slowdown",
            100.0 * (self.promote_slowdown - 1.0),
            f"more than max_slowdown, {100.0 * (self.slowdown - 1.0):g} %",
        )
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
    """A limit on one measured value: above ``max``, below ``min``, or above ``max_ratio`` times the stable color's.

    ``failures`` measurements in a row beyond it, or ``total_failures`` in all, mean rollback. It is measured every
    ``interval`` seconds (every tick where None) from ``delay`` seconds after the stage began, and where ``count`` is
    set so many times; a promotion needs them all. A command may do without a limit: its exit status then decides.
    """

    name: str
    max: Optional[float] = None
    min: Optional[float] = None
    max_ratio: Optional[float] = None
    failures: int = 2
    total_failures: Optional[int] = None
    interval: Optional[float] = None
    count: Optional[int] = None
    delay: float = 0.0
    source: str = "prometheus"
    url: Optional[str] = None
    query: Optional[str] = None
    path: Optional[str] = None
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: Optional[str] = field(default=None, repr=False)
    timeout: float = 5.0
    no_data: str = "hold"
    source_down: str = "hold"

    def __post_init__(self) -> None:
        where = f"threshold {self.name!r}"
        self._check_limits(where)
        for name, least in (("failures", 1), ("total_failures", 1), ("count", 1)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise InputError(f"{where}: {name} {number}: at least {least} is needed")
        if self.source not in SOURCES:
            raise InputError(f"{where}: source {self.source!r}: use {' or '.join(SOURCES)}")
        needed = {"prometheus": ("url", "query"), "json": ("url",), "command": ("command",)}[self.source]
        if self.source == "json" and self.limits:
            needed = ("url", "path")
        if not all(getattr(self, name) for name in needed):
            raise InputError(f"{where}: source {self.source} needs {' and '.join(needed)}")
        if self.url:
            _check_url(self.url, where)
        for name in ("timeout", "interval"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise InputError(f"{where}: {name} {seconds:g}: seconds above 0 are needed")
        if not self.delay >= 0:
            raise InputError(f"{where}: delay {self.delay:g}: 0 seconds or more are needed")
        check_policy(self.policy, where)

    def _check_limits(self, where: str) -> None:
        if len(self.limits) > 1 or (not self.limits and self.source != "command"):
            raise InputError(f"{where}: give either max, min or max_ratio")
        for name, limit in self.limits.items():
            if not math.isfinite(limit) or (name == "max_ratio" and limit <= 0):
                raise InputError(f"{where}: {name} {limit!r} is not a limit; give a number")
        if self.max_ratio is not None and not any(COLOR in part for part in self.asked):
            raise InputError(
                f"{where}: max_ratio asks for both colors, so write {COLOR} where the color stands in the question"
            )

    @property
    def limits(self) -> dict[str, float]:
        """The limit by its kind; empty for a command whose exit status decides."""
        given = {"max": self.max, "min": self.min, "max_ratio": self.max_ratio}
        return {name: float(limit) for name, limit in given.items() if limit is not None}

    @property
    def asked(self) -> list[str]:
        """What the source is asked, in which ``$color`` stands for the color."""
        return [part for part in (self.url, self.query, self.path, *self.command) if part]

    @property
    def policy(self) -> dict[str, str]:
        return {"no_data": self.no_data, "source_down": self.source_down}

    def violated(self, value: float, stable: Optional[float] = None) -> bool:
        """Whether ``value`` is beyond the limit; ``stable`` is the stable color's, for ``max_ratio``."""
        if self.max_ratio is not None:
            return stable is not None and value > self.max_ratio * stable
        return (self.max is not None and value > self.max) or (self.min is not None and value < self.min)

    def limit(self, stable: Optional[float] = None) -> str:
        """The limit in words."""
        if self.max_ratio is not None:
            of = f", which is {stable:g}" if stable is not None else ""
            return f"at most {self.max_ratio:g} times the stable color's{of}"
        return f"at most {self.max:g}" if self.max is not None else f"at least {self.min:g}"


@dataclass(frozen=True)
class Series:
    """Where a judge reads running totals in Prometheus: queries that give one series a color and server.

    For errors ``requests`` and ``bad``, for latencies ``buckets`` (with the label ``le``). A series belongs to the
    color that ``color_label`` says, else to that of the server that ``server_label`` names (a port behind it aside).
    """

    url: str
    requests: Optional[str] = None
    bad: Optional[str] = None
    buckets: Optional[str] = None
    color_label: str = "color"
    server_label: str = "server"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: Optional[str] = field(default=None, repr=False)
    timeout: float = 5.0


def check_policy(policy: Mapping[str, str], where: str) -> None:
    for cause, action in policy.items():
        if action not in ACTIONS:
            raise InputError(f"{where}: {cause} {action!r}: use one of {', '.join(ACTIONS)}")


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
_SERIES_OPTIONS = ("url", "color_label", "server_label", "headers", "token", "timeout")
_ERROR_SERIES = ("requests", "bad")
_LATENCY_SERIES = ("buckets",)
# Options of a gate that are read elsewhere than in its settings.
_ELSEWHERE = ("source", *CAUSES, *_SERIES_OPTIONS, *_ERROR_SERIES, *_LATENCY_SERIES)


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
        elif option not in _ELSEWHERE:
            known = ", ".join(sorted([*_ERROR_OPTIONS, "margin", "max_error_ratio", "min_excess"]))
            raise InputError(f"gate errors: unknown option {option!r}; known are {known}")
    latency = gates.get("latency")
    if latency is not None:
        chosen["latency"] = tuple(latency.get("quantiles") or QUANTILES)
        if latency.get("max_slowdown") is not None:
            chosen["slowdown"] = 1.0 + fraction(latency["max_slowdown"], "max_slowdown", bare=0.01)
            # As far above it as 46 % are above 10 %.
            chosen["promote_slowdown"] = max(1.46, chosen["slowdown"] * 1.46 / 1.1)
        if latency.get("promote_slowdown") is not None:
            chosen["promote_slowdown"] = 1.0 + fraction(latency["promote_slowdown"], "promote_slowdown", bare=0.01)
    chosen["elsewhere"] = tuple(
        gate for gate in ("errors", "latency") if (gates.get(gate) or {}).get("source") not in (None, "haproxy")
    )
    return Settings(**chosen)


def policies_of(gates: Mapping[str, Any], thresholds: Sequence[Threshold]) -> dict[str, dict[str, str]]:
    """By gate what it does without its data; thresholds by ``threshold NAME``. Raises InputError."""
    found = {}
    for gate in ("errors", "latency"):
        policy = {cause: action for cause in CAUSES if (action := (gates.get(gate) or {}).get(cause))}
        check_policy(policy, f"gate {gate}")
        found[gate] = policy
    return {**found, **{threshold_gate(threshold.name): threshold.policy for threshold in thresholds}}


def threshold_gate(name: str) -> str:
    """What a threshold is called among the gates."""
    return f"threshold {name}"


def series_of(gates: Mapping[str, Any]) -> dict[str, Series]:
    """By gate (``errors``, ``latency``) where Prometheus has its totals; a gate with source ``haproxy`` is left out."""
    found = {}
    for gate, queries in (("errors", _ERROR_SERIES), ("latency", _LATENCY_SERIES)):
        options = gates.get(gate) or {}
        source = options.get("source") or JUDGE_SOURCES[0]
        if source not in JUDGE_SOURCES:
            raise InputError(f"gate {gate}: source {source!r}: use {' or '.join(JUDGE_SOURCES)}")
        if source == "haproxy":
            continue
        missing = [name for name in ("url", *queries) if not options.get(name)]
        if missing:
            raise InputError(f"gate {gate}: source {source} needs {' and '.join(missing)}")
        _check_url(options["url"], f"gate {gate}")
        known = (*queries, *_SERIES_OPTIONS)
        found[gate] = Series(**{name: options[name] for name in known if options.get(name) is not None})
    return found


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
