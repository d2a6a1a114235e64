"""From histograms to counts of slow responses."""

from __future__ import annotations

from math import inf

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._latency import (
    REFERENCE_RESPONSES,
    Reference,
    bound_at,
    pack,
    quantile_bound,
    slower,
    unpack,
)
from hypothesis import given
from hypothesis import strategies as st

BOUNDS = [0.01, 0.02, 0.05, 0.1, inf]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_a_histogram_survives_being_packed(buckets):
    assert unpack(pack(buckets), len(buckets)) == buckets
    assert len(pack(buckets)) <= len(buckets) + 1


@pytest.mark.parametrize("packed", [[3, 1, 1], [-1, 4]])
def test_buckets_that_do_not_fit_are_refused(packed):
    with pytest.raises(ValueError, match="do not fit"):
        unpack(packed, 4)


def test_a_bound_is_the_first_at_or_above_and_binary_fractions_do_not_matter():
    assert bound_at([0.01, 0.011, 0.0121], 0.01 * 1.1) == 0.011
    assert bound_at(BOUNDS, 0.021) == 0.05
    assert bound_at(BOUNDS, 0.2) == inf


def test_responses_beyond_a_bound_are_counted():
    assert slower(BOUNDS, [5, 4, 3, 2, 1], 0.02) == 6
    assert slower(BOUNDS, [5, 4, 3, 2, 1], 0.1) == 1


@pytest.mark.parametrize(("quantile", "bound"), [("p50", 0.02), ("p90", 0.05), ("p99", 0.1)])
def test_a_quantile_is_the_bound_at_or_above_it(quantile, bound):
    assert quantile_bound(BOUNDS, [40, 40, 15, 5, 0], quantile) == bound


def ticks(reference, *stables):
    return [reference.count(BOUNDS, {"g": [0, 0, 1, 0, 0]}, {"b": stable}) for stable in stables]


def test_beta_is_fixed_before_the_first_tick_that_it_judges_and_stays():
    reference = Reference(["p50"])
    half = [REFERENCE_RESPONSES // 2, 0, 0, 0, 0]
    first, second, third, fourth = ticks(reference, half, half, [0, 0, 9, 0, 0], [9999, 0, 0, 0, 0])
    assert (first, second) == ({}, {}), "these ticks say what is quick, and are not judged by it"
    assert reference.info == {"beta": {"p50": 0.01}}
    assert third == {"candidate": {"g": {"p50": [1, 1, 1]}}, "stable": {"b": {"p50": [9, 9]}}}
    assert fourth["stable"] == {"b": {"p50": [9999, 0]}}


def test_while_it_is_taken_it_says_how_many_responses_are_missing():
    reference = Reference(["p50"])
    ticks(reference, [120, 0, 0, 0, 0])
    assert reference.info == {"responses": 120, "needed": 380}


def test_what_was_taken_in_one_stage_holds_in_the_next():
    reference = Reference(["p50"], fixed={"beta": {"p50": 0.02, "p90": 0.05}})
    (counted,) = ticks(reference, [10, 10, 10, 0, 0])
    assert counted["stable"] == {"b": {"p50": [30, 10]}}
    assert Reference(["p50", "p99"], fixed={"beta": {"p50": 0.02}}).info["needed"] == REFERENCE_RESPONSES


def test_candidates_are_counted_by_bounds_of_their_own():
    reference = Reference(["p50"], slowdown=1.1, promote_slowdown=3.0, fixed={"beta": {"p50": 0.01}})
    counted = reference.count(BOUNDS, {"g": [1, 2, 3, 4, 5]}, {"b": [1, 2, 3, 4, 5]})
    assert counted["candidate"]["g"]["p50"] == [15, 9, 12], (
        "slower than 0.05 for the promotion, than 0.02 for a rollback"
    )
    assert counted["stable"]["b"]["p50"] == [15, 14]


@pytest.mark.parametrize("stable", [[0, 0, 0, 0, 900], [0, 0, 0, 900, 0]])
def test_a_quantile_so_high_that_nobody_could_be_seen_slower_is_no_data(stable):
    reference = Reference(["p50"])
    with pytest.raises(ValueError, match=r"leave p50 out of gates\.latency\.quantiles"):
        ticks(reference, stable, stable)


def test_another_histogram_begins_anew():
    reference = Reference(["p50"])
    ticks(reference, [400, 0, 0, 0, 0])
    reference.count([1.0, inf], {}, {"b": [100, 0]})
    assert reference.info == {"responses": 100, "needed": 400}
