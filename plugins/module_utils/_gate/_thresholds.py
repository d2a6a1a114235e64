# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain limits on measured values, followed from tick to tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ._settings import Threshold


@dataclass(frozen=True)
class ThresholdState:
    """What the thresholds say at a tick; at most one of the first three is set, the gravest."""

    violated: Optional[str] = None
    source_down: Optional[str] = None
    no_data: Optional[str] = None
    failing: Optional[str] = None
    """Beyond its limit, but not often enough for a rollback yet."""


class Thresholds:
    """All thresholds of a gate. A tick without a value neither adds to the failures in a row nor ends them."""

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        self._thresholds = list(thresholds)
        self._in_a_row = {threshold.name: 0 for threshold in thresholds}
        self._values: dict[str, Optional[float]] = {}

    def __bool__(self) -> bool:
        return bool(self._thresholds)

    def update(self, values: Mapping[str, Any]) -> ThresholdState:
        """``values``: by name a number, None (no data), or ``{"source_down": reason}``; a name left out has no data."""
        violated = down = missing = failing = None
        for threshold in self._thresholds:
            value = values.get(threshold.name)
            self._values[threshold.name] = value if isinstance(value, (int, float)) else None
            if isinstance(value, Mapping):
                down = down or f"{threshold.name}: {value.get('source_down')}"
            elif value is None:
                missing = missing or threshold.name
            elif threshold.violated(value):
                self._in_a_row[threshold.name] += 1
                text = f"{threshold.name} is {value:g}, and must be {threshold.limit}"
                if self._in_a_row[threshold.name] >= threshold.failures:
                    times = f" ({self._in_a_row[threshold.name]} times in a row)" if threshold.failures > 1 else ""
                    violated = violated or text + times
                else:
                    failing = failing or text
            else:
                self._in_a_row[threshold.name] = 0
        if violated:
            return ThresholdState(violated=violated)
        if down:
            return ThresholdState(source_down=down)
        if missing:
            return ThresholdState(no_data=missing)
        return ThresholdState(failing=failing)

    def evidence(self) -> dict[str, dict[str, Any]]:
        return {
            threshold.name: {
                "value": self._values.get(threshold.name),
                "max": threshold.max,
                "min": threshold.min,
                "failures": self._in_a_row[threshold.name],
            }
            for threshold in self._thresholds
        }
