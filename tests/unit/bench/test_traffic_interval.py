# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interval around the cost of the histogram, on pairs whose true median is known."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.traffic.histogram import LEAST, more


def test_pairs_that_all_say_the_same_leave_no_doubt() -> None:
    assert more([1.0] * LEAST, [1.03] * LEAST) == pytest.approx((3.0, 3.0, 3.0))


@pytest.mark.parametrize("pairs", [LEAST, 250])
def test_the_interval_has_the_true_median_in_at_least_95_of_100_cases(pairs: int) -> None:
    chance = random.Random(1)
    inside = 0
    for _case in range(1000):
        # Noise as on a machine that others use: skewed, and now and then far off.
        having = [1.03 * chance.lognormvariate(0, 0.1) * chance.choice([1, 1, 1, 3, 1 / 3]) for _pair in range(pairs)]
        low, middle, high = more([1.0] * pairs, having)
        assert low <= middle <= high
        inside += low <= 3.0 <= high
    assert inside >= 0.93 * 1000, "three standard deviations below 95 of 100"
