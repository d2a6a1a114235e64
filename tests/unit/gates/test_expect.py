"""What was seen of a release on the lab, held against what had to come of it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from gates.cases import CASES, Case
from gates.expect import Seen, checks
from gates.lab import Lab


def event(at, name, **data):
    return {"at": f"2026-05-04T12:{at // 60:02d}:{at % 60:02d}.000Z", "event": name, "data": data}


def tape(candidate, stable):
    """One tick of a server a color, each with requests and errors."""
    colors = {"candidate": {"green1": {"errors": candidate}}, "stable": {"blue1": {"errors": stable}}}
    return json.dumps({"t": 3, "colors": colors}) + "\n"


CASE = Case("name", "title", "rolled_back", "errors", gates={"errors": {}}, within=60)
SHIFT = event(10, "shift", stage=1)
SEEN = Seen(
    status=2,
    candidate="green",
    events=[SHIFT, event(40, "rolled_back", cause="errors", message="green fails")],
    replayed="rollback (errors)",
)


def unmet(case, seen):
    return [check.what for check in checks(case, seen) if not check.met]


def test_a_release_that_went_as_it_must_meets_everything():
    assert unmet(CASE, SEEN) == []
    (found,) = [check for check in checks(CASE, SEEN) if check.what == "found within"]
    assert (found.expected, found.found) == ("60 s", "30 s")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"status": 0}, ["exit status of ansible-playbook"]),
        ({"replayed": "promote (passed)"}, ["replay of its tape"]),
        ({"events": [SHIFT, event(71, "rolled_back", cause="errors")]}, ["found within"]),
        ({"events": [SHIFT, event(20, "rolled_back", cause="latency")]}, ["outcome and cause"]),
        (
            {"events": [SHIFT, event(20, "stage_passed", stage=1), event(30, "rolled_back", cause="errors")]},
            ["stages passed"],
        ),
        ({"events": []}, ["outcome and cause", "found within"]),
    ],
)
def test_what_is_otherwise_is_told(change, what):
    assert unmet(CASE, dataclasses.replace(SEEN, **change)) == what


def test_a_promotion_exits_with_0_and_is_replayed_as_one():
    case = dataclasses.replace(CASE, outcome="promoted", cause="passed", within=None)
    events = [SHIFT, event(30, "stage_passed", stage=1), event(90, "promoted")]
    good = dataclasses.replace(SEEN, status=0, events=events, replayed="promote (passed)")
    assert unmet(case, good) == []
    assert unmet(case, dataclasses.replace(good, status=2)) == ["exit status of ansible-playbook"]


def test_stages_before_the_verdict_have_to_be_passed():
    case = dataclasses.replace(CASE, stage=2, within=None)
    events = [SHIFT, event(20, "stage_passed", stage=1), event(30, "rolled_back", cause="errors")]
    assert unmet(case, dataclasses.replace(SEEN, events=events)) == []
    assert unmet(case, SEEN) == ["stages passed"]


def test_the_reason_names_the_machine_that_is_bad_and_no_other():
    case = dataclasses.replace(CASE, outcome="paused", cause="one_host", names_ill=True, within=None)
    events = [SHIFT, event(60, "paused", cause="one_host", message="… only 1 to 3; look at blue2")]
    named = dataclasses.replace(SEEN, events=events, ill="blue2", replayed="pause (one_host)")
    assert unmet(case, named) == []
    assert unmet(case, dataclasses.replace(named, ill="blue1")) == ["the bad machine is named"]


def test_a_reason_has_to_say_what_is_asked():
    case = next(case for case in CASES if case.name == "unclear_no_load")
    events = [event(10, "shift", stage=1), event(50, "paused", cause="too_few_requests", message="")]
    silent = Seen(2, "green", events, replayed="pause (too_few_requests)")
    assert unmet(case, silent) == ["it says"]
    for needed, missing in ((199, []), (0, ["it says"])):
        said = f"too few requests: green had none in this stage, about {needed} more are needed"
        events[1]["data"]["message"] = said
        assert unmet(case, silent) == missing


def test_an_incident_has_to_be_on_the_tape_of_both_colors():
    case = dataclasses.replace(CASE, within=None, both_fail=True)
    assert unmet(case, dataclasses.replace(SEEN, tape=tape([100, 20], [100, 25]))) == []
    assert unmet(case, dataclasses.replace(SEEN, tape=tape([100, 20], [100, 3]))) == [
        "errors of both colors on the tape"
    ]


def test_every_case_has_a_tape_of_its_own_and_acts_that_there_are():
    assert len({case.name for case in CASES}) == len(CASES)
    for case in CASES:
        assert case.stage <= len(case.stages)
        for act in case.acts:
            assert callable(getattr(Lab, act.what))
            assert Lab().whom(act.whom, "green") or not act.whom
