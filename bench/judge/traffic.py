"""The traffic of one simulated rollout: two colors whose VMs differ a little, a day that rises and falls, incidents.

Nothing here is tuned to the judge: the base error rate and the spread of hosts are those of the design, an incident
hits both colors alike, and a fault is in every VM of the candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import erfc, log, pi, sqrt
from typing import Any, Optional

import numpy as np

TICK = 5.0
STABLE, CANDIDATE = 8, 2
BASE_ERRORS = 0.001
HOST_SIGMA = 0.25
"""Standard deviation of the logarithm of a VM's error rate."""
HOST_LATENCY_SIGMA = 0.03
DAY = 86400.0
WAVE = 0.5
"""Requests and errors rise and fall by this fraction with the time of day."""
INCIDENTS = 0.2 / 900.0
"""Shared incidents a second: one in five quarters of an hour."""
INCIDENT_FACTOR = (10.0, 30.0)
INCIDENT_SECONDS = (60.0, 120.0)
INCIDENT_SLOWER = 1.5
HORIZON = 4 * 3600.0

MEDIAN_MS, SPREAD = 50.0, 0.5
"""Latencies are lognormal."""
BOUNDS = [(step << octave) / 16e3 for octave in range(7, 25) for step in (16, 18, 20, 23, 26, 29)]
"""Upper bounds in milliseconds of a histogram as the balancers keep it: six an octave."""
# The share of a distribution above these many standard deviations.
_Z = {"p50": 0.0, "p90": 1.2815515655446004, "p99": 2.3263478740408408}
_TAIL_Z = 2.0537489106318225  # the slowest 2 per cent


@dataclass(frozen=True)
class Fault:
    """What is wrong with the candidate: its error rate in all, its latencies, those of its slowest 2 per cent."""

    name: str
    errors: Optional[float] = None
    slower: float = 1.0
    tail: float = 1.0
    hosts: int = CANDIDATE
    """How many of its VMs have it."""
    from_split: float = 0.0
    """The fraction of the traffic from which on it shows."""


GOOD = Fault("good")


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{i + 1}" for i in range(count)]


class Traffic:
    """One rollout's traffic at ``rate`` requests a second, drawn from ``seed``; times are seconds since it began."""

    def __init__(self, seed: Sequence[int], rate: float, fault: Fault = GOOD) -> None:
        self.rng = np.random.default_rng(list(seed))
        self.rate = rate
        self.fault = fault
        self.phase = self.rng.uniform(0.0, DAY)
        self.hosts = np.exp(self.rng.normal(0.0, HOST_SIGMA, CANDIDATE + STABLE))
        self.slowness = np.exp(self.rng.normal(0.0, HOST_LATENCY_SIGMA, CANDIDATE + STABLE))
        count = self.rng.poisson(INCIDENTS * HORIZON)
        self.incidents = [
            (start, start + self.rng.uniform(*INCIDENT_SECONDS), self.rng.uniform(*INCIDENT_FACTOR))
            for start in self.rng.uniform(-INCIDENT_SECONDS[1], HORIZON, count)
        ]
        self.faulty = np.zeros(CANDIDATE + STABLE, dtype=bool)
        self.faulty[: fault.hosts] = True
        self._slow: dict[bool, Any] = {}
        self.candidates, self.stables = names("green", CANDIDATE), names("blue", STABLE)

    def counts(self, times: Sequence[float], split: float) -> tuple[Any, Any]:
        """Requests and bad ones by tick and server, candidates first; ``split`` is the candidate's fraction."""
        at = np.asarray(times, dtype=float)
        wave = 1.0 + WAVE * np.sin(2.0 * pi * (at + self.phase) / DAY)
        share = np.array([split / CANDIDATE] * CANDIDATE + [(1.0 - split) / STABLE] * STABLE)
        requests = self.rng.poisson(TICK * self.rate * wave[:, None] * share[None, :])
        worse = np.ones_like(at)
        for start, end, factor in self.incidents:
            worse[(at >= start) & (at < end)] = factor
        p = BASE_ERRORS * (wave * worse)[:, None] * self.hosts[None, :]
        if self.fault.errors is not None and split >= self.fault.from_split:
            p = p + np.where(self.faulty, self.fault.errors - BASE_ERRORS, 0.0)[None, :]
        return requests, self.rng.binomial(requests, np.minimum(p, 1.0))

    def line(self, t: float, stage_t: float, split: float) -> dict[str, Any]:
        """A line of the tape at ``t``, ``stage_t`` seconds into the stage."""
        requests, bad = self.counts([t], split)
        entries = [{"errors": [int(n), int(k)]} for n, k in zip(requests[0], bad[0])]
        for entry, slow in zip(entries, self._latencies(t, requests[0])):
            entry["latency"] = slow
        found = dict(zip([*self.candidates, *self.stables], entries))
        colors = {
            "candidate": {name: found[name] for name in self.candidates},
            "stable": {name: found[name] for name in self.stables},
        }
        return {"t": stage_t, "colors": colors}

    def _latencies(self, t: float, requests: Any) -> list[dict[str, list[int]]]:
        incident = any(start <= t < end for start, end, _ in self.incidents)
        if incident not in self._slow:
            self._slow[incident] = self._between(incident)
        drawn = self.rng.multinomial(requests, self._slow[incident])
        # Responses slower than each threshold, from those between two of them.
        slower = drawn[:, ::-1].cumsum(axis=1)[:, ::-1]
        position = {threshold: i + 1 for i, threshold in enumerate(thresholds())}
        entries = []
        for server, n in enumerate(requests):
            slow = {}
            for quantile, (at, rollback, promote) in bounds().items():
                wanted = (promote, rollback) if server < CANDIDATE else (at,)
                slow[quantile] = [int(n), *(int(slower[server, position[bound]]) for bound in wanted)]
            entries.append(slow)
        return entries

    def _between(self, incident: bool) -> Any:
        """By server the chances of a response between two thresholds."""
        rows = []
        for slowness, faulty in zip(self.slowness, self.faulty):
            scale = slowness * (INCIDENT_SLOWER if incident else 1.0)
            slower, tail = (self.fault.slower, self.fault.tail) if faulty else (1.0, 1.0)
            above = [1.0, *(survival(threshold / scale / slower, tail) for threshold in thresholds()), 0.0]
            rows.append([above[i] - above[i + 1] for i in range(len(above) - 1)])
        return np.array(rows)


def survival(ms: float, tail: float = 1.0) -> float:
    """The chance of a response slower than ``ms``; the slowest 2 per cent take ``tail`` times as long."""
    start = MEDIAN_MS * np.exp(_TAIL_Z * SPREAD)
    if ms > start:
        ms = max(start, ms / tail)
    return 0.5 * erfc((log(ms / MEDIAN_MS) / SPREAD) / sqrt(2.0))


@lru_cache
def bounds() -> dict[str, tuple[float, float, float]]:
    """By quantile the bound at or above it, and the first ones at least 10 and 46 per cent above that."""
    found = {}
    for quantile, z in _Z.items():
        at = _at_or_above(MEDIAN_MS * np.exp(z * SPREAD))
        found[quantile] = (at, _at_or_above(1.1 * at), _at_or_above(1.46 * at))
    return found


def _at_or_above(ms: float) -> float:
    return next(bound for bound in BOUNDS if bound >= ms)


@lru_cache
def thresholds() -> list[float]:
    return sorted({bound for found in bounds().values() for bound in found})
