# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain limits on measured values, followed from tick to tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ._policy import Trouble
from ._settings import Threshold, threshold_gate

# Ticks come a little early or late.
_EARLY = 0.5


@dataclass(frozen=True)
class ThresholdState:
    """What the thresholds say at a tick; at most one of the texts is set, the gravest."""

    violated: Optional[str] = None
    source_down: Optional[str] = None
    no_data: Optional[str] = None
    failing: Optional[str] = None
    """Beyond its limit, but not often enough for a rollback yet; or a check that says hold."""
    waiting: Optional[str] = None
    """Not measured often enough yet, or not from the time on that was asked for."""
    troubles: tuple[Trouble, ...] = ()


class _Followed:
    """One threshold and what became of it so far."""

    def __init__(self, threshold: Threshold, stable: Optional[float], concurrent: bool) -> None:
        self.threshold = threshold
        self.in_a_row = 0
        self.in_all = 0
        self.measured = 0
        self.value: Optional[float] = None
        self.stable = stable
        self.texts: dict[str, str] = {}
        self._last: Optional[float] = None
        self._concurrent = concurrent
        # The stable color of a stage at 100 % has no traffic that could be measured.
        self.skipped = threshold.max_ratio is not None and not concurrent and stable is None

    def due(self, t: float) -> bool:
        threshold = self.threshold
        if self.skipped or t < threshold.delay - _EARLY or (threshold.count and self.measured >= threshold.count):
            return False
        return self._last is None or threshold.interval is None or t - self._last >= threshold.interval - _EARLY

    def update(self, t: float, reading: Any) -> None:
        """``reading`` as :func:`_sources.reading` gives it."""
        if not self.due(t):
            return
        # Without a value it stays due, so that it is asked again at the next tick.
        name, self.texts = self.threshold.name, {}
        if isinstance(reading, Mapping) and "source_down" in reading:
            self.texts["source_down"] = f"{name}: {reading['source_down']}"
        elif isinstance(reading, Mapping) and "verdict" in reading:
            self._last = t
            self._take_verdict(str(reading["verdict"]), str(reading.get("message") or ""))
        else:
            value, stable = reading, self.stable
            if isinstance(reading, Mapping):
                value = reading.get("candidate")
                stable = reading.get("stable") if self._concurrent else self.stable
            if value is None or (self.threshold.max_ratio is not None and stable is None):
                self.value = value
                self.texts["no_data"] = name if value is None else f"{name}, of the stable color"
            else:
                self._last = t
                self._take_value(float(value), stable)

    def _take_value(self, value: float, stable: Optional[float]) -> None:
        self.value, self.stable = value, stable
        self.measured += 1
        if self.threshold.violated(value, stable):
            self._failed(f"{self.threshold.name} is {value:g}, and must be {self.threshold.limit(stable)}")
        else:
            self.in_a_row = 0

    def _take_verdict(self, verdict: str, message: str) -> None:
        text = f"{self.threshold.name}: {message or f'the check says {verdict}'}"
        if verdict == "hold":
            self.texts["failing"] = text
            return
        self.measured += 1
        if verdict == "promote":
            self.in_a_row = 0
        elif verdict == "rollback":
            self.texts["violated"] = text
        else:
            self._failed(text)

    def _failed(self, text: str) -> None:
        threshold = self.threshold
        self.in_a_row += 1
        self.in_all += 1
        if self.in_a_row >= threshold.failures:
            self.texts["violated"] = text + (f" ({self.in_a_row} times in a row)" if threshold.failures > 1 else "")
        elif threshold.total_failures is not None and self.in_all >= threshold.total_failures:
            self.texts["violated"] = f"{text} ({self.in_all} times in all)"
        else:
            self.texts["failing"] = text

    @property
    def waiting(self) -> Optional[str]:
        name, count = self.threshold.name, self.threshold.count or 1
        if self.skipped or self.texts or self.measured >= count:
            return None
        if not self.measured and self.threshold.delay:
            return f"{name} is measured from {self.threshold.delay:g} s on"
        return f"{name} was measured {self.measured} of {count} times"


class Thresholds:
    """All thresholds of a gate. A tick without a value neither adds to the failures in a row nor ends them.

    ``stable`` are the stable color's last values by name, as :attr:`stable` of the stage before gave them; they stand
    in for its present ones where ``concurrent`` is False. Without one a ``max_ratio`` is not judged there.
    """

    def __init__(
        self,
        thresholds: Sequence[Threshold],
        stable: Optional[Mapping[str, float]] = None,
        *,
        concurrent: bool = True,
    ) -> None:
        self._followed = [
            _Followed(threshold, (stable or {}).get(threshold.name), concurrent) for threshold in thresholds
        ]

    def __bool__(self) -> bool:
        return bool(self._followed)

    def due(self, t: float) -> list[str]:
        """Names of those that are to be measured ``t`` seconds after the stage began."""
        return [followed.threshold.name for followed in self._followed if followed.due(t)]

    def update(self, t: float, values: Mapping[str, Any]) -> ThresholdState:
        """``values`` by name as they are on the tape; one that is due and left out has no data."""
        found: dict[str, str] = {}
        troubles = []
        for followed in self._followed:
            followed.update(t, values.get(followed.threshold.name))
            texts = dict(followed.texts)
            if followed.waiting:
                texts["waiting"] = followed.waiting
            for kind, text in texts.items():
                found.setdefault(kind, text)
                if kind in ("no_data", "source_down"):
                    troubles.append(Trouble(threshold_gate(followed.threshold.name), kind, text))
        for kind in ("violated", "source_down", "no_data", "failing", "waiting"):
            if kind in found:
                return ThresholdState(troubles=tuple(troubles), **{kind: found[kind]})
        return ThresholdState()

    @property
    def stable(self) -> dict[str, float]:
        """The stable color's last values by name."""
        return {f.threshold.name: f.stable for f in self._followed if f.stable is not None}

    @property
    def skipped(self) -> list[str]:
        """Names of those that are not judged, for want of the stable color's value."""
        return [followed.threshold.name for followed in self._followed if followed.skipped]

    def evidence(self) -> dict[str, dict[str, Any]]:
        return {
            followed.threshold.name: {
                "value": followed.value,
                "max": followed.threshold.max,
                "min": followed.threshold.min,
                "max_ratio": followed.threshold.max_ratio,
                "stable": followed.stable,
                "failures": followed.in_a_row,
                "failures_in_all": followed.in_all,
                "measured": followed.measured,
            }
            for followed in self._followed
        }
