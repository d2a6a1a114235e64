# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threshold of a split by user, whole VMs, and the roles of colors: arithmetic only."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._roles import roles
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._users import NOBODY, PLACES, threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import (
    shares_of,
    split_weights,
    vm_weights,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._state import empty
from hypothesis import given, settings
from hypothesis import strategies as st


def fleet(blue: int, green: int) -> dict[str, list[str]]:
    return {"blue": [f"b{n}" for n in range(blue)], "green": [f"g{n}" for n in range(green)]}


def shares(green: float) -> dict[str, float]:
    return {"blue": 100.0 - green, "green": green}


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 99))
@settings(max_examples=60, deadline=None)
def test_a_threshold_is_the_share_of_the_weights_and_never_all_or_nothing_by_rounding(
    blue: int, green: int, share: int
) -> None:
    servers = fleet(blue, green)
    weights = split_weights(servers, shares(share))
    found = threshold(weights, servers["green"])
    assert 0 < found < PLACES
    assert abs(found / 100 - shares_of(weights, servers)["green"]) <= 0.01


def test_a_threshold_at_the_ends() -> None:
    servers = fleet(2, 2)
    assert threshold(split_weights(servers, shares(0)), servers["green"]) == 0
    assert threshold(split_weights(servers, shares(100)), servers["green"]) == PLACES
    assert threshold(dict.fromkeys(["b0", "g0"], 0), ["g0"]) == NOBODY


@pytest.mark.parametrize(
    ("blue", "green", "share", "expected"),
    [
        (10, 10, 0, (10, 0)),
        (10, 10, 5, (10, 1)),
        (10, 10, 25, (10, 3)),
        (10, 10, 50, (10, 10)),
        (10, 10, 75, (3, 10)),
        (10, 10, 100, (0, 10)),
        (1, 3, 10, (1, 1)),
        (4, 1, 50, (1, 1)),
    ],
)
def test_whole_vms_come_as_close_as_their_number_can(
    blue: int, green: int, share: float, expected: tuple[int, int]
) -> None:
    servers = fleet(blue, green)
    weights = vm_weights(servers, shares(share))
    assert set(weights.values()) <= {0, 256}
    for names, number in zip(servers.values(), expected):
        assert [name for name in names if weights[name]] == names[:number]


@given(st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_whole_vms_of_the_candidate_only_join_while_its_share_rises(blue: int, green: int) -> None:
    servers = fleet(blue, green)
    counts = [vm_weights(servers, shares(share)) for share in range(101)]
    for before, after in zip(counts, counts[1:]):
        assert all(after[name] >= before[name] for name in servers["green"])


def test_a_candidate_is_one_once_it_was_deployed() -> None:
    state = {**empty(), "stable": "blue"}
    release = {"release_id": "r1", "color": "green"}
    assert roles(empty()) == {}
    assert roles(state) == roles({**state, "release": {**release, "phase": "deploying"}}) == {"stable": "blue"}
    for phase in ("deployed", "rolling", "paused"):
        found = roles({**state, "release": {**release, "phase": phase}})
        assert found == {"stable": "blue", "candidate": "green"}, phase
