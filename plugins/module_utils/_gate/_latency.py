# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How quick the stable color is, and how many responses are slower than that: from histograms to counts on the tape.

The quantiles of the stable color (beta) are taken once a release, from the first ticks of its first stage: that is
its recent past, under today's load and in its present version, where running totals may be of another day and another
version. Those ticks are not judged, so beta is fixed before the first tick that it judges. It goes onto the tape and
from stage to stage.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any, Optional

from ._evidence import QUANTILES

# Responses of the stable color from which its quantiles are taken: five of them are beyond its p99.
REFERENCE_RESPONSES = 500
# Bounds and their multiples are decimal fractions, which binary numbers miss by a hair.
_TOLERANCE = 1e-6

Servers = Mapping[str, Sequence[int]]


def pack(buckets: Sequence[int]) -> list[int]:
    """``[first, count, ...]``: the index of the first bucket that is not empty, and the counts up to the last one."""
    filled = [i for i, count in enumerate(buckets) if count]
    return [filled[0], *buckets[filled[0] : filled[-1] + 1]] if filled else []


def unpack(packed: Sequence[int], size: int) -> list[int]:
    """``size`` buckets from what :func:`pack` gave; ValueError where they do not fit."""
    if not packed:
        return [0] * size
    first, *counts = (int(number) for number in packed)
    rest = size - first - len(counts)
    if first < 0 or rest < 0:
        raise ValueError(f"{len(counts)} buckets from number {first} on do not fit into {size}")
    return [0] * first + counts + [0] * rest


def bound_at(bounds: Sequence[float], seconds: float) -> float:
    """The first upper bound at or above ``seconds``; infinite beyond the last finite one."""
    at = bisect_left(bounds, seconds * (1.0 - _TOLERANCE))
    return bounds[at] if at < len(bounds) else inf


def slower(bounds: Sequence[float], buckets: Sequence[int], bound: float) -> int:
    """Responses that took longer than ``bound`` seconds, one of ``bounds``."""
    return sum(buckets[bisect_left(bounds, bound * (1.0 - _TOLERANCE)) + 1 :])


def quantile_bound(bounds: Sequence[float], buckets: Sequence[int], quantile: str) -> float:
    """The bound at or above a quantile of what ``buckets`` count; at least one response is needed."""
    beyond = QUANTILES[quantile] * sum(buckets)
    left = sum(buckets)
    for bound, count in zip(bounds, buckets):
        left -= count
        if left <= beyond:
            return bound
    return inf


class Reference:
    """Takes the stable color's quantiles, then counts by them.

    ``slowdown`` and ``promote_slowdown``: how many times as long as the stable color's the candidate's may be (1.1 and
    1.46). ``fixed`` is what :attr:`info` of a stage before gave.
    """

    def __init__(
        self,
        quantiles: Sequence[str],
        slowdown: float = 1.1,
        promote_slowdown: float = 1.46,
        fixed: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self._quantiles = list(quantiles)
        self._slowdown = slowdown
        self._promote_slowdown = promote_slowdown
        self._bounds: list[float] = []
        self._seen: list[int] = []
        self._beta: dict[str, float] = {}
        self._just_taken = False
        if fixed and set(fixed.get("beta") or {}) >= set(quantiles):
            self._beta = {quantile: float(fixed["beta"][quantile]) for quantile in quantiles}

    @property
    def info(self) -> dict[str, Any]:
        """For the tape: ``{"beta": {quantile: seconds}}``, or ``{"responses": n, "needed": n}`` while it is taken.

        The tick that completes it has both, with ``needed`` 0: it is the last one that is not judged.
        """
        if self._beta:
            beta = {"beta": dict(self._beta)}
            return {**beta, "responses": sum(self._seen), "needed": 0} if self._just_taken else beta
        return {"responses": sum(self._seen), "needed": REFERENCE_RESPONSES - sum(self._seen)}

    def count(self, bounds: Sequence[float], candidate: Servers, stable: Servers) -> dict[str, dict[str, Any]]:
        """Counts by color and server, as they go onto the tape; empty while the reference is still being taken.

        ``bounds`` are upper bounds in seconds, the last one infinite; ``candidate`` and ``stable`` are this tick's
        responses by bucket and server. Raises ValueError where a quantile lies beyond the last finite bound, so that
        nobody could be seen to be slower.
        """
        self._just_taken = False
        if not self._beta:
            self._take(bounds, stable)
            return {}
        limits = {quantile: self._limits(bounds, quantile) for quantile in self._quantiles}
        return {
            "candidate": {
                server: {
                    quantile: [sum(buckets), slower(bounds, buckets, promote), slower(bounds, buckets, rollback)]
                    for quantile, (_, rollback, promote) in limits.items()
                }
                for server, buckets in candidate.items()
            },
            "stable": {
                server: {
                    quantile: [sum(buckets), slower(bounds, buckets, beta)] for quantile, (beta, _, _) in limits.items()
                }
                for server, buckets in stable.items()
            },
        }

    def _take(self, bounds: Sequence[float], stable: Servers) -> None:
        if list(bounds) != self._bounds:
            self._bounds, self._seen = list(bounds), [0] * len(bounds)
        for buckets in stable.values():
            self._seen = [a + b for a, b in zip(self._seen, buckets)]
        if sum(self._seen) >= REFERENCE_RESPONSES:
            beta = {quantile: quantile_bound(bounds, self._seen, quantile) for quantile in self._quantiles}
            for quantile, bound in beta.items():
                self._refuse_beyond(bounds, quantile, bound)
            self._beta, self._just_taken = beta, True

    def _limits(self, bounds: Sequence[float], quantile: str) -> tuple[float, float, float]:
        beta = bound_at(bounds, self._beta[quantile])
        rollback, promote = bound_at(bounds, beta * self._slowdown), bound_at(bounds, beta * self._promote_slowdown)
        self._refuse_beyond(bounds, quantile, max(beta, rollback, promote))
        return beta, rollback, promote

    def _refuse_beyond(self, bounds: Sequence[float], quantile: str, bound: float) -> None:
        if not isfinite(bound):
            raise ValueError(
                f"{quantile} of the stable color lies too near to the longest time that the histogram tells apart, "
                f"{[b for b in bounds if isfinite(b)][-1]:g} s; leave {quantile} out of gates.latency.quantiles"
            )
