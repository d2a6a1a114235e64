"""The recorded rollouts, each with the verdict that it must lead to."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _tape
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._loop import replay
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings

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
