"""Rules that watch a rollout's errors at a fixed split: the shipped evidence, and what others are commonly set to.

Every rule is asked at every tick and says whether it would roll back now. ``Counts`` are requests and bad ones of one
tick by server, candidates first.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from typing import Any, Protocol

import numpy as np

from plugins.module_utils._gate._evidence import ERROR_GRID, HostChecked, error_increments
from plugins.module_utils._gate._settings import Settings

from .traffic import CANDIDATE, TICK, names


class Rule(Protocol):
    def alarm(self, requests: Any, bad: Any) -> bool: ...


class Evidence:
    """E1 as the judge counts it, without or with the host check."""

    def __init__(self, host_check: bool) -> None:
        self.settings = Settings()
        self.process = HostChecked(len(ERROR_GRID), self.settings.cap)
        self.increments = error_increments(self.settings.r0)
        self.names = names("green", CANDIDATE)
        self.host_check = host_check
        self.totals = [0, 0, 0, 0]

    def alarm(self, requests: Any, bad: Any) -> bool:
        n, k = requests.tolist(), bad.tolist()
        n_b, k_b = sum(n[CANDIDATE:]), sum(k[CANDIDATE:])
        self.process.add(dict(zip(self.names, zip(n, k))), n_b, k_b, self.increments)
        for i, more in enumerate((sum(n[:CANDIDATE]), sum(k[:CANDIDATE]), n_b, k_b)):
            self.totals[i] += more
        n_c, k_c, n_b, k_b = self.totals
        settings = self.settings
        if self.process.pooled.ln_e < log(1.0 / settings.alpha) or not n_b:
            return False
        if k_c < settings.min_errors or k_c / n_c - k_b / n_b < settings.min_excess:
            return False
        enough = log(settings.host_check)
        return not self.host_check or all(self.process.ln_without(name) >= enough for name in self.names)


class ErrorRate:
    """The candidate's error rate is looked at every ``every`` seconds and fails at 1 per cent; ``limit`` failures end.

    As Argo Rollouts with ``failureLimit: 1`` (the second failure ends it), and as Flagger with a success rate of 99
    per cent and ``threshold: 5`` (which acts at the check after the fifth failure).
    """

    def __init__(self, limit: int, late: bool = False, every: float = 30.0) -> None:
        self.limit, self.late, self.every = limit, late, round(every / TICK)
        self.ticks = self.failures = self.n = self.k = 0

    def alarm(self, requests: Any, bad: Any) -> bool:
        self.ticks += 1
        self.n += int(requests[:CANDIDATE].sum())
        self.k += int(bad[:CANDIDATE].sum())
        if self.ticks % self.every:
            return False
        if self.late and self.failures >= self.limit:
            return True
        self.failures += bool(self.n) and self.k / self.n >= 0.01
        self.n = self.k = 0
        return not self.late and self.failures >= self.limit


class MannWhitney:
    """As Kayenta judges one metric: every minute its 12 values of either color, at 98 per cent, tolerance 0.25.

    The metric is the error rate in 5 s. It is High when the lower end of the confidence interval of the shift
    (Hodges-Lehmann) is above a quarter of the shift itself.
    """

    SIZE = 12
    Z = 2.3263478740408408

    def __init__(self) -> None:
        self.candidate: list[float] = []
        self.stable: list[float] = []

    def alarm(self, requests: Any, bad: Any) -> bool:
        for values, n, k in (
            (self.candidate, requests[:CANDIDATE].sum(), bad[:CANDIDATE].sum()),
            (self.stable, requests[CANDIDATE:].sum(), bad[CANDIDATE:].sum()),
        ):
            if n:
                values.append(float(k) / float(n))
        if len(self.candidate) < self.SIZE or len(self.stable) < self.SIZE:
            return False
        candidate, stable = np.array(self.candidate), np.array(self.stable)
        self.candidate, self.stable = [], []
        shifts = np.sort((candidate[:, None] - stable[None, :]).ravel())
        pairs, values = shifts.size, candidate.size + stable.size
        lower = shifts[round(pairs / 2.0 - self.Z * sqrt(pairs * (values + 1) / 12.0))]
        estimate = float(np.median(shifts))
        return bool(estimate > 0.0 and lower > 0.25 * estimate)


RULES: dict[str, Callable[[], Rule]] = {
    "this judge, before the host check": lambda: Evidence(host_check=False),
    "this judge, with the host check": lambda: Evidence(host_check=True),
    "error rate < 1 % in 30 s, failing twice (as Argo Rollouts)": lambda: ErrorRate(2),
    "success rate >= 99 % in 30 s, 5 failures (as Flagger)": lambda: ErrorRate(5, late=True),
    "Mann-Whitney a minute (as Kayenta)": MannWhitney,
}
