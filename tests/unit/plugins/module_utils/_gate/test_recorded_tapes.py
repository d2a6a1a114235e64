"""The recorded rollouts, each with the verdict that it must lead to."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _tape
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._loop import replay
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import (
    Settings,
    policies_of,
    settings_of,
    thresholds_of,
)

TAPES = Path(__file__).parent / "tapes"
SERVERS = {"candidate": ["green1", "green2"], "stable": ["blue1"]}
# Outcome and cause, judged on errors and latency, and on errors alone.
VERDICTS = {
    "good_quiet": ("promote passed", "promote passed"),
    "good_errors_on_both": ("promote passed", "promote passed"),
    "good_incident_on_both": ("promote passed", "promote passed"),
    "good_as_quick": ("promote passed", "promote passed"),
    "bad_5_per_cent_errors": ("rollback errors", "rollback errors"),
    "bad_errors_after_a_while": ("rollback errors", "rollback errors"),
    "bad_3_times_as_slow": ("rollback latency", "promote passed"),
    "bad_goes_down": ("rollback candidate_down", "rollback candidate_down"),
    "unclear_one_machine": ("pause one_host", "pause one_host"),
    "unclear_no_load": ("pause too_few_requests", "pause too_few_requests"),
}


def judged(name, **settings):
    judge = Judge(
        Settings(**{"d1": 0.03, "tick": 0.5, "dwell": 8.0, **settings}), names=Names("green", "blue"), servers=SERVERS
    )
    result = replay(_tape.read(TAPES / f"{name}.jsonl"), judge, label="shop", say=lambda _line: None)
    return f"{result['outcome']} {result.get('held_for', result['cause'])}", result


@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_a_recorded_rollout_leads_to_its_verdict(name):
    for latency, expected in zip((("p50", "p90"), ()), VERDICTS[name]):
        verdict, result = judged(name, latency=latency)
        assert verdict == expected, result["message"]


def test_every_tape_is_judged():
    assert {tape.stem for tape in TAPES.glob("*.jsonl")} == set(VERDICTS)


def test_a_stricter_policy_decides_sooner_or_as_soon():
    _, usual = judged("bad_5_per_cent_errors")
    _, strict = judged("bad_5_per_cent_errors", alpha=0.2, r0=1.0)
    assert strict["elapsed"] <= usual["elapsed"]
    assert strict["outcome"] == usual["outcome"] == "rollback"


ERRORS = {"max_ratio": 1.5, "margin": "1.5pp", "warmup": 5.0}
BOTH = {"errors": ERRORS, "latency": {}}
PROMETHEUS = {"source": "prometheus", "url": "http://127.0.0.1:19090"}
BY_PROMETHEUS = {
    "errors": {**ERRORS, **PROMETHEUS, "requests": "requests", "bad": "bad"},
    "latency": {**PROMETHEUS, "buckets": "buckets"},
    "thresholds": [{"name": "99 % of the requests within half a second", **PROMETHEUS, "query": "p99", "max": 0.5}],
}
# By tape the gates of the page, the stage's dwell and timeout, outcome and cause, and what the reason says.
LAB = {
    "good_v2_5_per_cent": ({"errors": ERRORS}, 6, 180, "promote passed", "green is as good as blue"),
    "good_v2_25_per_cent": ({"errors": ERRORS}, 6, 180, "promote passed", "green is as good as blue"),
    "good_v2_50_per_cent": ({"errors": ERRORS}, 6, 180, "promote passed", "green is as good as blue"),
    "bad_v3_5_per_cent": ({"errors": ERRORS}, 6, 180, "rollback errors", "the evidence against 'at most 1.5 times' is"),
    "good_quick_5_per_cent": (BOTH, 6, 180, "promote passed", "slower or worse"),
    "bad_v5_3_times_as_slow": (BOTH, 6, 180, "rollback latency", "is slower than"),
    "unclear_one_machine": ({"errors": ERRORS}, 6, 45, "pause one_host", "look at "),
    "good_incident_on_both": (BOTH, 30, 180, "promote passed", "is as good as"),
    "unclear_prometheus_stopped": (BY_PROMETHEUS, 6, 60, "pause source_down", "no verdict without its source"),
    "bad_candidate_killed": ({"errors": ERRORS}, 60, 180, "rollback candidate_down", "none of its servers up"),
    "unclear_no_load": ({"errors": ERRORS}, 6, 30, "pause too_few_requests", "about 199 more are needed"),
}


@pytest.mark.parametrize("name", sorted(LAB))
def test_a_stage_of_the_lab_leads_to_the_verdict_that_it_had(name):
    gates, dwell, timeout, expected, says = LAB[name]
    tape = list(_tape.read(TAPES / "lab" / f"{name}.jsonl"))
    colors = {
        color: sorted({server for line in tape for server in line.get("colors", {}).get(color, {})})
        for color in ("candidate", "stable")
    }
    thresholds = thresholds_of(gates.get("thresholds", []))
    judge = Judge(
        settings_of(gates, tick=3.0, dwell=float(dwell), timeout=float(timeout), on_timeout="pause"),
        names=Names("green", "blue") if "green1" in colors["candidate"] else Names("blue", "green"),
        thresholds=thresholds,
        servers=colors,
        policies=policies_of(gates, thresholds),
    )
    result = replay(tape, judge, label="shop", say=lambda _line: None)
    assert f"{result['outcome']} {result.get('held_for', result['cause'])}" == expected, result["message"]
    assert says in result["message"]
    assert result["ticks"] == len(tape), "it had it at the same tick"


def test_every_tape_of_the_lab_is_judged():
    assert {tape.stem for tape in (TAPES / "lab").glob("*.jsonl")} == set(LAB)
