# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge where there is nothing to compare with at the same time: a first release, or the stage at 100 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ._evidence import ERROR_GRID, Count, HostChecked, above_increments, to_float
from ._health import Health
from ._judge import named, pair
from ._sentence import Names, absolute_sentence
from ._settings import Settings, Threshold
from ._tape import error_counts, total, unanswered
from ._thresholds import Thresholds
from ._verdict import Signals, decide, weakest_host


class ThresholdJudge:
    """Judges a candidate for ``dwell`` by its health, by thresholds, and by a fixed limit on its error rate.

    The limit is ``max_error_ratio``; without it ``max_ratio`` times the stable color's own rate before, plus the
    margin, where errors are gated and that rate is known (``stable_rate``: requests and errors, or ``carry`` of the
    stage before, or :meth:`note_stable`); else there is none. The rollback rests on an e-value against "at most the
    limit", so chance alone does not cause it; what hits everybody (time of day, a failing database) can, which is why
    it is weaker evidence.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        names: Optional[Names] = None,
        thresholds: Sequence[Threshold] = (),
        servers: Optional[Mapping[str, Sequence[str]]] = None,
        carry: Optional[Mapping[str, Any]] = None,
        stable_rate: Optional[Mapping[str, int]] = None,
    ) -> None:
        self.settings = settings
        self.names = names or Names()
        self._carry = dict(carry or {})
        self._thresholds = Thresholds(thresholds)
        self._candidates = set((servers or {}).get("candidate", ()))
        self._health = Health(self._candidates, settings.min_errors)
        self._stable = _stable_count(carry, stable_rate)
        self._limit, self._limit_text = self._find_limit()
        self._e = HostChecked(len(ERROR_GRID), settings.cap)
        self._total: Count = (0, 0)
        self._ticks = 0

    def _find_limit(self) -> tuple[Optional[float], Optional[str]]:
        settings = self.settings
        if settings.max_error_ratio is not None:
            return settings.max_error_ratio, f"'at most {100 * settings.max_error_ratio:g} %'"
        n, k = self._stable
        if not settings.errors or not n:
            return None, None
        limit = min(0.99, settings.r0 * k / n + settings.d1)
        return limit, f"'at most {100 * limit:.2g} %' (from {self.names.stable}'s {100 * k / n:.2g} % before)"

    def note_stable(self, requests: int, errors: int) -> None:
        """What the balancers counted of the stable color before this stage; used where nothing better is known."""
        if not self._stable[0]:
            self._stable = (requests, errors)
            self._limit, self._limit_text = self._find_limit()

    def tick(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Take one tape line and judge all so far; the result has the same form as the other judge's."""
        self._ticks += 1
        candidate = line.get("colors", {}).get("candidate", {})
        self._candidates |= set(candidate)
        count: Count = (0, 0)
        if "source_down" not in line:
            counts = error_counts(candidate)
            count = total(counts)
            self._total = (self._total[0] + count[0], self._total[1] + count[1])
            if self._limit is not None:
                # A limit of exactly 0 would make one error infinite evidence.
                self._e.add(counts, 0, 0, above_increments(max(self._limit, 1e-6)))
        self._health.update(line, count, (0, 0))
        signals = self._signals(line, candidate)
        verdict, cause = decide(signals)
        evidence = self._evidence(signals)
        return {
            "verdict": verdict,
            "cause": cause,
            "message": absolute_sentence(
                verdict, cause, self.names, self.settings, signals, evidence, self._limit_text
            ),
            "ticks": self._ticks,
            "elapsed": line["t"],
            "evidence": evidence,
        }

    def carry(self) -> dict[str, Any]:
        """What came from the stage before, unchanged."""
        return self._carry

    def _signals(self, line: Mapping[str, Any], candidate: Mapping[str, Any]) -> Signals:
        settings = self.settings
        n, k = self._total
        e = to_float(self._e.pooled.ln_e)
        counts = self._limit is not None and e >= 1.0 / settings.alpha and k >= settings.min_errors
        short = self._health.up_fraction < settings.min_healthy
        within = self._limit is None or (n > 0 and k / n <= self._limit)
        return Signals(
            split_lost=line.get("split_lost"),
            down=self._health.down,
            thresholds=self._thresholds.update(line.get("thresholds", {})),
            rollback_counts=counts,
            one_host=weakest_host(self._without(), settings.host_check) if counts else None,
            e_rollback=e,
            source_down=unanswered(line),
            no_data=None if candidate else f"no counters of {self.names.candidate} in this tick",
            server_down="; ".join(text for _, text in sorted(self._health.missing.items())) if short else None,
            useless=self._health.useless,
            needed=0 if n else 1,
            # Being within the limit stands in for proof, so that the same rules decide here.
            e_promote=None if within else 0.0,
            proven=1.0 / settings.beta,
            promote_below=settings.promote_below,
            lasted=line["t"] >= settings.dwell,
        )

    def _without(self) -> dict[str, float]:
        return {server: to_float(self._e.ln_without(server)) for server in sorted(self._candidates)}

    def _evidence(self, signals: Signals) -> dict[str, Any]:
        n, k = self._stable
        rate = self._total[1] / self._total[0] if self._total[0] else None
        return {
            "concurrent": False,
            "e_rollback": signals.e_rollback,
            "e_errors": signals.e_rollback if self._limit is not None else None,
            "e_latency": None,
            "e_promote": None,
            "leave_one_out": self._without(),
            "hosts_told_apart": len(self._candidates) > 1,
            "candidate": named(self._total),
            "stable": named(self._stable),
            "stage": {"candidate": named(self._total), "stable": named((0, 0))},
            "ratio": rate / (k / n) if rate is not None and k else None,
            "ratio_interval": None,
            "needed": signals.needed if self._limit is not None else 0,
            "thresholds": self._thresholds.evidence(),
            "limit": self._limit,
        }


def _stable_count(carry: Optional[Mapping[str, Any]], stable_rate: Optional[Mapping[str, int]]) -> Count:
    if stable_rate:
        return int(stable_rate["requests"]), int(stable_rate["errors"])
    return pair(carry["stable"]) if carry else (0, 0)
