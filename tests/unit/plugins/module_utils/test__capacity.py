# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is up of a color can carry a share of the traffic."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._capacity import overload


def fleet(blue: str, green: str, **capacities: float) -> dict[str, dict[str, Any]]:
    """``up`` and ``down`` servers by their signs: ``fleet("++", "+-")``."""
    return {
        f"{color}{number}": {"color": color, "up": sign == "+", "capacity": capacities.get(f"{color}{number}", 1)}
        for color, signs in (("blue", blue), ("green", green))
        for number, sign in enumerate(signs, start=1)
    }


@pytest.mark.parametrize(
    ("blue", "green", "share", "carries"),
    [
        ("++++", "++++", 100, True),
        ("++++", "+++-", 100, True),
        ("++++", "++--", 100, False),
        ("++++", "++--", 75, True),
        ("++++", "+---", 25, True),
        ("++++", "+---", 50, False),
        ("++++", "----", 1, False),
        ("++++", "----", 0, True),
        ("----", "+---", 100, True),
        ("", "+", 100, True),
    ],
)
def test_half_as_much_again_is_the_most(blue: str, green: str, share: float, carries: bool) -> None:
    assert (overload(fleet(blue, green), "green", "blue", share, 1.5) is None) == carries


def test_capacity_counts_and_not_the_number_of_servers() -> None:
    assert overload(fleet("++++", "+", green1=4), "green", "blue", 100, 1) is None
    assert overload(fleet("+", "++", blue1=4), "green", "blue", 100, 1.5) is not None


def test_without_a_limit_everything_goes() -> None:
    assert overload(fleet("++++", "----"), "green", "blue", 100, None) is None


def test_the_numbers_are_in_the_message() -> None:
    assert overload(fleet("++++", "+---"), "green", "blue", 50, 1.5) == (
        "green cannot carry 50 % of the traffic: with 1 of 4 servers up, capacity 1, each of them would get 2 times "
        "what those of blue (4 of 4 servers up, capacity 4) get at 100 %, and 1.5 times is the most (capacity.max_load "
        "on the service's page)"
    )
    assert overload(fleet("+", "--"), "green", "blue", 5, 1.5) == (
        "green cannot carry 5 % of the traffic: none of its 2 servers is up"
    )
