# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence as e-values: odds against a hypothesis that hold whenever one looks.

Every process here is a product over ticks of factors whose mean is at most 1 while its null hypothesis is true, so by
Ville's inequality it reaches 1/alpha with probability at most alpha, however often somebody looks. Sums are kept as
logarithms. Formulas: Turner, Ly and Grünwald, safe two-sample tests (E2, E3); ter Schure et al., the anytime-valid
log-rank test (E1). Numbers are requests ``n`` and bad ones ``k`` in one tick; ``c`` is the candidate, ``b`` the stable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, log, log1p
from operator import add
from typing import Any, Optional

# How many times worse the candidate might be; a mean over these needs no guess which one it is.
ERROR_GRID = (1.3, 2.0, 3.0, 5.0, 10.0, 30.0, 80.0)
LATENCY_ODDS = (1.1, 1.25, 1.5, 2.0, 3.0, 6.0)
# The stable color's nominal share of responses slower than its own quantile.
QUANTILES = {"p50": 0.5, "p90": 0.1, "p99": 0.01}
PSEUDO_RESPONSES = 1000.0

Count = tuple[int, int]
Increments = Callable[[int, int, int, int], Optional[Sequence[float]]]

# What is staked from the first tick on; a verdict without an incident needs 1/0.95 times the odds for what is not.
FIRST_STAKE = 0.95
# A bet of which this is left, of the best that it was, is given up for a new one.
LN_LOST = log(1.0 / 1000.0)
# What E3 has proven beyond that is forgotten, so that a version cannot live on the proof of better times.
LN_MOST = log(1000.0)

# exp() of more overflows a float; such odds are certainty anyway.
_LN_MAX = 690.0


def to_float(ln_value: float) -> float:
    """exp without overflow: 0 to about 10^299."""
    return exp(min(ln_value, _LN_MAX))


def ln_mean_exp(values: Sequence[float]) -> float:
    top = max(values)
    return top + log(sum([exp(value - top) for value in values]) / len(values))


class Stakes:
    """A test martingale in parts, of which one is bet at a time.

    An incident under both colors, or an hour of errors on both, makes any one bet worthless: its odds fall to 10^-80,
    and what comes after is not seen. So ``FIRST_STAKE`` is bet at once; when that is as good as lost, the ``j``-th part
    of the rest, 1/(j(j+1)) of it, is bet anew, and what is left of the bet before stays as it is. When to do so is told
    by past ticks, and what is not yet bet counts as it is: the sum is a test martingale, as each bet is.
    """

    __slots__ = ("best", "bets", "kept", "ln_bet")

    def __init__(self) -> None:
        self.ln_bet = self.best = self.kept = 0.0
        self.bets = 0

    def copy(self) -> Stakes:
        twin = Stakes()
        twin.ln_bet, twin.best, twin.kept, twin.bets = self.ln_bet, self.best, self.kept, self.bets
        return twin

    @property
    def stake(self) -> float:
        return (1.0 - FIRST_STAKE) / (self.bets * (self.bets + 1)) if self.bets else FIRST_STAKE

    @property
    def aside(self) -> float:
        """What is left of the bets before, and what is not bet yet."""
        return self.kept + (1.0 - FIRST_STAKE) / (self.bets + 1)

    @property
    def lost(self) -> bool:
        return self.ln_bet < self.best + LN_LOST

    def anew(self) -> None:
        self.kept += self.stake * to_float(self.ln_bet)
        self.bets += 1
        self.ln_bet = self.best = 0.0

    def grow(self, ln_factor: float, ln_most: Optional[float] = None) -> None:
        """By one tick's factor; the bet is not let beyond ``ln_most``."""
        self.ln_bet += ln_factor
        if ln_most is not None:
            self.ln_bet = min(self.ln_bet, ln_most - log(self.stake))
        self.best = max(self.best, self.ln_bet)

    @property
    def ln_e(self) -> float:
        top = max(0.0, self.ln_bet)
        return top + log(self.aside * exp(-top) + self.stake * exp(self.ln_bet - top))

    def ln_missing(self, ln_proof: float) -> float:
        """By how much the bet has to grow for all of it to reach ``ln_proof``."""
        short = to_float(ln_proof) - self.aside
        return max(0.0, log(short / self.stake) - self.ln_bet) if short > 0.0 else 0.0

    def carry(self) -> list[float]:
        return [self.ln_bet, self.best, self.kept, float(self.bets)]

    @classmethod
    def resumed(cls, carried: Sequence[float]) -> Stakes:
        found = cls()
        found.ln_bet, found.best, found.kept = (float(number) for number in carried[:3])
        found.bets = int(carried[3])
        return found


class Mixture:
    """The mean of likelihood ratios against several alternatives, with an optional cap on its growth in one tick.

    ``E_t = E_(t-1) * min(M_t / M_(t-1), cap)`` where M is the mean. The cap only lowers E, so it stays valid. Staked in
    parts (:class:`Stakes`), each of which begins with a mean of its own.
    """

    __slots__ = ("ln_cap", "ln_m", "stakes", "terms")

    def __init__(self, size: int, cap: Optional[float] = None) -> None:
        self.terms = [0.0] * size
        self.ln_m = 0.0
        self.ln_cap = log(cap) if cap is not None else None
        self.stakes = Stakes()

    @property
    def ln_e(self) -> float:
        return self.stakes.ln_e

    def add(self, increments: Sequence[float]) -> None:
        if self.stakes.lost:
            self.stakes.anew()
            self.terms, self.ln_m = [0.0] * len(self.terms), 0.0
        terms = list(map(add, self.terms, increments))
        ln_m = ln_mean_exp(terms)
        growth = ln_m - self.ln_m
        if self.ln_cap is not None and growth > self.ln_cap:
            growth = self.ln_cap
        self.terms, self.ln_m = terms, ln_m
        self.stakes.grow(growth)

    def copy(self) -> Mixture:
        twin = Mixture.__new__(Mixture)
        twin.terms, twin.ln_m, twin.ln_cap, twin.stakes = self.terms, self.ln_m, self.ln_cap, self.stakes.copy()
        return twin

    def carry(self) -> list[float]:
        return [*self.terms, *self.stakes.carry()]

    def resume(self, carried: Sequence[float]) -> None:
        """Go on from what :meth:`carry` gave."""
        size = len(self.terms)
        if len(carried) != size + len(self.stakes.carry()):
            raise ValueError("evidence of another kind")
        self.stakes = Stakes.resumed(carried[size:])
        self.terms = [float(number) for number in carried[:size]]
        self.ln_m = ln_mean_exp(self.terms)


class HostChecked:
    """One process over all candidate servers, and the same without each of them in turn."""

    def __init__(self, size: int, cap: Optional[float]) -> None:
        self.pooled = Mixture(size, cap)
        self.without: dict[str, Mixture] = {}

    def add(self, candidate: Mapping[str, Count], n_b: int, k_b: int, increments: Increments) -> None:
        for server in candidate:
            if server not in self.without:
                # It took no part so far, so the evidence without it is all there was.
                self.without[server] = self.pooled.copy()
        n_c = sum([n for n, _ in candidate.values()])
        k_c = sum([k for _, k in candidate.values()])
        together = increments(n_c, k_c, n_b, k_b)
        if together is not None:
            self.pooled.add(together)
        for server, process in self.without.items():
            n, k = candidate.get(server, (0, 0))
            alone = increments(n_c - n, k_c - k, n_b, k_b) if n else together
            if alone is not None:
                process.add(alone)

    def ln_without(self, server: str) -> float:
        """ln E without a server; one that never sent anything here changes nothing."""
        return self.without[server].ln_e if server in self.without else self.pooled.ln_e

    def carry(self) -> dict[str, Any]:
        return {
            "pooled": self.pooled.carry(),
            "without": {server: process.carry() for server, process in sorted(self.without.items())},
        }

    def resume(self, carried: Mapping[str, Any]) -> None:
        self.pooled.resume(carried["pooled"])
        for server, process in carried["without"].items():
            self.without[str(server)] = self.pooled.copy()
            self.without[str(server)].resume(process)


def error_increments(r0: float, grid: Sequence[float] = ERROR_GRID) -> Increments:
    """E1. H0: the candidate's error rate is at most ``r0`` times the stable one's in every tick.

    It asks on which color the errors fell, given how the requests did; what hits both colors alike cancels.
    A tick in which either color had no request says nothing.
    """
    ln_grid = [log(g) for g in grid]
    excess = [r0 * g - 1.0 for g in grid]

    def increments(n_c: int, k_c: int, n_b: int, k_b: int) -> Optional[list[float]]:
        bad = k_c + k_b
        if not bad or not n_c or not n_b:
            return None
        share = n_c / (n_c + n_b)
        null = bad * log1p(share * (r0 - 1.0))
        return [k_c * ln_g + null - bad * log1p(share * more) for ln_g, more in zip(ln_grid, excess)]

    return increments


def slow_increments(slow: float, odds: Sequence[float] = LATENCY_ODDS) -> Increments:
    """E2 in one tick. H0: no more candidate responses than stable ones are slow, each by its own threshold.

    ``slow`` is the stable color's slow fraction as :func:`slow_fraction` knew it before this tick. Odds below 1 turn
    the question round: H0 is then that no fewer are.
    """
    b = slow
    ln_b, ln_not_b = log(b), log1p(-b)
    alternatives = []
    for o in odds:
        a = o * b / (1.0 - b + o * b)
        ln_not_a = log1p(-a)
        alternatives.append((a, log(a) - ln_not_a, ln_not_a))

    def increments(n_c: int, k_c: int, n_b: int, k_b: int) -> Optional[list[float]]:
        if not n_c or not n_b:
            return None
        total, slow_ones, slow_b = n_c + n_b, k_c + k_b, n_b * b
        quick_ones = total - slow_ones
        same = k_b * ln_b + (n_b - k_b) * ln_not_b + total * log(total)
        # rate / total is the rate of both colors under H0 that lies closest.
        return [
            same
            + k_c * logit
            + n_c * ln_not_a
            - slow_ones * log(rate := n_c * a + slow_b)
            - quick_ones * log(total - rate)
            for a, logit, ln_not_a in alternatives
        ]

    return increments


def slow_fraction(quantile: str, n: int, k: int) -> float:
    """The stable color's slow fraction from past ticks, smoothed with 1000 pseudo-responses at its nominal value."""
    return (k + PSEUDO_RESPONSES * QUANTILES[quantile]) / (n + PSEUDO_RESPONSES)


def past_error_rate(n: int, k: int, d1: float) -> float:
    """The stable error rate from past ticks, as E3 takes it: half an error in 2/d1 requests is added.

    Without that, one candidate error before the first stable one would be called impossible, and E3 would never
    recover; with it, 1497 requests without an error become at most some 2000.
    """
    return (k + 0.5) / (n + 2.0 / d1)


def worst_acceptable(p: float, n_c: float, n_b: float, r1: float, d1: float) -> tuple[float, float]:
    """The point (x, y) of the line ``x = r1*y + d1`` that lies closest to (p, p).

    Closest is least n_c*KL(p||x) + n_b*KL(p||y), found by bisection of its derivative in y. Needs r1*p + d1 < 1.
    """
    low, high = max(1e-12, (p - d1) / r1), p
    for _ in range(48):
        y = (low + high) / 2.0
        x = r1 * y + d1
        if n_c * r1 * (x - p) / (x * (1.0 - x)) + n_b * (y - p) / (y * (1.0 - y)) > 0.0:
            high = y
        else:
            low = y
    y = (low + high) / 2.0
    return r1 * y + d1, y


def kl(p: float, q: float) -> float:
    """Kullback-Leibler divergence of two coins, in nats."""
    ln = (1.0 - p) * (log1p(-p) - log1p(-q)) if p < 1.0 else 0.0
    return ln + (p * log(p / q) if p > 0.0 else 0.0)


def good_increment(n_c: int, k_c: int, n_b: int, k_b: int, p: float, r1: float, d1: float) -> float:
    """E3 in one tick. H0: the candidate's error rate is at least ``r1`` times the stable one's plus ``d1``.

    ``p`` is the stable error rate as it was known before this tick (:func:`past_error_rate`). When the stable color
    fails so often that no candidate could be that much worse, there is nothing to prove, and the tick says nothing.
    """
    if not n_c or not n_b or r1 * p + d1 >= 1.0:
        return 0.0
    x, y = worst_acceptable(p, n_c, n_b, r1, d1)
    return (
        k_c * log(p / x)
        + (n_c - k_c) * (log1p(-p) - log1p(-x))
        + k_b * log(p / y)
        + (n_b - k_b) * (log1p(-p) - log1p(-y))
    )


class GoodEvidence:
    """E3 over the ticks of a stage, staked in parts, with the stable error rate that past ticks tell.

    A tick that this rate makes all but impossible begins the rate anew: the times have changed, and what it is bet on
    may be anything that is known beforehand.
    """

    __slots__ = ("_d1", "_r1", "_seen", "stakes")

    def __init__(self, r1: float, d1: float) -> None:
        self._r1, self._d1 = r1, d1
        self._seen = (0, 0)
        self.stakes = Stakes()

    def begin(self, n_b: int, k_b: int) -> None:
        """What the stable color did in the stages before."""
        self._seen = (n_b, k_b)

    def add(self, n_c: int, k_c: int, n_b: int, k_b: int) -> None:
        if self.stakes.lost:
            self.stakes.anew()
        past = past_error_rate(*self._seen, self._d1)
        self.stakes.grow(good_increment(n_c, k_c, n_b, k_b, past, self._r1, self._d1), LN_MOST)
        changed = n_b > 0 and n_b * kl(k_b / n_b, past) > -LN_LOST
        self._seen = (n_b, k_b) if changed else (self._seen[0] + n_b, self._seen[1] + k_b)

    @property
    def ln_e(self) -> float:
        return self.stakes.ln_e


def requests_needed(ln_missing: float, n_c: int, n_b: int, p: float, r1: float, d1: float) -> int:
    """About how many more candidate requests E3 needs to grow by ``ln_missing``, if both colors fail at rate ``p``.

    With nothing seen yet: ln(1/beta) / -ln(1-d1), which is 1497 for beta 0.05 and d1 0.2 percentage points;
    1521 with what :class:`Stakes` keeps back.
    """
    if ln_missing <= 0.0:
        return 0
    ratio = n_b / n_c if n_c and n_b else 0.0
    if p <= 0.0 or not ratio or r1 * p + d1 >= 1.0:
        growth = -log1p(-d1)
    else:
        x, y = worst_acceptable(p, 1.0, ratio, r1, d1)
        growth = kl(p, x) + ratio * kl(p, y)
    needed = ln_missing / growth
    return int(needed) + (needed > int(needed))


def responses_needed(ln_missing: float, quantile: str, n_c: int, n_b: int) -> int:
    """About how many more candidate responses the proof that it is no slower needs to grow by ``ln_missing``.

    Taken is a candidate of which half as many (in odds) are beyond the promotion's bound as stable ones beyond beta.
    """
    if ln_missing <= 0.0:
        return 0
    b = QUANTILES[quantile]
    a = 0.5 * b / (1.0 - 0.5 * b)
    ratio = n_b / n_c if n_c and n_b else 1.0
    q = (a + ratio * b) / (1.0 + ratio)
    return int(ln_missing / (kl(a, q) + ratio * kl(b, q))) + 1


def above_increments(limit: float, grid: Sequence[float] = ERROR_GRID) -> Increments:
    """Without a baseline. H0: the candidate's error rate is at most ``limit``; the stable counts are not looked at."""
    alternatives = []
    for g in grid:
        worse = g * limit / (1.0 - limit + g * limit)
        alternatives.append((log(worse / limit), log1p(-worse) - log1p(-limit)))

    def increments(n_c: int, k_c: int, n_b: int, k_b: int) -> Optional[list[float]]:
        if not n_c:
            return None
        return [k_c * ln_bad + (n_c - k_c) * ln_good for ln_bad, ln_good in alternatives]

    return increments
