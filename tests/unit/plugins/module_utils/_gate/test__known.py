"""What the journals keep of the stable color, and how much of what they say is believed."""

from __future__ import annotations

import json

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._known import checked, remembered
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings, Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._threshold_judge import ThresholdJudge

NAMES = Names("green", "blue")
QUANTILES = ("p50", "p90")
MEMORY = Threshold("memory", max_ratio=1.5, url="http://prometheus", query="x$color")
KNOWN = {
    "reference": {"beta": {"p50": 0.02, "p90": 0.05}},
    "slow": {"p50": [4000, 2000], "p90": [4000, 400]},
    "stable": [4000, 4],
    "thresholds": {"memory": 100.0},
}


@pytest.fixture
def carry():
    """What a stage at 50 % hands on."""
    before = Judge(Settings(latency=QUANTILES), names=NAMES, thresholds=[MEMORY])
    before.tick(
        {
            "t": 5,
            "reference": KNOWN["reference"],
            "thresholds": {"memory": {"candidate": 90.0, "stable": 100.0}},
            "colors": {
                "candidate": {"green1": {"errors": [10, 0], "latency": {q: [10, 1, 1] for q in QUANTILES}}},
                "stable": {"blue1": {"errors": [4000, 4], "latency": KNOWN["slow"]}},
            },
        }
    )
    return before.carry()


def at_100(carry, slow, memory):
    settings = Settings(latency=QUANTILES, dwell=20)
    judge = ThresholdJudge(settings, names=NAMES, thresholds=[MEMORY], carry=carry)
    latency = {quantile: [1000, slow, slow] for quantile in QUANTILES}
    for t in range(5, 61, 5):
        result = judge.tick(
            {
                "t": t,
                "before": [4000, 4],
                "thresholds": {"memory": {"candidate": memory, "stable": None}},
                "colors": {"candidate": {"green1": {"errors": [1000, 0], "latency": latency}}, "stable": {}},
            }
        )
        if result["verdict"] != "hold":
            break
    return result


def test_only_what_100_per_cent_needs_is_kept_and_a_journal_can_hold_it(carry):
    assert remembered(carry) == KNOWN
    assert checked(json.loads(json.dumps(remembered(carry)))) == KNOWN
    assert remembered({}) == {}
    many = {**carry, "thresholds": {**{f"t{i}": 1.0 for i in range(1000)}, "x" * 5000: 1.0}}
    assert len(json.dumps(remembered(many))) < 4000, "a line of the journal, whatever a page has"


@pytest.mark.parametrize(("slow", "memory", "cause"), [(90, 90.0, "passed"), (900, 90.0, "latency")])
def test_after_a_pause_100_per_cent_is_judged_as_without_one(carry, slow, memory, cause):
    whole, kept = at_100(carry, slow, memory), at_100(remembered(carry), slow, memory)
    assert kept["cause"] == whole["cause"] == cause
    assert kept["message"] == whole["message"]


def test_a_ratio_to_the_stable_color_outlives_a_pause(carry):
    assert at_100(remembered(carry), 90, 151.0)["cause"] == "threshold"


def test_what_could_not_be_judged_is_said():
    result = at_100(None, 900, 151.0)
    assert result["verdict"] == "promote"
    assert "not judged, since it is not known how blue was before: latency, memory (weaker" in result["message"]


def test_a_second_look_after_a_pause_begins_with_evidence_of_its_own(line):
    again = Judge(Settings(), names=NAMES, carry=KNOWN)
    result = again.tick(line(5, {"green1": (100, 0)}, {"blue1": (900, 0)}))
    assert result["evidence"]["stable"] == {"requests": 900, "errors": 0}


@pytest.mark.parametrize(
    "spoilt",
    [
        None,
        "x",
        {},
        {**KNOWN, "reference": {"beta": {"p50": -1.0}}},
        {**KNOWN, "reference": {"beta": {"p50": "fast"}}},
        {**KNOWN, "reference": {"beta": {"p42": 1.0}}},
        {**KNOWN, "slow": {"p50": [5, 6]}},
        {**KNOWN, "slow": {"p50": [5]}},
        {**KNOWN, "stable": [True, 0]},
        {**KNOWN, "stable": None},
        {**KNOWN, "thresholds": {"memory": None}},
        {**KNOWN, "thresholds": {"memory": float("inf")}},
    ],
)
def test_a_journal_that_says_anything_else_is_not_believed(spoilt):
    assert checked(spoilt) == {}
