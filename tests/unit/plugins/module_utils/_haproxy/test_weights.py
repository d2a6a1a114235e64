# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Split arithmetic: properties against a brute-force oracle, edges, and wrong input."""

from __future__ import annotations

from fractions import Fraction

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import shares_of, split_weights
from hypothesis import example, given, settings
from hypothesis import strategies as st

PERCENT = st.one_of(
    st.integers(0, 100),
    st.integers(1, 9999).map(lambda hundredths: hundredths / 100),
    st.floats(min_value=0, max_value=100, allow_nan=False),
    st.sampled_from([1e-9, 0.001, 99.999, 99.9999999]),
)


def group(color: str, size: int) -> list[str]:
    return [f"{color}{number}" for number in range(1, size + 1)]


def fleet(blue: int, green: int) -> dict[str, list[str]]:
    return {"blue": group("blue", blue), "green": group("green", green)}


def totals(weights: dict[str, int], servers: dict[str, list[str]]) -> tuple[int, int]:
    return sum(weights[name] for name in servers["blue"]), sum(weights[name] for name in servers["green"])


def wanted_share(share: float) -> Fraction:
    green, blue = Fraction(repr(share)), Fraction(repr(100 - share))
    return green / (green + blue)


def oracle_distance(blue: int, green: int, share: Fraction, largest: int) -> Fraction:
    """The least distance to ``share`` over every pair of totals, by looking at all of them."""
    best = None
    for stable in range(1 if share < 1 else 0, largest * blue + 1):
        for candidate in range(1 if share > 0 else 0, largest * green + 1):
            if stable + candidate:
                distance = abs(Fraction(candidate, stable + candidate) - share)
                best = distance if best is None else min(best, distance)
    assert best is not None
    return best


@given(blue=st.integers(1, 4), green=st.integers(1, 4), share=PERCENT, largest=st.integers(1, 9))
@settings(max_examples=400, deadline=None)
@example(blue=1, green=1, share=33.3, largest=9)
@example(blue=1, green=4, share=1e-9, largest=3)
def test_no_other_integer_weights_come_closer_to_the_share(blue: int, green: int, share: float, largest: int) -> None:
    original, _weights.MAX_WEIGHT = _weights.MAX_WEIGHT, largest
    try:
        servers = fleet(blue, green)
        weights = split_weights(servers, {"blue": 100 - share, "green": share})
    finally:
        _weights.MAX_WEIGHT = original
    stable, candidate = totals(weights, servers)
    wanted = wanted_share(share)
    reached = Fraction(candidate, stable + candidate)
    assert abs(reached - wanted) == oracle_distance(blue, green, wanted, largest)


@given(blue=st.integers(0, 500), green=st.integers(0, 500), share=PERCENT)
@settings(max_examples=500, deadline=None)
@example(blue=500, green=1, share=0.001)
@example(blue=1, green=500, share=0.001)
@example(blue=1, green=500, share=99.999)
@example(blue=3, green=7, share=33.3)
@example(blue=0, green=500, share=100)
@example(blue=500, green=0, share=0)
def test_weights_of_any_groups_and_share_keep_every_bound(blue: int, green: int, share: float) -> None:
    servers = fleet(blue, green)
    shares = {"blue": 100 - share, "green": share}
    if (shares["green"] > 0 and not green) or (shares["blue"] > 0 and not blue):
        with pytest.raises(InputError, match="has no servers"):
            split_weights(servers, shares)
        return
    weights = split_weights(servers, shares)
    assert list(weights) == [*servers["blue"], *servers["green"]], "one weight a server, in the order given"
    assert all(0 <= weight <= 256 for weight in weights.values())
    for names in servers.values():
        of_color = [weights[name] for name in names] or [0]
        assert max(of_color) - min(of_color) <= 1, "servers of a color are treated alike"
    reached = shares_of(weights, servers)
    assert (reached["green"] > 0) == (shares["green"] > 0), "no share of nothing, and nothing without a share"
    assert (reached["blue"] > 0) == (shares["blue"] > 0)
    assert sum(reached.values()) == pytest.approx(100)


@given(blue=st.integers(1, 500), green=st.integers(1, 500), share=st.integers(1, 99))
@settings(max_examples=300, deadline=None)
def test_whole_percentages_are_off_by_less_than_half_a_weight_unit(blue: int, green: int, share: int) -> None:
    servers = fleet(blue, green)
    reached = shares_of(split_weights(servers, {"blue": 100.0 - share, "green": float(share)}), servers)
    # With n servers of 256 each, one unit of weight is at most this share of all of them.
    unit = 100 / (256 * min(blue, green))
    assert abs(reached["green"] - share) <= unit / 2 + 1e-9


@given(blue=st.integers(1, 60), green=st.integers(1, 60), share=st.integers(1, 99))
@settings(max_examples=300, deadline=None)
def test_an_exact_share_is_reached_uniformly_wherever_uniform_weights_can_reach_it(
    blue: int, green: int, share: int
) -> None:
    servers = fleet(blue, green)
    weights = split_weights(servers, {"blue": 100.0 - share, "green": float(share)})
    uniform_exists = any(
        (each_green * green) * (100 - share) == (each_blue * blue) * share
        for each_green in range(1, 257)
        for each_blue in [(each_green * green * (100 - share)) // (blue * share)]
        if 1 <= each_blue <= 256
    )
    if uniform_exists:
        assert len({weights[name] for name in servers["blue"]}) == 1
        assert len({weights[name] for name in servers["green"]}) == 1
        assert shares_of(weights, servers)["green"] == share


@pytest.mark.parametrize(
    ("blue", "green", "share", "expected"),
    [
        (2, 2, 5, {"blue1": 247, "blue2": 247, "green1": 13, "green2": 13}),
        (2, 2, 50, {"blue1": 256, "blue2": 256, "green1": 256, "green2": 256}),
        (2, 2, 100, {"blue1": 0, "blue2": 0, "green1": 256, "green2": 256}),
        (2, 2, 0, {"blue1": 256, "blue2": 256, "green1": 0, "green2": 0}),
        (3, 1, 25, {"blue1": 256, "blue2": 256, "blue3": 256, "green1": 256}),
        (1, 3, 0.01, {"blue1": 256, "green1": 1, "green2": 0, "green3": 0}),
    ],
)
def test_known_splits_get_known_weights(blue: int, green: int, share: float, expected: dict[str, int]) -> None:
    assert split_weights(fleet(blue, green), {"blue": 100 - share, "green": share}) == expected


def test_before_a_first_release_every_weight_is_zero() -> None:
    servers = fleet(2, 3)
    weights = split_weights(servers, {"blue": 0, "green": 0})
    assert set(weights.values()) == {0}
    assert shares_of(weights, servers) == {"blue": 0.0, "green": 0.0}


def test_no_servers_at_all_are_fine_as_long_as_nobody_wants_a_share() -> None:
    assert split_weights({"blue": [], "green": []}, {"blue": 0, "green": 0}) == {}


def test_decimal_percentages_mean_what_was_written() -> None:
    servers = fleet(10, 10)
    weights = split_weights(servers, {"blue": 66.7, "green": 33.3})
    assert totals(weights, servers) == (2001, 999), "33.3 % is 333 of 1000, not the nearest binary fraction"


def test_shares_with_the_rounding_of_a_subtraction_are_accepted() -> None:
    servers = fleet(2, 2)
    assert shares_of(split_weights(servers, {"blue": 100 - 4.9, "green": 4.9}), servers)["green"] == pytest.approx(
        4.9, abs=0.05
    )


@pytest.mark.parametrize(
    ("servers", "shares", "message"),
    [
        (fleet(0, 2), {"blue": 5, "green": 95}, "color blue has no servers and cannot get 5 %"),
        (fleet(1, 1), {"blue": 50, "green": 49}, "add up to 99 %: blue 50 %, green 49 %"),
        (fleet(1, 1), {"blue": 101, "green": -1}, "share of blue is 101 %, outside of 0 to 100 %"),
        (fleet(1, 1), {"blue": float("nan"), "green": 1}, "share of blue is nan, not a percentage"),
        (fleet(1, 1), {"blue": True, "green": 99}, "share of blue is True, not a percentage"),
        (fleet(1, 1), {"blue": "50", "green": 50}, "share of blue is '50', not a percentage"),
        (fleet(1, 1), {"red": 50, "green": 50}, "Shares are for green, red, the servers are blue, green"),
        ({"blue": ["a"], "green": ["a"]}, {"blue": 50, "green": 50}, "server a is in blue and in green"),
        ({"blue": ["a", "a"], "green": ["b"]}, {"blue": 50, "green": 50}, "server a is twice in blue"),
        ({"blue": ["a"]}, {"blue": 100}, "between two colors, not 1: blue"),
    ],
)
def test_wrong_input_is_refused_with_the_thing_named(
    servers: dict[str, list[str]], shares: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        split_weights(servers, shares)


CAPACITIES = st.lists(st.sampled_from([0.25, 0.5, 1, 1.5, 2, 3, 8]), min_size=1, max_size=6)


def of_capacities(blue: list[float], green: list[float]) -> tuple[dict[str, list[str]], dict[str, float]]:
    servers = fleet(len(blue), len(green))
    return servers, {**dict(zip(servers["blue"], blue)), **dict(zip(servers["green"], green))}


@given(blue=CAPACITIES, green=CAPACITIES, share=PERCENT, largest=st.integers(8, 12))
@settings(max_examples=100, deadline=None)
def test_with_capacities_no_other_totals_come_closer_to_the_share(
    blue: list[float], green: list[float], share: float, largest: int
) -> None:
    servers, capacities = of_capacities(blue, green)
    original, _weights.MAX_WEIGHT = _weights.MAX_WEIGHT, largest
    try:
        most = [
            sum(_weights.full_weights(names, capacities, _weights.MAX_WEIGHT).values()) for names in servers.values()
        ]
        weights = split_weights(servers, {"blue": 100 - share, "green": share}, capacities)
    finally:
        _weights.MAX_WEIGHT = original
    wanted = wanted_share(share)
    stable, candidate = totals(weights, servers)
    distances = [
        abs(Fraction(g, b + g) - wanted)
        for b in range(1 if wanted < 1 else 0, most[0] + 1)
        for g in range(1 if wanted > 0 else 0, most[1] + 1)
        if b + g
    ]
    assert abs(Fraction(candidate, stable + candidate) - wanted) == min(distances)


@given(blue=CAPACITIES, green=CAPACITIES, share=PERCENT)
@settings(max_examples=200, deadline=None)
def test_the_weights_of_a_color_follow_the_capacities_of_its_servers(
    blue: list[float], green: list[float], share: float
) -> None:
    servers, capacities = of_capacities(blue, green)
    weights = split_weights(servers, {"blue": 100 - share, "green": share}, capacities)
    for names in servers.values():
        full = _weights.full_weights(names, capacities, _weights.MAX_WEIGHT)
        assert max(full.values()) == 256
        total = sum(weights[name] for name in names)
        for name in names:
            part = Fraction(total * full[name], sum(full.values()))
            assert abs(weights[name] - part) < 1, f"{name} of {capacities}"
            assert 0 <= weights[name] <= full[name]


@given(capacities=CAPACITIES)
def test_the_weights_at_all_of_the_traffic_say_the_capacities_again(capacities: list[float]) -> None:
    servers, by_name = of_capacities(capacities, [1])
    full = _weights.full_weights(servers["blue"], by_name, 256)
    assert split_weights(servers, {"blue": 100, "green": 0}, by_name) == {**full, "green1": 0}
    assert _weights.full_weights(servers["blue"], full, 256) == full
    assert split_weights(servers, {"blue": 70, "green": 30}, full) == split_weights(
        servers, {"blue": 70, "green": 30}, by_name
    )


def test_a_server_of_twice_the_capacity_gets_twice_the_requests() -> None:
    weights = split_weights(fleet(2, 2), {"blue": 50, "green": 50}, {"green1": 2})
    assert weights == {"blue1": 192, "blue2": 192, "green1": 256, "green2": 128}


@pytest.mark.parametrize("capacity", [0, -1, float("nan"), float("inf")])
def test_a_capacity_that_is_none_is_refused(capacity: float) -> None:
    with pytest.raises(InputError, match=r"capacity of green1 is .*, not a number above 0"):
        split_weights(fleet(1, 1), {"blue": 50, "green": 50}, {"green1": capacity})


@pytest.mark.parametrize("share", [0.1, 5, 33.3, 100])
def test_many_servers_get_small_weights_and_the_same_shares(share: float) -> None:
    servers = fleet(3000, 2000)
    weights = split_weights(servers, {"blue": 100 - share, "green": share})
    assert 8 <= max(weights.values()) <= 16
    assert shares_of(weights, servers)["green"] == pytest.approx(share, abs=0.01)
