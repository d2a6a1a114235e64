# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journals keep of the stable color, so that 100 % is judged after a pause or a death as it would have been.

::

    {"reference": {"beta": {"p50": seconds, ...}}, "slow": {"p50": [responses, slow], ...}, "stable": [requests, bad],
     "thresholds": {name: value, ...}}

That is the part of a stage's ``carry`` which :class:`._threshold_judge.ThresholdJudge` needs. The evidence itself is
not kept: it grows with the servers, and a journal is for what a person may want to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ._evidence import QUANTILES

# A line of the journal stays short, whatever a page has.
THRESHOLDS_KEPT = 50
NAME_LENGTH = 200


def remembered(carry: Mapping[str, Any]) -> dict[str, Any]:
    """What of a judge's ``carry`` goes into the journals; empty where there is none."""
    if not carry:
        return {}
    beta = (carry.get("reference") or {}).get("beta") or {}
    slow = carry.get("slow") or {}
    values = {name: value for name, value in (carry.get("thresholds") or {}).items() if len(name) <= NAME_LENGTH}
    return {
        "reference": {"beta": dict(beta)} if beta else {},
        "slow": {quantile: list(slow[quantile]) for quantile in beta if quantile in slow},
        "stable": list(carry.get("stable") or (0, 0)),
        "thresholds": dict(sorted(values.items())[:THRESHOLDS_KEPT]),
    }


def checked(found: Any) -> dict[str, Any]:
    """What :func:`remembered` gave, as a journal has it; empty where anything of it is not what it must be."""
    if not isinstance(found, Mapping) or not all(
        isinstance(found.get(part), Mapping) for part in ("reference", "slow", "thresholds")
    ):
        return {}
    beta = found["reference"].get("beta", {})
    slow, stable, values = found["slow"], found.get("stable"), found["thresholds"]
    good = (
        isinstance(beta, Mapping)
        and {*beta, *slow} <= set(QUANTILES)
        and all(_is_number(seconds) and seconds > 0 for seconds in beta.values())
        and all(_is_count(count) for count in (stable, *slow.values()))
        and all(isinstance(name, str) and _is_number(value) for name, value in values.items())
    )
    return {part: found[part] for part in ("reference", "slow", "stable", "thresholds")} if good else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_count(count: Any) -> bool:
    if not isinstance(count, list) or len(count) != 2:
        return False
    return (
        all(isinstance(number, int) and not isinstance(number, bool) for number in count) and 0 <= count[1] <= count[0]
    )
