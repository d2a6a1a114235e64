"""The e-processes: exact enumeration, and properties that must hold for all counts."""

from __future__ import annotations

from itertools import product
from math import comb, exp, log, prod

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _evidence
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._evidence import (
    ERROR_GRID,
    LATENCY_ODDS,
    GoodEvidence,
    HostChecked,
    Mixture,
    above_increments,
    error_increments,
    good_increment,
    ln_mean_exp,
    past_error_rate,
    requests_needed,
    slow_fraction,
    slow_increments,
    to_float,
    worst_acceptable,
)
from hypothesis import assume, given
from hypothesis import strategies as st

SIZES = [(1, 1), (2, 6), (5, 5), (6, 2)]
RATES = [0.001, 0.02, 0.2, 0.6]


def binomial(n, k, p):
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def outcomes(n_c, n_b, p_c, p_b):
    for k_c, k_b in product(range(n_c + 1), range(n_b + 1)):
        yield k_c, k_b, binomial(n_c, k_c, p_c) * binomial(n_b, k_b, p_b)


def factor(increments, n_c, k_c, n_b, k_b):
    found = increments(n_c, k_c, n_b, k_b)
    return 1.0 if found is None else exp(ln_mean_exp(found))


@pytest.mark.parametrize(("n_c", "n_b"), SIZES)
@pytest.mark.parametrize("p_b", RATES)
@pytest.mark.parametrize("times", [0.0, 0.5, 1.0, 1.5])
def test_e1_is_at_most_1_on_average_while_the_candidate_fails_at_most_r0_times_as_often(n_c, n_b, p_b, times):
    p_c = min(1.0, times * p_b)
    increments = error_increments(1.5)
    mean = sum(p * factor(increments, n_c, k_c, n_b, k_b) for k_c, k_b, p in outcomes(n_c, n_b, p_c, p_b))
    assert mean <= 1 + 1e-12


@pytest.mark.parametrize("cap", [None, 4.0])
def test_e1_stays_at_most_1_on_average_over_two_ticks_of_different_traffic(cap):
    increments = error_increments(1.5)
    mean = 0.0
    for k1_c, k1_b, p1 in outcomes(2, 5, 0.3, 0.2):
        for k2_c, k2_b, p2 in outcomes(4, 3, 0.06, 0.04):
            process = Mixture(len(ERROR_GRID), cap)
            for n_c, k_c, n_b, k_b in ((2, k1_c, 5, k1_b), (4, k2_c, 3, k2_b)):
                found = increments(n_c, k_c, n_b, k_b)
                if found is not None:
                    process.add(found)
            mean += p1 * p2 * exp(process.ln_e)
    assert mean <= 1 + 1e-12


@pytest.mark.parametrize(("n_c", "n_b"), SIZES)
@pytest.mark.parametrize("slow", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("p", [0.005, 0.1, 0.45, 0.8])
def test_e2_is_at_most_1_on_average_while_both_are_slow_equally_often_whatever_was_expected(n_c, n_b, slow, p):
    increments = slow_increments(slow)
    mean = sum(w * factor(increments, n_c, k_c, n_b, k_b) for k_c, k_b, w in outcomes(n_c, n_b, p, p))
    assert mean <= 1 + 1e-12


@pytest.mark.parametrize("p", [0.1, 0.45])
def test_e2_turned_round_is_at_most_1_on_average_while_the_candidate_is_not_faster(p):
    increments = slow_increments(0.4, [1 / o for o in LATENCY_ODDS])
    mean = sum(w * factor(increments, 3, k_c, 5, k_b) for k_c, k_b, w in outcomes(3, 5, p * 1.2, p))
    assert mean <= 1 + 1e-12


@pytest.mark.parametrize(("n_c", "n_b"), SIZES)
@pytest.mark.parametrize("expected", [1e-4, 0.005, 0.1])
@pytest.mark.parametrize("p_b", RATES[:3])
@pytest.mark.parametrize("more", [0.0, 0.1])
def test_e3_is_at_most_1_on_average_while_the_candidate_is_too_bad(n_c, n_b, expected, p_b, more):
    r1, d1 = 2.0, 0.002
    p_c = min(1.0, r1 * p_b + d1 + more)
    mean = sum(
        w * exp(good_increment(n_c, k_c, n_b, k_b, expected, r1, d1)) for k_c, k_b, w in outcomes(n_c, n_b, p_c, p_b)
    )
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("p_b", [0.02, 0.2, 0.6])
def test_e1_staked_in_parts_is_at_most_1_on_average_however_often_it_is_staked_anew(monkeypatch, p_b):
    # So that what is seen in one tick is enough to stake anew in the next.
    monkeypatch.setattr(_evidence, "LN_LOST", log(0.999))
    increments = error_increments(1.5)
    mean, anew = 0.0, 0
    for ticks in product(list(outcomes(2, 2, min(1.0, 1.5 * p_b), p_b)), repeat=3):
        process = Mixture(len(ERROR_GRID))
        for k_c, k_b, _ in ticks:
            found = increments(2, k_c, 2, k_b)
            if found is not None:
                process.add(found)
        mean += prod(weight for _, _, weight in ticks) * exp(process.ln_e)
        anew += process.stakes.bets
    assert anew > 100, "it was staked anew"
    assert mean <= 1 + 1e-9


def ticks_to_roll_back(process):
    """Of a candidate that fails 1 % of 1000 requests a tick, until the odds are 100 to 1."""
    ticks = 0
    while process.ln_e < log(100):
        process.add(error_increments(1.5)(1000, 10, 1000, 0))
        ticks += 1
    return ticks


@pytest.mark.parametrize("before", [[(300, 300)] * 10, [(10, 10)] * 700])
def test_e1_finds_a_version_that_turns_bad_after_an_incident_or_a_long_time_of_errors_on_both(before):
    at_once = ticks_to_roll_back(Mixture(len(ERROR_GRID), 4.0))
    process = Mixture(len(ERROR_GRID), 4.0)
    for k_c, k_b in before:
        process.add(error_increments(1.5)(1000, k_c, 1000, k_b))
    carried = Mixture(len(ERROR_GRID), 4.0)
    carried.resume(process.carry())
    assert ticks_to_roll_back(process) == ticks_to_roll_back(carried) <= 5 * at_once


@pytest.mark.parametrize(("expected", "p_b"), [(1e-4, 0.005), (0.3, 0.005), (0.005, 0.3)])
def test_e3_staked_in_parts_is_at_most_1_on_average_however_often_it_is_staked_anew(monkeypatch, expected, p_b):
    # So that what is seen in one tick is enough to stake anew in the next.
    monkeypatch.setattr(_evidence, "LN_LOST", log(0.999))
    r1, d1 = 2.0, 0.002
    mean, anew = 0.0, 0
    for ticks in product(list(outcomes(2, 2, r1 * p_b + d1, p_b)), repeat=3):
        process = GoodEvidence(r1, d1)
        process.begin(1000, round(1000 * expected))
        for k_c, k_b, _ in ticks:
            process.add(2, k_c, 2, k_b)
        mean += prod(weight for _, _, weight in ticks) * exp(process.ln_e)
        anew += process.stakes.bets
    assert anew > 100, "it was staked anew"
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("incident", [0.2, 0.9])
def test_e3_recovers_from_an_incident_on_both_colors_before_during_and_after_it(incident):
    process = GoodEvidence(2.0, 0.002)
    for rate in (0.0, incident, 0.0):
        for _ in range(30):
            process.add(1000, round(1000 * rate), 1000, round(1000 * rate))
        # A stable color that mostly fails leaves nothing to prove.
        assert process.ln_e > log(20) or rate == 0.9


def test_e3_does_not_pass_a_version_that_fails_more_often_after_an_incident():
    process = GoodEvidence(2.0, 0.002)
    for k_c, k_b in [(0, 0)] * 5 + [(300, 300)] * 10 + [(10, 0)] * 300:
        process.add(1000, k_c, 1000, k_b)
    assert process.ln_e < log(20)


@pytest.mark.parametrize("limit", [0.001, 0.05, 0.4])
def test_the_evidence_without_a_baseline_is_at_most_1_on_average_while_the_limit_is_kept(limit):
    increments = above_increments(limit)
    for p in (limit / 2, limit):
        mean = sum(binomial(6, k, p) * factor(increments, 6, k, 0, 0) for k in range(7))
        assert mean <= 1 + 1e-12


def test_the_worst_acceptable_point_lies_on_the_line_and_is_the_closest_one():
    r1, d1, p, n_c, n_b = 2.0, 0.002, 0.01, 50, 950

    def distance(y):
        x = r1 * y + d1
        return n_c * (p * log(p / x) + (1 - p) * log((1 - p) / (1 - x))) + n_b * (
            p * log(p / y) + (1 - p) * log((1 - p) / (1 - y))
        )

    x, y = worst_acceptable(p, n_c, n_b, r1, d1)
    assert x == pytest.approx(r1 * y + d1)
    assert distance(y) <= min(distance(y * 0.999), distance(y * 1.001))


@pytest.mark.parametrize("p", [0.6, 0.999])
def test_a_stable_color_that_mostly_fails_does_not_break_e3(p):
    assert good_increment(10, 5, 10, 6, p, 2.0, 0.002) < 1e9


counts = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda pair: (max(pair), min(pair)))


@given(counts, counts)
def test_a_tick_without_requests_of_one_color_says_nothing(stable, candidate):
    increments = [error_increments(1.5), slow_increments(0.1)]
    assert all(found(0, 0, *stable) is None and found(*candidate, 0, 0) is None for found in increments)
    assert good_increment(0, 0, *stable, 0.01, 2.0, 0.002) == 0.0
    assert good_increment(*candidate, 0, 0, 0.01, 2.0, 0.002) == 0.0


@pytest.mark.parametrize(
    ("increments", "grid"), [(error_increments(1.5), ERROR_GRID), (slow_increments(0.1), LATENCY_ODDS)]
)
@given(counts, counts)
def test_a_tick_that_comes_in_two_halves_is_the_same_evidence(increments, grid, candidate, stable):
    whole, halves = Mixture(len(grid)), Mixture(len(grid))
    half = (*candidate, *stable)
    found = increments(*(2 * count for count in half))
    if found is not None:
        whole.add(found)
        for _ in range(2):
            halves.add(increments(*half))
    # A bet that is lost by half a tick is given up there.
    assume(not halves.stakes.bets)
    assert halves.ln_e == pytest.approx(whole.ln_e, abs=1e-9)


@given(st.lists(st.tuples(counts, counts), max_size=12))
def test_the_cap_bounds_the_growth_of_a_tick_and_never_raises_the_evidence(ticks):
    increments = error_increments(1.5)
    free, capped = Mixture(len(ERROR_GRID)), Mixture(len(ERROR_GRID), 4.0)
    for (n_c, k_c), (n_b, k_b) in ticks:
        found = increments(n_c, k_c, n_b, k_b)
        if found is not None:
            before = capped.ln_e
            free.add(found)
            capped.add(found)
            assert capped.ln_e - before <= log(4.0) + 1e-12
            if not capped.stakes.bets:
                assert capped.ln_e <= free.ln_e + 1e-9


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), counts, min_size=1), counts)
def test_the_evidence_without_a_server_is_that_of_the_others_alone(candidate, stable):
    increments = error_increments(1.5)
    checked = HostChecked(len(ERROR_GRID), 4.0)
    checked.add(candidate, *stable, increments)
    for left_out in candidate:
        others = HostChecked(len(ERROR_GRID), 4.0)
        others.add({name: count for name, count in candidate.items() if name != left_out}, *stable, increments)
        assert checked.ln_without(left_out) == pytest.approx(others.pooled.ln_e, abs=1e-9)


def test_a_server_that_joins_later_had_no_part_in_what_was_before():
    increments = error_increments(1.5)
    checked = HostChecked(len(ERROR_GRID), 4.0)
    checked.add({"a": (100, 9)}, 900, 3, increments)
    checked.add({"a": (100, 0), "b": (100, 30)}, 900, 3, increments)
    alone = HostChecked(len(ERROR_GRID), 4.0)
    alone.add({"a": (100, 9)}, 900, 3, increments)
    alone.add({"a": (100, 0)}, 900, 3, increments)
    assert checked.ln_without("b") == pytest.approx(alone.pooled.ln_e)


def test_evidence_goes_on_from_what_was_carried():
    increments = error_increments(1.5)
    whole, first, second = (HostChecked(len(ERROR_GRID), 4.0) for _ in range(3))
    ticks = [({"a": (50, 4), "b": (40, 3)}, 900, 5), ({"a": (60, 2)}, 800, 6), ({"a": (9, 1), "b": (70, 6)}, 850, 1)]
    for tick in ticks:
        whole.add(*tick, increments)
    first.add(*ticks[0], increments)
    second.resume(first.carry())
    for tick in ticks[1:]:
        second.add(*tick, increments)
    assert second.pooled.ln_e == pytest.approx(whole.pooled.ln_e)
    assert second.carry()["without"].keys() == whole.carry()["without"].keys()
    assert second.ln_without("b") == pytest.approx(whole.ln_without("b"))


@pytest.mark.parametrize(("d1", "needed"), [(0.002, 1497), (0.005, 598), (0.01, 299)])
def test_with_nothing_seen_it_knows_how_many_requests_without_an_error_are_needed(d1, needed):
    assert requests_needed(log(20), 0, 0, 0.0, 2.0, d1) == needed


def test_what_is_needed_shrinks_to_nothing():
    assert requests_needed(0.0, 10, 90, 0.01, 2.0, 0.002) == 0
    assert requests_needed(log(20) / 2, 0, 0, 0.0, 2.0, 0.002) == pytest.approx(1497 / 2, abs=1)


def test_estimates_from_past_ticks_begin_at_something_sensible():
    assert past_error_rate(0, 0, 0.002) == pytest.approx(0.0005)
    assert past_error_rate(10_000, 100, 0.002) == pytest.approx(0.01, rel=0.1)
    assert slow_fraction("p90", 0, 0) == pytest.approx(0.1)
    assert slow_fraction("p90", 9_000, 1800) == pytest.approx(0.19)


def test_overwhelming_evidence_is_a_finite_number():
    assert to_float(1e6) < float("inf")
