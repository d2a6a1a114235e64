"""The stages that the lab recorded, each judged again by the gates that its release had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _tape
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._loop import replay
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import (
    policies_of,
    settings_of,
    thresholds_of,
)

from gates.cases import CASES, ERRORS, Case
from gates.expect import VERDICTS

TAPES = Path(__file__).parents[1] / "plugins" / "module_utils" / "_gate" / "tapes" / "lab"
GOOD = Case("", "of make demo", "promoted", "passed", gates={"errors": ERRORS})
BAD = replace(GOOD, outcome="rolled_back", cause="errors")
# Those of `make demo`; all others are called after the case of `make prove-gates` that they are from.
DEMO = {
    "good_v2_5_per_cent": GOOD,
    "good_v2_25_per_cent": GOOD,
    "good_v2_50_per_cent": GOOD,
    "bad_v3_5_per_cent": BAD,
}
RELEASES = {**{case.name: case for case in CASES}, **DEMO}


@pytest.mark.parametrize("name", sorted(tape.stem for tape in TAPES.glob("*.jsonl")))
def test_a_stage_of_the_lab_leads_to_the_verdict_that_it_had(name):
    case = RELEASES[name]
    tape = list(_tape.read(TAPES / f"{name}.jsonl"))
    colors = {
        color: sorted({server for line in tape for server in line.get("colors", {}).get(color, {})})
        for color in ("candidate", "stable")
    }
    gates = case.gates or {}
    thresholds = thresholds_of(gates.get("thresholds", []))
    settings = {**gates, "errors": {**gates["errors"], "warmup": 5.0}}
    judge = Judge(
        settings_of(settings, tick=3.0, dwell=float(case.dwell), timeout=float(case.timeout), on_timeout="pause"),
        names=Names("green", "blue") if "green1" in colors["candidate"] else Names("blue", "green"),
        thresholds=thresholds,
        servers=colors,
        policies=policies_of(gates, thresholds),
    )
    result = replay(tape, judge, label="shop", say=lambda _line: None)
    found = f"{result['outcome']} {result.get('held_for', result['cause'])}"
    assert found == f"{VERDICTS[case.outcome]} {case.cause}", result["message"]
    assert result["ticks"] == len(tape), "it had it at the same tick"


def test_each_release_has_its_tape_and_no_other_is_there():
    assert set(RELEASES) == {tape.stem for tape in TAPES.glob("*.jsonl")}
