"""The interval for the ratio."""

from __future__ import annotations

from math import exp, log

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _interval
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._evidence import (
    ERROR_GRID,
    error_increments,
    ln_mean_exp,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._interval import RatioHistory
from hypothesis import given, settings
from hypothesis import strategies as st

counts = st.tuples(st.integers(1, 2000), st.integers(0, 60)).map(lambda pair: (pair[0], min(pair)))


def history(ticks):
    found = RatioHistory()
    for (n_c, k_c), (n_b, k_b) in ticks:
        found.add(n_c, k_c, n_b, k_b)
    return found


def test_nothing_is_excluded_before_an_error():
    assert RatioHistory().interval() == (0.0, None)
    assert history([((100, 0), (900, 0))]).interval() == (0.0, None)


def test_one_sided_errors_leave_the_other_end_open():
    low, high = history([((1000, 40), (9000, 0))]).interval()
    assert low > 10
    assert high is None
    low, high = history([((1000, 0), (9000, 400))]).interval()
    assert low == 0.0
    assert high < 0.2


@settings(max_examples=80, deadline=None)
@given(counts, counts, st.integers(1, 5))
def test_the_ratio_lies_in_its_interval(candidate, stable, times):
    found = history([(candidate, stable)] * times)
    low, high = found.interval()
    if found.ratio:
        assert low <= found.ratio * 1.01
        assert high is None or high >= found.ratio * 0.99


def test_the_ends_are_where_e_reaches_40():
    ticks = [((210, 9), (3800, 12)), ((190, 11), (3700, 9)), ((400, 12), (3900, 15))]
    low, high = history(ticks).interval()
    increments = error_increments(low)
    up = [sum(column) for column in zip(*(increments(n_c, k_c, n_b, k_b) for (n_c, k_c), (n_b, k_b) in ticks))]
    assert exp(ln_mean_exp(up)) == pytest.approx(40, rel=0.02)
    increments = error_increments(high, [1 / g for g in ERROR_GRID])
    down = [sum(column) for column in zip(*(increments(n_c, k_c, n_b, k_b) for (n_c, k_c), (n_b, k_b) in ticks))]
    assert exp(ln_mean_exp(down)) == pytest.approx(40, rel=0.02)


def test_where_it_starts_looking_does_not_change_the_interval():
    ticks = [((100 + 7 * i, 2 + i % 3), (1900 - 5 * i, i % 4)) for i in range(40)]
    grown = RatioHistory()
    for (n_c, k_c), (n_b, k_b) in ticks:
        grown.add(n_c, k_c, n_b, k_b)
        grown.interval()
    fresh = history(ticks).interval()
    assert grown.interval() == pytest.approx(fresh, rel=2e-3)


def test_keeping_similar_ticks_together_costs_little():
    ticks = [((95 + i % 11, 3), (1900 + 13 * i % 90, 4)) for i in range(60)]
    kept = history(ticks)
    assert len(kept._bins) < len(ticks), "no two ticks were kept together"
    bins = [(float(k_c), float(k_c + k_b), n_c / (n_c + n_b)) for (n_c, k_c), (n_b, k_b) in ticks]
    exact = _interval._root(bins, log(40), ERROR_GRID, 0.0, rising=False)
    assert log(kept.interval()[0]) == pytest.approx(exact, abs=0.005)


def test_a_split_that_moves_does_not_bend_the_ratio():
    stages = [((50, 5), (950, 95)), ((500, 5), (500, 5))]
    assert history(stages).ratio == pytest.approx(1.0), "adding up would give 0.26"


def test_history_goes_on_from_what_was_carried():
    first = history([((50, 5), (950, 9))])
    second = RatioHistory()
    second.resume(first.carry())
    for one in (first, second):
        one.add(60, 4, 900, 11)
    assert second.interval() == pytest.approx(first.interval())
    assert second.ratio == pytest.approx(first.ratio)
