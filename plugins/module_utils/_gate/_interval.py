# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interval for how many times as often the candidate fails, valid whenever one looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, log1p
from typing import Any, Optional

from ._evidence import ERROR_GRID, ln_mean_exp

_LN_LIMIT = log(1e4)


class RatioHistory:
    """What the interval needs to know about past ticks: errors by the candidate's share of requests.

    Ticks whose shares agree to within half a per cent are kept together; that shifts ln E by some 3e-6 an error.
    """

    def __init__(self) -> None:
        # rounded ln share -> [candidate errors, all errors, sum of share over errors]
        self._bins: dict[int, list[float]] = {}
        self._above = 0.0
        self._below = 0.0
        self._ends: Optional[tuple[float, float]] = None

    def add(self, n_c: int, k_c: int, n_b: int, k_b: int) -> None:
        if not n_c or not n_b:
            return
        total = n_c + n_b
        # Mantel-Haenszel: a split that moves between stages does not bend the ratio.
        self._above += k_c * n_b / total
        self._below += k_b * n_c / total
        if k_c + k_b:
            share = n_c / total
            cell = self._bins.setdefault(round(200.0 * log(share)), [0.0, 0.0, 0.0])
            cell[0] += k_c
            cell[1] += k_c + k_b
            cell[2] += (k_c + k_b) * share

    @property
    def ratio(self) -> Optional[float]:
        """Candidate's error rate over the stable one's; None without stable errors (infinite, or nothing seen)."""
        return self._above / self._below if self._below else None

    def interval(self, alpha: float = 0.05) -> tuple[float, Optional[float]]:
        """Both ends at confidence ``1 - alpha``; 0 below and None (infinite) above where an end is not reached.

        All r with E_up(r) < 2/alpha and E_down(r) < 2/alpha, where E_up is the mixture of E1 against "at most r
        times" without its cap, and E_down the same with every g replaced by 1/g, against "at least r times".
        """
        if not self._bins:
            return 0.0, None
        bins = [(k_c, bad, weighted / bad) for k_c, bad, weighted in self._bins.values()]
        limit = log(2.0 / alpha)
        near = self._ends or (0.0, 0.0)
        low = _root(bins, limit, ERROR_GRID, near[0], rising=False)
        high = _root(bins, limit, [1.0 / g for g in ERROR_GRID], near[1], rising=True)
        self._ends = (low, high)
        return (
            0.0 if low <= -_LN_LIMIT else exp(low),
            None if high >= _LN_LIMIT else exp(high),
        )

    def carry(self) -> dict[str, Any]:
        return {
            "bins": {str(key): value for key, value in sorted(self._bins.items())},
            "above": self._above,
            "below": self._below,
        }

    def resume(self, carried: Mapping[str, Any]) -> None:
        self._bins = {int(key): [float(number) for number in value] for key, value in carried["bins"].items()}
        self._above, self._below = float(carried["above"]), float(carried["below"])


def _ln_mixture(bins: Sequence[tuple[float, float, float]], grid: Sequence[float], ln_r: float) -> float:
    r = exp(ln_r)
    null = sum([bad * log1p(share * (r - 1.0)) for _, bad, share in bins])
    candidate = sum([k_c for k_c, _, _ in bins])
    terms = []
    for g in grid:
        more = r * g - 1.0
        terms.append(candidate * log(g) + null - sum([bad * log1p(share * more) for _, bad, share in bins]))
    return ln_mean_exp(terms)


def _root(
    bins: Sequence[tuple[float, float, float]], limit: float, grid: Sequence[float], near: float, *, rising: bool
) -> float:
    """Where ln E crosses ``limit`` as ln r goes from -9.2 to 9.2; starts looking ``near``, by bisection."""
    sign = 1.0 if rising else -1.0

    def beyond(ln_r: float) -> bool:
        return _ln_mixture(bins, grid, ln_r) >= limit

    # Beyond lies upwards for the upper end, downwards for the lower one.
    edge = sign * _LN_LIMIT
    if not beyond(edge):
        return edge
    inner, outer, step = -edge, edge, 0.05
    at = near
    going_out = not beyond(at)
    while True:
        if going_out:
            inner = at
        else:
            outer = at
        following = at + sign * step * (1.0 if going_out else -1.0)
        if not -_LN_LIMIT < following < _LN_LIMIT:
            break
        at = following
        if beyond(at) == going_out:
            if going_out:
                outer = at
            else:
                inner = at
            break
        step *= 3.0
    while abs(outer - inner) > 1e-3:
        middle = (inner + outer) / 2.0
        if beyond(middle):
            outer = middle
        else:
            inner = middle
    return (inner + outer) / 2.0
