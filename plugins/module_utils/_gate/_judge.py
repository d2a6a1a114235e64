# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: one tape line in, one verdict out. Pure; the mathematics is in ``_evidence``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, Optional

from ._evidence import (
    ERROR_GRID,
    LATENCY_ODDS,
    Count,
    HostChecked,
    Mixture,
    error_increments,
    good_increment,
    past_error_rate,
    requests_needed,
    slow_fraction,
    slow_increments,
    to_float,
)
from ._health import Health
from ._interval import RatioHistory
from ._sentence import Names, sentence
from ._settings import Settings, Threshold
from ._tape import error_counts, has_latency, slow_counts, total, unanswered
from ._thresholds import Thresholds
from ._verdict import Signals, decide, least, weakest_host

# Slower than 1.46 times the stable quantile is asked for p50 and p90 only: at p99 too few responses tell.
_PROMOTE_QUANTILES = ("p50", "p90")
Counts = dict[str, Count]


class Judge:
    """Compares a candidate with a stable color that serves at the same time (E1, E2, E3).

    ``servers`` names each color's servers (``candidate``, ``stable``); without it they are those seen on the tape.
    ``carry`` is what :meth:`carry` of the stage before gave: the evidence for a rollback goes on from stage to stage,
    that for a promotion starts anew.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        names: Optional[Names] = None,
        thresholds: Sequence[Threshold] = (),
        servers: Optional[Mapping[str, Sequence[str]]] = None,
        carry: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.settings = settings
        self.names = names or Names()
        self._thresholds = Thresholds(thresholds)
        self._health = Health((servers or {}).get("candidate", ()), settings.min_errors)
        self._candidates = set((servers or {}).get("candidate", ()))
        self._e1 = HostChecked(len(ERROR_GRID), settings.cap)
        self._e1_increments = error_increments(settings.r0)
        self._e2 = {quantile: HostChecked(len(LATENCY_ODDS), settings.cap) for quantile in settings.latency}
        self._ln_e3 = 0.0
        self._good_latency = {q: Mixture(len(LATENCY_ODDS)) for q in settings.latency if q in _PROMOTE_QUANTILES}
        self._history = RatioHistory()
        self._total = {"candidate": (0, 0), "stable": (0, 0)}
        self._stage = {"candidate": (0, 0), "stable": (0, 0)}
        self._slow = dict.fromkeys(settings.latency, (0, 0))
        self._ticks = 0
        if carry:
            self._resume(carry)

    def tick(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Take one tape line and judge all so far: verdict, cause, message, ticks, elapsed, evidence."""
        self._ticks += 1
        colors = line.get("colors", {})
        candidate, stable = colors.get("candidate", {}), colors.get("stable", {})
        self._candidates |= set(candidate)
        tick_c = tick_b = (0, 0)
        if "source_down" not in line:
            tick_c, tick_b = self._count_errors(error_counts(candidate), error_counts(stable))
            if self.settings.latency:
                self._count_latency(candidate, stable)
        self._health.update(line, tick_c, tick_b)
        signals = self._signals(line, candidate, stable)
        verdict, cause = decide(signals)
        evidence = self._evidence(signals)
        return {
            "verdict": verdict,
            "cause": cause,
            "message": sentence(verdict, cause, self.names, self.settings, signals, evidence),
            "ticks": self._ticks,
            "elapsed": line["t"],
            "evidence": evidence,
        }

    def carry(self) -> dict[str, Any]:
        """What the next stage's judge goes on from; JSON-ready."""
        return {
            "errors": self._e1.carry(),
            "latency": {quantile: process.carry() for quantile, process in self._e2.items()},
            "history": self._history.carry(),
            "slow": {quantile: list(count) for quantile, count in self._slow.items()},
            "candidate": list(self._total["candidate"]),
            "stable": list(self._total["stable"]),
        }

    def _resume(self, carry: Mapping[str, Any]) -> None:
        self._e1.resume(carry["errors"])
        for quantile, process in carry["latency"].items():
            if quantile in self._e2:
                self._e2[quantile].resume(process)
                self._slow[quantile] = pair(carry["slow"][quantile])
        self._history.resume(carry["history"])
        self._total = {color: pair(carry[color]) for color in ("candidate", "stable")}

    def _count_errors(self, candidate: Counts, stable: Counts) -> tuple[Count, Count]:
        n_c, k_c = total(candidate)
        n_b, k_b = total(stable)
        if self.settings.errors:
            past = past_error_rate(*self._total["stable"], self.settings.d1)
            self._ln_e3 += good_increment(n_c, k_c, n_b, k_b, past, self.settings.r1, self.settings.d1)
            self._e1.add(candidate, n_b, k_b, self._e1_increments)
            self._history.add(n_c, k_c, n_b, k_b)
        for totals in (self._total, self._stage):
            totals["candidate"] = (totals["candidate"][0] + n_c, totals["candidate"][1] + k_c)
            totals["stable"] = (totals["stable"][0] + n_b, totals["stable"][1] + k_b)
        return (n_c, k_c), (n_b, k_b)

    def _count_latency(self, candidate: Mapping[str, Any], stable: Mapping[str, Any]) -> None:
        """E2 a quantile, and its mirror for the promotion.

        The mirror asks whether the candidate is 46 % slower: H0 is that at least as many of its responses are slower
        than 1.46 times the stable quantile as stable ones are slower than the quantile itself.
        """
        for quantile, process in self._e2.items():
            slower, faster = slow_counts(candidate, quantile, 2), slow_counts(candidate, quantile, 1)
            n_b, k_b = total(slow_counts(stable, quantile, 1))
            past = slow_fraction(quantile, *self._slow[quantile])
            process.add(slower, n_b, k_b, slow_increments(past))
            if quantile in self._good_latency:
                n_c, k_c = total(faster)
                more = slow_increments(past, [1.0 / o for o in LATENCY_ODDS])(n_c, k_c, n_b, k_b)
                if more is not None:
                    self._good_latency[quantile].add(more)
            n, k = self._slow[quantile]
            self._slow[quantile] = (n + n_b, k + k_b)

    def _e_errors(self, server: Optional[str] = None) -> Optional[float]:
        if not self.settings.errors:
            return None
        return to_float(self._e1.pooled.ln_e if server is None else self._e1.ln_without(server))

    def _e_latency(self, server: Optional[str] = None) -> Optional[float]:
        """The plain average over the quantiles."""
        if not self._e2:
            return None
        found = [process.pooled.ln_e if server is None else process.ln_without(server) for process in self._e2.values()]
        return sum(to_float(ln_e) for ln_e in found) / len(found)

    @staticmethod
    def _together(errors: Optional[float], latency: Optional[float]) -> float:
        """E_rollback: half of each when both are gated.

        With one of them only it is that one: the other would be the constant 1, and half of the evidence would be
        thrown away for a test that nobody asked for. A mean of e-values is an e-value, whatever their dependence.
        """
        if errors is None:
            return 1.0 if latency is None else latency
        return errors if latency is None else 0.5 * errors + 0.5 * latency

    def _errors_count(self) -> bool:
        n_c, k_c = self._total["candidate"]
        n_b, k_b = self._total["stable"]
        if not n_c or not n_b:
            return False
        return k_c >= self.settings.min_errors and k_c / n_c - k_b / n_b >= self.settings.min_excess

    def _signals(self, line: Mapping[str, Any], candidate: Mapping[str, Any], stable: Mapping[str, Any]) -> Signals:
        settings = self.settings
        errors, latency = self._e_errors(), self._e_latency()
        # Too few errors to mean anything: they then count for nothing, which only lowers the evidence.
        counted = errors if errors is None or self._errors_count() else 0.0
        counts = self._together(counted, latency) >= 1.0 / settings.alpha and (
            errors is not None or latency is not None
        )
        ln_missing = log(1.0 / settings.beta) - self._ln_e3
        n_c, _ = self._stage["candidate"]
        n_b, k_b = self._stage["stable"]
        rate = k_b / n_b if n_b else 0.0
        in_all = requests_needed(log(1.0 / settings.beta), n_c, n_b, rate, settings.r1, settings.d1)
        needed = requests_needed(ln_missing, n_c, n_b, rate, settings.r1, settings.d1) if n_c < in_all else 0
        health = self._health
        short = health.up_fraction < settings.min_healthy
        return Signals(
            split_lost=line.get("split_lost"),
            down=health.down,
            thresholds=self._thresholds.update(line.get("thresholds", {})),
            rollback_counts=counts,
            rollback_cause="latency" if (latency or 0.0) > (counted or 0.0) else "errors",
            one_host=weakest_host(self._without(), settings.host_check) if counts else None,
            e_rollback=self._together(errors, latency),
            source_down=unanswered(line),
            no_data=self._no_data(candidate, stable),
            server_down="; ".join(text for _, text in sorted(health.missing.items())) if short else None,
            useless=health.useless,
            needed=needed if settings.errors else 0,
            e_promote=self._e_promote(),
            proven=1.0 / settings.beta,
            promote_below=settings.promote_below,
            lasted=line["t"] >= settings.dwell,
        )

    def _e_promote(self) -> Optional[float]:
        errors = to_float(self._ln_e3) if self.settings.errors else None
        return least([errors, *(to_float(process.ln_e) for process in self._good_latency.values())])

    def _without(self) -> dict[str, float]:
        """E_rollback without each candidate server in turn."""
        return {
            server: self._together(self._e_errors(server), self._e_latency(server))
            for server in sorted(self._candidates)
        }

    def _no_data(self, candidate: Mapping[str, Any], stable: Mapping[str, Any]) -> Optional[str]:
        if not self.settings.errors and not self.settings.latency:
            return None
        if not candidate or not stable:
            return f"no counters of {self.names.stable if candidate else self.names.candidate} in this tick"
        missing = [q for q in self._e2 if not has_latency(candidate, q) or not has_latency(stable, q)]
        return f"no latencies ({missing[0]}) in this tick" if missing else None

    def _evidence(self, signals: Signals) -> dict[str, Any]:
        low, high = self._history.interval()
        return {
            "concurrent": True,
            "e_rollback": signals.e_rollback,
            "e_errors": self._e_errors(),
            "e_latency": self._e_latency(),
            "e_promote": signals.e_promote,
            "leave_one_out": self._without(),
            "hosts_told_apart": len(self._candidates) > 1,
            "candidate": named(self._total["candidate"]),
            "stable": named(self._total["stable"]),
            "stage": {color: named(count) for color, count in self._stage.items()},
            "ratio": self._history.ratio,
            "ratio_interval": [low, high],
            "needed": signals.needed,
            "thresholds": self._thresholds.evidence(),
        }


def pair(count: Sequence[int]) -> Count:
    return int(count[0]), int(count[1])


def named(count: Count) -> dict[str, int]:
    return {"requests": count[0], "errors": count[1]}
