"""The judge as a whole: what a tape leads to."""

from __future__ import annotations

import json

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings, Threshold
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

NAMES = Names("green", "blue")
UP = Threshold("p99", max=0.4, url="http://prometheus", query="x")


def judge(**settings):
    return Judge(Settings(**settings), names=NAMES)


def test_a_good_candidate_is_promoted(traffic):
    result = traffic(share=0.25).run(judge(), 0.001, 0.001)
    assert (result["verdict"], result["cause"]) == ("promote", "passed")
    assert result["elapsed"] >= 60, "not before the dwell"
    assert result["evidence"]["e_promote"] >= 20
    assert result["message"].startswith("green is as good as blue: ")


def test_a_candidate_with_5_per_cent_errors_is_rolled_back_within_a_minute(traffic):
    result = traffic(rate=200).run(judge(), 0.05, 0.001)
    assert (result["verdict"], result["cause"]) == ("rollback", "errors")
    assert result["elapsed"] <= 60
    assert "times as often as blue (" in result["message"]
    assert "valid whenever you look); the evidence against 'at most 1.5 times' is " in result["message"]
    low, high = result["evidence"]["ratio_interval"]
    assert low < result["evidence"]["ratio"] < (high or float("inf"))


def test_one_bad_machine_holds_and_is_named(traffic):
    result = traffic(rate=400).run(judge(), {"green2": 0.2}, 0.001, until=120)
    assert (result["verdict"], result["cause"]) == ("hold", "one_host")
    assert result["evidence"]["e_rollback"] >= 100
    assert "look at green2" in result["message"]
    left_out = result["evidence"]["leave_one_out"]
    assert left_out["green2"] < 20 <= left_out["green1"]


def test_with_a_single_candidate_server_the_pooled_evidence_decides_and_it_is_said(traffic):
    result = traffic(candidates=1).run(judge(), 0.1, 0.001)
    assert (result["verdict"], result["cause"]) == ("rollback", "errors")
    assert result["evidence"]["hosts_told_apart"] is False
    assert "machine and the version cannot be told apart" in result["message"]


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_an_incident_that_hits_both_colors_alike_is_no_rollback(traffic, rate):
    flow = traffic(share=0.25)
    candidate = judge()
    for t in range(5, 301, 5):
        bad = rate if 60 <= t < 180 else 0.001
        result = candidate.tick(flow.line(t, bad, bad))
        assert result["verdict"] != "rollback", result["message"]


def test_a_total_outage_of_both_colors_is_no_rollback(traffic):
    flow = traffic()
    candidate = judge()
    for t in range(5, 61, 5):
        result = candidate.tick(flow.line(t, 1.0, 1.0))
        assert result["verdict"] == "hold", result["message"]
    assert "every request to green failed" in result["message"]


@pytest.mark.parametrize(("d1", "needed"), [(0.002, 1521), (0.005, 608), (0.01, 303)])
def test_no_traffic_at_all_says_how_many_requests_are_needed(line, d1, needed):
    result = judge(d1=d1).tick(line(5, {"green1": (0, 0)}, {"blue1": (0, 0)}))
    assert (result["verdict"], result["cause"]) == ("hold", "too_few_requests")
    assert result["evidence"]["needed"] == needed
    assert result["message"] == f"too few requests: green had none in this stage, about {needed} more are needed"


def test_no_traffic_never_passes(line):
    candidate = judge()
    for t in range(5, 2000, 5):
        result = candidate.tick(line(t, {"green1": (0, 0)}, {"blue1": (500, 0)}))
    assert result["verdict"] == "hold"


def test_a_tick_without_counters_is_no_data(line):
    result = judge().tick(line(5, {}, {"blue1": (500, 0)}))
    assert (result["verdict"], result["cause"]) == ("hold", "no_data")
    assert "no counters of green" in result["message"]


def test_a_source_that_is_down_holds_and_never_passes(line):
    candidate = judge(dwell=0)
    for t in range(5, 61, 5):
        result = candidate.tick(line(t, {"green1": (5000, 0)}, {"blue1": (5000, 0)}))
    assert result["verdict"] == "promote"
    result = candidate.tick({"t": 65, "source_down": "connection refused"})
    assert (result["verdict"], result["cause"]) == ("hold", "source_down")
    assert "connection refused" in result["message"]


def test_a_balancer_that_did_not_answer_keeps_the_others_from_promoting(line):
    candidate = judge(dwell=0)
    good = ({"green1": (50_000, 0)}, {"blue1": (50_000, 0)})
    result = candidate.tick(line(5, *good, missed={"lb2": "timed out"}))
    assert (result["verdict"], result["cause"]) == ("hold", "source_down")
    assert "lb2 did not answer: timed out" in result["message"]
    assert candidate.tick(line(10, *good))["verdict"] == "promote"


def test_a_lost_split_is_rolled_back_whatever_else_is_true(line):
    result = judge(dwell=0).tick(line(5, {"green1": (50_000, 0)}, {"blue1": (50_000, 0)}, split_lost="lb1 differs"))
    assert (result["verdict"], result["cause"]) == ("rollback", "split_lost")
    assert "lb1 differs" in result["message"]


def test_a_candidate_without_a_healthy_server_is_rolled_back_at_once(line):
    candidate = Judge(Settings(), names=NAMES, servers={"candidate": ["green1", "green2"], "stable": ["blue1"]})
    both = {"lb1": {"green1": "DOWN", "green2": "DOWN"}}
    result = candidate.tick(line(5, {}, {"blue1": (10, 0)}, down=both))
    assert (result["verdict"], result["cause"]) == ("rollback", "candidate_down")
    assert "lb1 sees none of its servers up" in result["message"]


def test_one_server_that_is_down_keeps_the_stage_from_being_promoted(line):
    candidate = judge(dwell=0)
    counts = ({"green1": (50_000, 0), "green2": (0, 0)}, {"blue1": (50_000, 0)})
    result = candidate.tick(line(5, *counts, down={"lb1": {"green2": "DOWN"}}))
    assert (result["verdict"], result["cause"]) == ("hold", "server_down")
    assert "green2 is DOWN on lb1" in result["message"]


def test_a_few_errors_are_no_evidence_however_rare_they_are_elsewhere(line):
    candidate = judge()
    for t in range(5, 201, 5):
        result = candidate.tick(line(t, {"green1": (3, int(t % 50 == 0)), "green2": (3, 0)}, {"blue1": (10_000, 0)}))
        if result["evidence"]["candidate"]["errors"] < 5:
            assert result["verdict"] == "hold", result["message"]


def test_a_tiny_excess_is_no_reason_to_roll_back(line):
    candidate = judge(min_errors=1)
    for t in range(5, 101, 5):
        both = {"green1": (10_000, 2), "green2": (10_000, 2)}
        result = candidate.tick(line(t, both, {"blue1": (100_000, 0)}))
        assert result["verdict"] != "rollback"
    assert result["evidence"]["e_rollback"] > 100, "the evidence is there, the excess of 0.02 pp is too small to matter"


def test_evidence_for_a_rollback_goes_on_from_stage_to_stage(traffic):
    flow = traffic(rate=100)
    first = judge()
    for t in range(5, 16, 5):
        before = first.tick(flow.line(t, 0.05, 0.001))
    carried = json.loads(json.dumps(first.carry()))
    second = Judge(Settings(), names=NAMES, carry=carried)
    result = second.tick(flow.line(5, 0.0, 0.0))
    assert result["evidence"]["e_rollback"] == pytest.approx(before["evidence"]["e_rollback"], rel=0.01)
    assert result["evidence"]["candidate"]["requests"] == before["evidence"]["candidate"]["requests"] + 24
    assert result["evidence"]["stage"]["candidate"]["requests"] == 24
    assert result["evidence"]["e_promote"] < 2, "evidence for a promotion starts anew"


def test_errors_that_are_not_gated_are_no_reason(traffic):
    result = traffic().run(judge(errors=False), 0.2, 0.0)
    assert (result["verdict"], result["elapsed"]) == ("promote", 60)
    assert result["evidence"]["e_errors"] is None


def test_a_threshold_that_is_violated_twice_in_a_row_rolls_back(line):
    candidate = Judge(Settings(), names=NAMES, thresholds=[UP])
    values = [0.5, None, 0.3, 0.5, {"source_down": "refused"}, 0.6]
    results = [
        candidate.tick(line(5 * i, {"green1": (9, 0)}, {"blue1": (90, 0)}, thresholds={"p99": value}))
        for i, value in enumerate(values, start=1)
    ]
    assert [result["cause"] for result in results] == [
        "undecided",
        "no_data",
        "too_few_requests",
        "undecided",
        "source_down",
        "threshold",
    ]
    assert results[-1]["verdict"] == "rollback"
    assert results[-1]["message"] == "p99 is 0.6, and must be at most 0.4 (2 times in a row)"


def test_thresholds_are_required_for_a_promotion(line):
    candidate = Judge(Settings(dwell=0), names=NAMES, thresholds=[UP])
    counts = ({"green1": (50_000, 0)}, {"blue1": (50_000, 0)})
    assert candidate.tick(line(5, *counts))["cause"] == "no_data"
    assert candidate.tick(line(10, *counts, thresholds={"p99": 0.2}))["verdict"] == "promote"


def latency(n, quick, slow):
    return {"p50": [n, *quick], "p90": [n, *slow], "p99": [n, *[k // 10 for k in slow]]}


def latency_line(t, candidate, stable):
    return {
        "t": t,
        "colors": {
            "candidate": {
                name: {"errors": [100, 0], "latency": latency(100, *candidate)} for name in ("green1", "green2")
            },
            "stable": {"blue1": {"errors": [1000, 0], "latency": latency(1000, *stable)}},
        },
    }


QUANTILES = ("p50", "p90", "p99")


def test_a_candidate_that_is_half_slower_is_rolled_back_on_latency():
    candidate = judge(latency=QUANTILES)
    for t in range(5, 61, 5):
        # slow for promotion, slow for rollback
        result = candidate.tick(latency_line(t, ((55, 85), (25, 35)), ((500,), (100,))))
        if result["verdict"] != "hold":
            break
    assert (result["verdict"], result["cause"]) == ("rollback", "latency")
    assert result["evidence"]["e_rollback"] == pytest.approx(
        0.5 * result["evidence"]["e_errors"] + 0.5 * result["evidence"]["e_latency"]
    )
    assert "green is slower than blue" in result["message"]


def test_a_candidate_as_quick_as_the_stable_color_is_promoted_on_both():
    candidate = judge(latency=QUANTILES)
    for t in range(5, 301, 5):
        result = candidate.tick(latency_line(t, ((20, 42), (4, 9)), ((500,), (100,))))
        if result["verdict"] != "hold":
            break
    assert result["verdict"] == "promote"
    assert result["evidence"]["e_latency"] < 10


def test_a_gated_latency_that_is_not_on_the_tape_is_no_data(line):
    result = judge(latency=QUANTILES).tick(line(5, {"green1": (9, 0)}, {"blue1": (90, 0)}))
    assert result["cause"] == "no_data"
    assert result["message"] == "no verdict without data: no latencies (p50) in this tick"


counts = st.tuples(st.integers(0, 400), st.integers(0, 40)).map(lambda pair: (pair[0], min(pair)))
servers = st.dictionaries(st.sampled_from(["s1", "s2", "s3", "s4"]), counts, min_size=1)


def pooled(result):
    evidence = result["evidence"]
    return {name: evidence[name] for name in ("e_rollback", "e_promote", "ratio", "candidate", "stable")}


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(servers, servers), min_size=1, max_size=5), st.randoms())
def test_the_order_of_servers_is_irrelevant(line, ticks, chance):
    one, other = judge(), judge()
    for t, (candidate, stable) in enumerate(ticks, start=1):
        shuffled = [list(candidate.items()), list(stable.items())]
        for entries in shuffled:
            chance.shuffle(entries)
        first = one.tick(line(t, candidate, stable))
        second = other.tick(line(t, *(dict(entries) for entries in shuffled)))
    assert first == second


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(counts, counts, st.integers(0, 400), st.integers(0, 40)), min_size=1, max_size=5))
def test_splitting_one_servers_tick_over_two_changes_nothing_pooled(line, ticks):
    one, other = judge(), judge()
    for t, ((n, k), stable, part, bad) in enumerate(ticks, start=1):
        part, bad = min(part, n), min(bad, k, part)
        bad = max(bad, k - (n - part))
        first = one.tick(line(t, {"s1": (n, k)}, {"b": stable}))
        second = other.tick(line(t, {"s1": (part, bad), "s2": (n - part, k - bad)}, {"b": stable}))
    assert pooled(first) == pooled(second)


def test_the_result_is_json(traffic):
    result = traffic().run(judge(), 0.9, 0.0, until=60)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def timed_line(t, candidate, stable):
    """One server a color; ``candidate`` and ``stable`` are requests, errors, slow ones at p50."""
    (n_c, k_c, s_c), (n_b, k_b, s_b) = candidate, stable
    return {
        "t": t,
        "colors": {
            "candidate": {"green1": {"errors": [n_c, k_c], "latency": {"p50": [n_c, s_c, s_c]}}},
            "stable": {"blue1": {"errors": [n_b, k_b], "latency": {"p50": [n_b, s_b]}}},
        },
    }


@pytest.mark.parametrize(("p_error", "p_slow"), [(0.1, 0.5), (0.5, 0.2)])
def test_the_evidence_of_errors_and_latency_together_is_at_most_1_on_average(p_error, p_slow):
    """Exact enumeration over two ticks: the second one's bounds and estimates depend on how the first one went."""
    ticks = [
        ((1, k_c, s_c), (2, k_b, s_b)) for k_c in (0, 1) for s_c in (0, 1) for k_b in (0, 1, 2) for s_b in (0, 1, 2)
    ]

    def chance(tick):
        (_, k_c, s_c), (_, k_b, s_b) = tick
        both = {0: 1, 1: 2, 2: 1}
        return (
            p_error ** (k_c + k_b)
            * (1 - p_error) ** (3 - k_c - k_b)
            * p_slow ** (s_c + s_b)
            * (1 - p_slow) ** (3 - s_c - s_b)
            * both[k_b]
            * both[s_b]
        )

    mean = 0.0
    for first in ticks:
        begun = judge(latency=("p50",))
        begun.tick(timed_line(5, *first))
        carried = begun.carry()
        for second in ticks:
            later = Judge(Settings(latency=("p50",)), names=NAMES, carry=carried)
            e = later.tick(timed_line(5, *second))["evidence"]["e_rollback"]
            mean += chance(first) * chance(second) * e
    assert mean <= 1 + 1e-9


slow_counts = st.tuples(st.integers(1, 300), st.integers(0, 300), st.integers(0, 300)).map(
    lambda count: (count[0], min(count[1], count[0]), min(count[2], count[0]))
)


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(slow_counts, slow_counts, st.integers(0, 300)), min_size=1, max_size=4))
def test_splitting_a_server_in_two_changes_nothing_of_the_latencies_evidence_either(ticks):
    one, other = judge(latency=("p50",)), judge(latency=("p50",))
    for t, (candidate, stable, part) in enumerate(ticks, start=1):
        whole = timed_line(t, candidate, stable)
        split = timed_line(t, candidate, stable)
        n, k, s = candidate
        part = min(part, n)
        bad, slow = min(k, part), min(s, part)
        split["colors"]["candidate"] = {
            "green1": {"errors": [part, bad], "latency": {"p50": [part, slow, slow]}},
            "green2": {"errors": [n - part, k - bad], "latency": {"p50": [n - part, s - slow, s - slow]}},
        }
        first, second = one.tick(whole), other.tick(split)
    for name in ("e_rollback", "e_latency", "e_promote", "latency"):
        assert first["evidence"][name] == second["evidence"][name]


def test_one_slow_machine_holds_and_is_named():
    candidate = judge(latency=("p50",))
    for t in range(5, 61, 5):
        line = timed_line(t, (100, 0, 50), (1000, 0, 500))
        line["colors"]["candidate"]["green2"] = {"errors": [100, 0], "latency": {"p50": [100, 100, 100]}}
        result = candidate.tick(line)
    assert (result["verdict"], result["cause"]) == ("hold", "one_host")
    assert "look at green2" in result["message"]


def test_a_candidate_that_nobody_asks_is_not_as_quick_as_the_stable_color():
    candidate = Judge(Settings(errors=False, latency=("p99",), dwell=0), names=NAMES)
    found = []
    for t, n in ((5, 0), (10, 499), (15, 1)):
        line = timed_line(t, (n, 0, 0), (1000, 0, 10))
        for servers in line["colors"].values():
            for entry in servers.values():
                entry["latency"]["p99"] = entry["latency"].pop("p50")
        result = candidate.tick(line)
        found.append((result["verdict"], result["cause"], result["evidence"]["needed"]))
    assert found[:2] == [("hold", "too_few_requests", 500), ("hold", "too_few_requests", 1)]
    assert found[2][0] == "promote", result["message"]


def test_while_the_stable_colors_quantiles_are_taken_nothing_passes(line):
    candidate = judge(latency=("p99",), dwell=0)
    counts = {"green1": (50_000, 0)}, {"blue1": (50_000, 0)}
    result = candidate.tick(line(5, *counts, reference={"responses": 100, "needed": 400}))
    assert (result["verdict"], result["cause"]) == ("hold", "too_few_requests")
    assert "400 more of its responses are needed" in result["message"]


def test_the_tick_that_completes_the_stable_colors_quantiles_is_not_called_one_without_data(line):
    candidate = judge(latency=("p99",), dwell=0)
    counts = {"green1": (50_000, 0)}, {"blue1": (50_000, 0)}
    result = candidate.tick(line(5, *counts, reference={"beta": {"p99": 0.02}, "responses": 700, "needed": 0}))
    assert (result["verdict"], result["cause"]) == ("hold", "too_few_requests")
    assert "has just been taken; latencies are compared from now on" in result["message"]
