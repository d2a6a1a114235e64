"""A small simulation with fixed seeds: how often a good candidate is rolled back, and how soon a bad one is."""

from __future__ import annotations

import random
from math import exp
from statistics import median

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings

RUNS = 60


def rollout(seed, rate, extra, until=600):
    """8 stable and 2 candidate servers that differ a little, with incidents that hit everybody; the first verdict."""
    chance = random.Random(seed)
    servers = [f"green{i}" for i in range(2)] + [f"blue{i}" for i in range(8)]
    base = {name: 0.003 * exp(chance.gauss(0, 0.25)) for name in servers}
    each = rate * 5 // 10
    judge = Judge(Settings())
    incident = chance.randrange(20, 90)
    for i in range(1, until // 5 + 1):
        worse = 10.0 if incident <= i < incident + 12 else 1.0
        colors = {"candidate": {}, "stable": {}}
        for name in servers:
            green = name.startswith("green")
            p = min(1.0, base[name] * worse + extra * green)
            bad = min(each, poisson(chance, each * p))
            colors["candidate" if green else "stable"][name] = {"errors": [each, bad]}
        result = judge.tick({"t": 5 * i, "colors": colors})
        if result["verdict"] != "hold":
            break
    return result


def poisson(chance, mean):
    """Knuth's method; the means here are small."""
    limit, k, product = exp(-mean), 0, chance.random()
    while product > limit:
        k += 1
        product *= chance.random()
    return k


@pytest.mark.parametrize("rate", [20, 200, 1000])
def test_a_good_candidate_is_not_rolled_back(rate):
    results = [rollout(seed, rate, 0.0) for seed in range(RUNS)]
    wrong = [result["message"] for result in results if result["verdict"] == "rollback"]
    assert not wrong, f"{len(wrong)} of {RUNS} good candidates were rolled back"


def test_a_good_candidate_is_promoted_where_there_is_traffic():
    results = [rollout(seed, 200, 0.0) for seed in range(RUNS)]
    promoted = sum(result["verdict"] == "promote" for result in results)
    assert promoted >= 0.9 * RUNS


@pytest.mark.parametrize(("rate", "extra"), [(100, 0.05), (1000, 0.01)])
def test_a_bad_candidate_is_found_within_a_minute(rate, extra):
    results = [rollout(seed, rate, extra) for seed in range(RUNS)]
    found = [result["elapsed"] for result in results if result["verdict"] == "rollback"]
    assert len(found) >= 0.95 * RUNS, "some were not found at all"
    assert median(found) <= 60
