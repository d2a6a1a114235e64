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
    GoodEvidence,
    HostChecked,
    Mixture,
    error_increments,
    requests_needed,
    responses_needed,
    slow_fraction,
    slow_increments,
    to_float,
)
from ._health import Health
from ._interval import RatioHistory
from ._latency import REFERENCE_RESPONSES
from ._policy import Policies, Trouble, first
from ._sentence import Names, sentence
from ._settings import Settings, Threshold
from ._tape import awaited, error_counts, has_latency, measuring, missing, slow_counts, total, unanswered
from ._thresholds import Thresholds
from ._verdict import Signals, decide, ended_by, least, weakest_host

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
        policies: Optional[Mapping[str, Mapping[str, str]]] = None,
    ) -> None:
        """``policies``: by gate what it does without its data, as :func:`_settings.policies_of` gives it."""
        self.settings = settings
        self.names = names or Names()
        self._thresholds = Thresholds(thresholds, (carry or {}).get("thresholds"))
        self._policies = Policies(policies or {})
        self._health = Health((servers or {}).get("candidate", ()), settings.min_errors)
        self._candidates = set((servers or {}).get("candidate", ()))
        self._e1 = HostChecked(len(ERROR_GRID), settings.cap)
        self._e1_increments = error_increments(settings.r0)
        self._e2 = {quantile: HostChecked(len(LATENCY_ODDS), settings.cap) for quantile in settings.latency}
        self._good_errors = GoodEvidence(settings.r1, settings.d1)
        self._good_latency = {q: Mixture(len(LATENCY_ODDS)) for q in settings.latency if q in _PROMOTE_QUANTILES}
        self._history = RatioHistory()
        self._total = {"candidate": (0, 0), "stable": (0, 0)}
        self._stage = {"candidate": (0, 0), "stable": (0, 0)}
        # Responses and slow ones: of the stable color slower than beta, of the candidate than the rollback's bound.
        self._slow = dict.fromkeys(settings.latency, (0, 0))
        self._slow_candidate = dict.fromkeys(settings.latency, (0, 0))
        self._timed = {"candidate": 0, "stable": 0}
        self._reference: dict[str, Any] = {}
        self._ticks = 0
        # Of what a journal kept there is no evidence.
        if carry and "errors" in carry:
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
        self._reference = line.get("reference", self._reference)
        signals = self._signals(line, candidate, stable)
        verdict, cause = decide(signals)
        evidence = self._evidence(signals)
        return {
            **ended_by(signals, verdict),
            "verdict": verdict,
            "cause": cause,
            "message": sentence(verdict, cause, self.names, self.settings, signals, evidence),
            "ticks": self._ticks,
            "elapsed": line["t"],
            "evidence": evidence,
        }

    def due(self, t: float) -> list[str]:
        """Names of the thresholds that are to be measured ``t`` seconds after the stage began."""
        return self._thresholds.due(t)

    def carry(self) -> dict[str, Any]:
        """What the next stage's judge goes on from; JSON-ready."""
        return {
            "errors": self._e1.carry(),
            "latency": {quantile: process.carry() for quantile, process in self._e2.items()},
            "history": self._history.carry(),
            "slow": {quantile: list(count) for quantile, count in self._slow.items()},
            "slow_candidate": {quantile: list(count) for quantile, count in self._slow_candidate.items()},
            "reference": self._reference,
            "thresholds": self._thresholds.stable,
            "candidate": list(self._total["candidate"]),
            "stable": list(self._total["stable"]),
        }

    def _resume(self, carry: Mapping[str, Any]) -> None:
        self._e1.resume(carry["errors"])
        for quantile, process in carry["latency"].items():
            if quantile in self._e2:
                self._e2[quantile].resume(process)
                self._slow[quantile] = pair(carry["slow"][quantile])
                self._slow_candidate[quantile] = pair(carry["slow_candidate"][quantile])
        self._reference = dict(carry["reference"])
        self._history.resume(carry["history"])
        self._total = {color: pair(carry[color]) for color in ("candidate", "stable")}
        self._good_errors.begin(*self._total["stable"])

    def _count_errors(self, candidate: Counts, stable: Counts) -> tuple[Count, Count]:
        n_c, k_c = total(candidate)
        n_b, k_b = total(stable)
        if self.settings.errors:
            self._good_errors.add(n_c, k_c, n_b, k_b)
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
            self._slow[quantile] = added(self._slow[quantile], (n_b, k_b))
            self._slow_candidate[quantile] = added(self._slow_candidate[quantile], total(slower))
        # The same responses are counted at every quantile.
        self._timed["candidate"] += total(slow_counts(candidate, self.settings.latency[0], 1))[0]
        self._timed["stable"] += total(slow_counts(stable, self.settings.latency[0], 1))[0]

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
        health = self._health
        short = health.up_fraction < settings.min_healthy
        thresholds = self._thresholds.update(line["t"], line.get("thresholds", {}))
        warmup = None if candidate and stable else warming(line, settings.warmup)
        troubles = self._troubles(line, candidate, stable, warmup)
        return Signals(
            split_lost=line.get("split_lost"),
            down=health.down,
            thresholds=thresholds,
            forced=self._policies.update([*troubles, *thresholds.troubles]),
            rollback_counts=counts,
            rollback_cause="latency" if (latency or 0.0) > (counted or 0.0) else "errors",
            one_host=weakest_host(self._without(), settings.host_check) if counts else None,
            e_rollback=self._together(errors, latency),
            source_down=first(troubles, "source_down"),
            no_data=first(troubles, "no_data") or awaited(line),
            warmup=warmup,
            server_down="; ".join(text for _, text in sorted(health.missing.items())) if short else None,
            useless=health.useless,
            measuring=measuring(line) if settings.latency else None,
            needed=self._needed(),
            e_promote=0.0 if self._untimed() else self._e_promote(),
            proven=1.0 / settings.beta,
            promote_below=settings.promote_below,
            lasted=line["t"] >= settings.dwell,
        )

    def _needed(self) -> int:
        """About how many candidate requests are still missing; 0 once there were enough of them to tell."""
        settings = self.settings
        ln_proof = log(1.0 / settings.beta)
        needed = []
        if settings.errors:
            n_c, _ = self._stage["candidate"]
            n_b, k_b = self._stage["stable"]
            rate = k_b / n_b if n_b else 0.0
            if n_c < requests_needed(ln_proof, n_c, n_b, rate, settings.r1, settings.d1):
                needed.append(
                    requests_needed(
                        self._good_errors.stakes.ln_missing(ln_proof), n_c, n_b, rate, settings.r1, settings.d1
                    )
                )
        for quantile, process in self._good_latency.items():
            n_c, n_b = self._timed["candidate"], self._timed["stable"]
            if n_c < responses_needed(ln_proof, quantile, n_c, n_b):
                needed.append(responses_needed(process.stakes.ln_missing(ln_proof), quantile, n_c, n_b))
        return max([*needed, self._untimed()])

    def _untimed(self) -> int:
        """Responses that are still missing where only quantiles are judged of which no promotion asks a proof."""
        if self.settings.errors or not self._e2 or self._good_latency:
            return 0
        return max(0, REFERENCE_RESPONSES - self._timed["candidate"])

    def _e_promote_errors(self) -> Optional[float]:
        return to_float(self._good_errors.ln_e) if self.settings.errors else None

    def _e_promote(self) -> Optional[float]:
        return least([self._e_promote_errors(), *(to_float(process.ln_e) for process in self._good_latency.values())])

    def _without(self) -> dict[str, float]:
        """E_rollback without each candidate server in turn."""
        return {
            server: self._together(self._e_errors(server), self._e_latency(server))
            for server in sorted(self._candidates)
        }

    def _troubles(
        self, line: Mapping[str, Any], candidate: Mapping[str, Any], stable: Mapping[str, Any], warmup: Optional[str]
    ) -> list[Trouble]:
        """What is missing of the data that this judge needs."""
        settings = self.settings
        gates = [gate for gate in ("errors", "latency") if (settings.errors if gate == "errors" else settings.latency)]
        silent = unanswered(line)
        if silent:
            asked = [gate for gate in gates if gate not in settings.elsewhere] or ["balancers"]
            return [Trouble(gate, "source_down", silent) for gate in asked]
        troubles = [trouble for gate in gates if (trouble := missing(line, gate))]
        known = {trouble.gate for trouble in troubles}
        if "errors" in gates and "errors" not in known and not warmup:
            there = error_counts(candidate), error_counts(stable)
            if not all(there):
                color = self.names.stable if there[0] else self.names.candidate
                troubles.append(Trouble("errors", "no_data", f"no counters of {color} in this tick"))
        if "latency" in gates and "latency" not in known and not warmup and measuring(line) is None:
            unseen = [q for q in self._e2 if not has_latency(candidate, q) or not has_latency(stable, q)]
            if unseen:
                troubles.append(Trouble("latency", "no_data", f"no latencies ({unseen[0]}) in this tick"))
        return troubles

    def _evidence(self, signals: Signals) -> dict[str, Any]:
        low, high = self._history.interval()
        return {
            "concurrent": True,
            "e_rollback": signals.e_rollback,
            "e_errors": self._e_errors(),
            "e_latency": self._e_latency(),
            "e_promote": signals.e_promote,
            "e_promote_errors": self._e_promote_errors(),
            "latency": self._latency_evidence(),
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

    def _latency_evidence(self) -> dict[str, dict[str, Any]]:
        """By quantile what its bounds are (seconds; beta is None while it is taken), counts, and e-values."""
        beta = self._reference.get("beta", {})
        return {
            quantile: {
                "beta": beta.get(quantile),
                "candidate": list(self._slow_candidate[quantile]),
                "stable": list(self._slow[quantile]),
                "e_rollback": to_float(process.pooled.ln_e),
                "e_promote": to_float(self._good_latency[quantile].ln_e) if quantile in self._good_latency else None,
            }
            for quantile, process in self._e2.items()
        }


def warming(line: Mapping[str, Any], warmup: float) -> Optional[str]:
    """Which servers are too young to be counted, or None."""
    young = sorted(line.get("warmup", {}).items())
    if not young:
        return None
    return (
        ", ".join(f"{name} has run for {age:.0f} s" for name, age in young[:3])
        + (f" and {len(young) - 3} more" if len(young) > 3 else "")
        + f", and what a container does in its first {warmup:g} s is not counted"
    )


def added(one: Count, other: Count) -> Count:
    return one[0] + other[0], one[1] + other[1]


def pair(count: Sequence[int]) -> Count:
    return int(count[0]), int(count[1])


def named(count: Count) -> dict[str, int]:
    return {"requests": count[0], "errors": count[1]}
