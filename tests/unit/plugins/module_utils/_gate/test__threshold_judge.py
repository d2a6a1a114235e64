"""The judge where there is nothing to compare with."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings, Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._threshold_judge import ThresholdJudge

NAMES = Names("green", "blue")
WEAKER = "(weaker evidence: there is no other color to compare with at the same time)"


def judge(settings=None, **more):
    """Of a first release, where nothing else is said."""
    return ThresholdJudge(settings or Settings(dwell=20), names=NAMES, **{"has_stable": False, **more})


def run(candidate, line, counts, until=60, **more):
    for t in range(5, until + 1, 5):
        result = candidate.tick(line(t, counts, {}, **more))
        if result["verdict"] != "hold":
            break
    return result


def test_a_first_release_without_limits_is_promoted_after_its_dwell_when_it_is_up(line):
    result = run(judge(), line, {"green1": (0, 0)})
    assert (result["verdict"], result["cause"], result["elapsed"]) == ("promote", "passed", 20)
    assert WEAKER in result["message"]
    assert "no limit was set for errors" in result["message"]


def test_a_candidate_that_keeps_the_absolute_limit_is_promoted(line):
    result = run(judge(Settings(dwell=20, max_error_ratio=0.01)), line, {"green1": (500, 1), "green2": (500, 2)})
    assert (result["verdict"], result["elapsed"]) == ("promote", 20)
    assert "0.3 % of 4000 requests failed, within 'at most 1 %'" in result["message"]


def test_a_candidate_beyond_the_absolute_limit_is_rolled_back(line):
    result = run(judge(Settings(dwell=20, max_error_ratio=0.01)), line, {"green1": (500, 60), "green2": (500, 70)})
    assert (result["verdict"], result["cause"]) == ("rollback", "errors")
    assert WEAKER in result["message"]


def test_one_bad_machine_holds_here_too(line):
    result = run(judge(Settings(dwell=20, max_error_ratio=0.01)), line, {"green1": (500, 0), "green2": (500, 70)})
    assert (result["verdict"], result["cause"]) == ("hold", "one_host")


def test_the_stable_colors_own_rate_before_is_the_limit_where_none_was_written(line):
    before = {"requests": 10_000, "errors": 100}
    limit = judge(stable_rate=before).tick(line(5, {"green1": (500, 0)}, {}))["evidence"]["limit"]
    assert limit == 1.5 * 0.01 + 0.002
    assert run(judge(stable_rate=before), line, {"green1": (500, 6), "green2": (500, 7)})["verdict"] == "promote"
    worse = run(judge(stable_rate=before), line, {"green1": (500, 26), "green2": (500, 27)})
    assert worse["verdict"] == "rollback"
    assert "from blue's 1 % before" in worse["message"]


def test_that_rate_comes_from_the_stages_before_by_carry(line):
    first = Judge(Settings(), names=NAMES)
    first.tick(line(5, {"green1": (100, 1)}, {"blue1": (10_000, 100)}))
    last = judge(carry=first.carry())
    assert last.tick(line(5, {"green1": (10, 0)}, {}))["evidence"]["stable"] == {"requests": 10_000, "errors": 100}
    assert last.carry() == first.carry()


@pytest.mark.parametrize(("margin", "enough"), [(0.002, 500), (0.005, 200), (0.2, 5)])
def test_so_many_requests_make_a_rate_that_one_of_them_is_no_more_than_the_margin(line, margin, enough):
    def limit(known):
        found = judge(Settings(dwell=20, d1=margin), has_stable=True).tick(line(5, {}, {}, before=[known, 0]))
        return found["evidence"]["limit"]

    assert (limit(enough - 1), limit(enough)) == (None, margin)


def test_a_limit_without_any_request_is_never_passed(line):
    result = run(judge(Settings(dwell=20, max_error_ratio=0.01)), line, {"green1": (0, 0)}, until=600)
    assert (result["verdict"], result["cause"]) == ("hold", "too_few_requests")


def test_a_rate_beyond_the_limit_without_evidence_is_held(line):
    result = run(judge(Settings(dwell=5, max_error_ratio=0.01)), line, {"green1": (30, 1)}, until=5)
    assert (result["verdict"], result["cause"]) == ("hold", "undecided")
    assert "not within 'at most 1 %'" in result["message"]


def test_a_limit_of_zero_can_be_kept_and_broken(line):
    assert run(judge(Settings(dwell=20, max_error_ratio=0)), line, {"green1": (500, 0)})["verdict"] == "promote"
    assert run(judge(Settings(dwell=20, max_error_ratio=0)), line, {"green1": (500, 3)})["verdict"] == "rollback"


def test_a_candidate_that_only_fails_is_down(line):
    result = run(judge(), line, {"green1": (5, 5)})
    assert (result["verdict"], result["cause"], result["elapsed"]) == ("rollback", "candidate_down", 10)


def test_no_counters_a_dead_source_and_a_lost_split_hold_or_roll_back(line):
    candidate = judge(thresholds=[Threshold("p99", max=1, url="http://prometheus", query="x")])
    assert candidate.tick(line(25, {}, {}))["cause"] == "no_data"
    assert candidate.tick({"t": 30, "source_down": "refused"})["cause"] == "source_down"
    assert candidate.tick(line(35, {"green1": (9, 0)}, {}))["cause"] == "no_data", "the threshold has no value"
    assert candidate.tick(line(40, {"green1": (9, 0)}, {}, thresholds={"p99": 0.5}))["verdict"] == "promote"
    assert candidate.tick(line(45, {"green1": (9, 0)}, {}, split_lost="differs"))["cause"] == "split_lost"


def timed(t, slow):
    latency = {quantile: [1000, slow, slow] for quantile in ("p50", "p90")}
    return {"t": t, "colors": {"candidate": {"green1": {"errors": [1000, 0], "latency": latency}}, "stable": {}}}


def with_latency(carry):
    settings = Settings(latency=("p50", "p90"), dwell=0)
    return ThresholdJudge(settings, names=NAMES, carry=carry, has_stable=carry is not None)


@pytest.fixture
def timed_carry():
    before = Judge(Settings(latency=("p50", "p90")), names=NAMES)
    latency = {"p50": [4000, 2000], "p90": [4000, 400]}
    before.tick(
        {
            "t": 5,
            "reference": {"beta": {"p50": 0.02, "p90": 0.05}},
            "colors": {
                "candidate": {"green1": {"errors": [10, 0], "latency": {q: [10, 1, 1] for q in latency}}},
                "stable": {"blue1": {"errors": [4000, 0], "latency": latency}},
            },
        }
    )
    return before.carry()


def test_at_100_per_cent_a_candidate_that_became_slow_is_rolled_back(timed_carry):
    judge = with_latency(timed_carry)
    for t in range(5, 61, 5):
        result = judge.tick(timed(t, 900))
        if result["verdict"] != "hold":
            break
    assert (result["verdict"], result["cause"]) == ("rollback", "latency")
    assert "green is slower: " in result["message"]
    assert "weaker evidence" in result["message"]


def test_at_100_per_cent_a_quick_candidate_passes_and_a_lukewarm_one_is_held(timed_carry):
    assert with_latency(timed_carry).tick(timed(5, 90))["verdict"] == "promote"
    held = with_latency(timed_carry).tick(timed(5, 115))
    assert (held["verdict"], held["cause"]) == ("hold", "undecided")
    missing = with_latency(timed_carry).tick({"t": 5, "colors": {"candidate": {"green1": {"errors": [9, 0]}}}})
    assert (missing["verdict"], missing["cause"]) == ("hold", "no_data")


def test_latencies_of_nobody_are_not_good_ones(timed_carry):
    settings = Settings(errors=False, latency=("p50", "p90"), dwell=0)
    idle = {
        "t": 5,
        "colors": {"candidate": {"green1": {"errors": [0, 0], "latency": {"p50": [0, 0, 0], "p90": [0, 0, 0]}}}},
    }
    result = ThresholdJudge(settings, names=NAMES, carry=timed_carry).tick(idle)
    assert (result["verdict"], result["cause"]) == ("hold", "too_few_requests")
    assert "green had none, so there is nothing to judge" in result["message"]


def test_a_first_release_has_nothing_to_compare_latencies_with():
    assert with_latency(None).tick({"t": 5, "colors": {"candidate": {"green1": {"errors": [9, 0]}}}})["verdict"] == (
        "promote"
    )
