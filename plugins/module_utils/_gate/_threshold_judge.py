# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge where there is nothing to compare with at the same time: a first release, or the stage at 100 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Optional

from ._evidence import ERROR_GRID, Count, HostChecked, above_increments, slow_fraction, to_float
from ._health import Health
from ._judge import added, named, pair, warming
from ._policy import Policies, Trouble, first
from ._sentence import LIMIT_WRITTEN, Names, absolute_sentence, requests
from ._settings import Settings, Threshold
from ._tape import awaited, error_counts, missing, slow_counts, total, unanswered
from ._thresholds import Thresholds
from ._verdict import Signals, decide, ended_by, weakest_host


class ThresholdJudge:
    """Judges a candidate for ``dwell`` by its health, by thresholds, and by a fixed limit on its error rate.

    The limit is ``max_error_ratio``; without it ``max_ratio`` times the stable color's own rate before, plus the
    margin, where errors are gated and that rate is known: from ``stable_rate`` (requests and errors), else from
    ``carry`` of the stage before or ``before`` of the tape, of so many requests that one which failed makes no more of
    the rate than the margin (500 at 0.2 percentage points). Nothing passes without a
    limit where ``has_stable``, that is, a color has served before: what was seen of it is then too little, and what
    the candidate failed cannot be held against anything. The rollback rests on an e-value against "at most the
    limit", so chance alone does not cause it; what hits everybody (time of day, a failing database) can, which is why
    it is weaker evidence. ``carry`` may be what :mod:`._known` kept of it. Latencies are judged where it has the stable
    color's quantiles, all of them: of the candidate's
    responses as many may be slower than ``max_slowdown`` allows as of the stable color's were slower than the quantile.
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
        policies: Optional[Mapping[str, Mapping[str, str]]] = None,
        has_stable: bool = True,
    ) -> None:
        self.settings = settings
        self.names = names or Names()
        self._carry = dict(carry or {})
        self._thresholds = Thresholds(thresholds, self._carry.get("thresholds"), concurrent=False)
        self._policies = Policies(policies or {})
        self._candidates = set((servers or {}).get("candidate", ()))
        self._health = Health(self._candidates, settings.min_errors)
        self._has_stable = has_stable
        self._known_from = 1 if stable_rate else ceil(1.0 / settings.d1 - 1e-9)
        self._stable = _stable_count(carry, stable_rate)
        self._seen_before = bool(self._stable[0])
        self._limit, self._limit_text = self._find_limit()
        self._e = HostChecked(len(ERROR_GRID), settings.cap)
        self._reference: dict[str, Any] = self._carry.get("reference") or {}
        # Counts come by all quantiles of the page or by none, as a page that was changed meanwhile would have them.
        complete = set(settings.latency) <= set(self._reference.get("beta", {})) & set(self._carry.get("slow", {}))
        self._stable_slow = {quantile: pair(self._carry["slow"][quantile]) for quantile in settings.latency if complete}
        self._e_slow = {quantile: HostChecked(len(ERROR_GRID), settings.cap) for quantile in self._stable_slow}
        self._slow: dict[str, Count] = dict.fromkeys(self._stable_slow, (0, 0))
        self._total: Count = (0, 0)
        self._ticks = 0

    def _find_limit(self) -> tuple[Optional[float], Optional[str]]:
        settings = self.settings
        if settings.max_error_ratio is not None:
            return settings.max_error_ratio, f"'at most {100 * settings.max_error_ratio:g} %'"
        n, k = self._stable
        if not settings.errors or n < self._known_from:
            return None, None
        limit = min(0.99, settings.r0 * k / n + settings.d1)
        return limit, f"'at most {100 * limit:.2g} %' (from {self.names.stable}'s {100 * k / n:.2g} % before)"

    def _note_before(self, before: Count) -> None:
        """What was counted of the stable color before this stage; used where nothing better is known."""
        self._seen_before = True
        if self._stable[0] < min(self._known_from, before[0]):
            self._stable = before
            self._limit, self._limit_text = self._find_limit()

    def tick(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Take one tape line and judge all so far; the result has the same form as the other judge's."""
        self._ticks += 1
        candidate = line.get("colors", {}).get("candidate", {})
        self._candidates |= set(candidate)
        count: Count = (0, 0)
        if "before" in line:
            self._note_before(pair(line["before"]))
        if "source_down" not in line:
            counts = error_counts(candidate)
            count = total(counts)
            self._total = (self._total[0] + count[0], self._total[1] + count[1])
            if self._limit is not None:
                # A limit of exactly 0 would make one error infinite evidence.
                self._e.add(counts, 0, 0, above_increments(max(self._limit, 1e-6)))
            for quantile, process in self._e_slow.items():
                slow = slow_counts(candidate, quantile, 2)
                process.add(slow, 0, 0, above_increments(self._slow_limit(quantile)))
                self._slow[quantile] = added(self._slow[quantile], total(slow))
        self._health.update(line, count, (0, 0))
        signals = self._signals(line, candidate)
        verdict, cause = decide(signals)
        evidence = self._evidence(signals)
        return {
            **ended_by(signals, verdict),
            "verdict": verdict,
            "cause": cause,
            "message": absolute_sentence(
                verdict, cause, self.names, self.settings, signals, evidence, self._limit_text
            ),
            "ticks": self._ticks,
            "elapsed": line["t"],
            "evidence": evidence,
        }

    def due(self, t: float) -> list[str]:
        """Names of the thresholds that are to be measured ``t`` seconds after the stage began."""
        return self._thresholds.due(t)

    def carry(self) -> dict[str, Any]:
        """What came from the stage before, unchanged."""
        return self._carry

    def _signals(self, line: Mapping[str, Any], candidate: Mapping[str, Any]) -> Signals:
        settings = self.settings
        n, k = self._total
        errors = self._e_errors() if self._limit is None or k >= settings.min_errors else 0.0
        latency = self._e_latency()
        counts = self._together(errors, latency) >= 1.0 / settings.alpha
        short = self._health.up_fraction < settings.min_healthy
        thresholds = self._thresholds.update(line["t"], line.get("thresholds", {}))
        warmup = None if candidate else warming(line, settings.warmup)
        troubles = self._troubles(line, candidate, warmup)
        unknown = self._unknown()
        within = (not unknown if self._limit is None else n > 0 and k / n <= self._limit) and not self._slower()
        return Signals(
            split_lost=line.get("split_lost"),
            down=self._health.down,
            thresholds=thresholds,
            forced=self._policies.update([*troubles, *thresholds.troubles]),
            rollback_counts=counts,
            rollback_cause="latency" if (latency or 0.0) > (errors or 0.0) else "errors",
            one_host=weakest_host(self._without(), settings.host_check) if counts else None,
            e_rollback=self._together(self._e_errors(), latency),
            source_down=first(troubles, "source_down"),
            no_data=first(troubles, "no_data") or awaited(line),
            warmup=warmup,
            server_down="; ".join(text for _, text in sorted(self._health.missing.items())) if short else None,
            useless=self._health.useless,
            needed=self._known_from - self._stable[0] if unknown else 0 if n else 1,
            # Being within the limit stands in for proof, so that the same rules decide here.
            e_promote=None if within else 0.0,
            proven=1.0 / settings.beta,
            promote_below=settings.promote_below,
            lasted=line["t"] >= settings.dwell,
        )

    def _unknown(self) -> bool:
        """Whether there must be a limit for errors, and too little is known for one."""
        return self.settings.errors and self._has_stable and self._limit is None

    def _not_judged(self) -> list[str]:
        """What of the page would need to know how the stable color was before."""
        if not self._has_stable:
            return []
        latency = ["latency"] if self.settings.latency and not self._e_slow else []
        return [*latency, *self._thresholds.skipped]

    def _slow_limit(self, quantile: str) -> float:
        """The stable color's own slow fraction of before."""
        return slow_fraction(quantile, *self._stable_slow[quantile])

    def _slower(self) -> list[str]:
        """Quantiles at which more of the candidate's responses are slow than may be, or none were timed."""
        return [q for q, (n, k) in self._slow.items() if not n or k / n > self._slow_limit(q)]

    def _troubles(self, line: Mapping[str, Any], candidate: Mapping[str, Any], warmup: Optional[str]) -> list[Trouble]:
        silent = unanswered(line)
        if silent:
            return [Trouble("errors", "source_down", silent)]
        gates = [*(["errors"] if self.settings.errors else []), *(["latency"] if self._e_slow else [])]
        troubles = [trouble for gate in gates if (trouble := missing(line, gate))]
        if troubles or warmup:
            return troubles
        if not candidate:
            troubles.append(Trouble("errors", "no_data", f"no counters of {self.names.candidate} in this tick"))
        elif any(not slow_counts(candidate, quantile, 2) for quantile in self._e_slow):
            troubles.append(Trouble("latency", "no_data", f"no latencies of {self.names.candidate} in this tick"))
        elif self._unknown():
            nothing = self._nothing_to_hold_against()
            troubles += [Trouble("errors", "no_data", nothing)] if nothing else []
        return troubles

    def _nothing_to_hold_against(self) -> Optional[str]:
        """Why missing knowledge of the stable color is no mere lack of traffic, or None."""
        c, b = self.names.candidate, self.names.stable
        if not self._seen_before:
            return f"how often {b} failed before is not known; {LIMIT_WRITTEN}"
        n, k = self._total
        if k < self.settings.min_errors:
            return None
        little = f"of {b} before too little is known ({requests(self._stable[0])})"
        return f"{k} of {requests(n)} to {c} failed, and {little} to say whether that is more; {LIMIT_WRITTEN}"

    def _e_errors(self, server: Optional[str] = None) -> Optional[float]:
        if self._limit is None:
            return None
        return to_float(self._e.pooled.ln_e if server is None else self._e.ln_without(server))

    def _e_latency(self, server: Optional[str] = None) -> Optional[float]:
        if not self._e_slow:
            return None
        found = [
            process.pooled.ln_e if server is None else process.ln_without(server) for process in self._e_slow.values()
        ]
        return sum(to_float(ln_e) for ln_e in found) / len(found)

    @staticmethod
    def _together(errors: Optional[float], latency: Optional[float]) -> float:
        given = [e for e in (errors, latency) if e is not None]
        return sum(given) / len(given) if given else 1.0

    def _without(self) -> dict[str, float]:
        return {
            server: self._together(self._e_errors(server), self._e_latency(server))
            for server in sorted(self._candidates)
        }

    def _evidence(self, signals: Signals) -> dict[str, Any]:
        n, k = self._stable
        rate = self._total[1] / self._total[0] if self._total[0] else None
        return {
            "concurrent": False,
            "e_rollback": signals.e_rollback,
            "e_errors": self._e_errors(),
            "e_latency": self._e_latency(),
            "e_promote": None,
            "e_promote_errors": None,
            "latency": {
                quantile: {
                    "beta": self._reference["beta"][quantile],
                    "candidate": list(self._slow[quantile]),
                    "stable": list(self._stable_slow[quantile]),
                    "e_rollback": to_float(process.pooled.ln_e),
                    "e_promote": None,
                }
                for quantile, process in self._e_slow.items()
            },
            "slower": self._slower(),
            "not_judged": self._not_judged(),
            "unknown": self._unknown(),
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
