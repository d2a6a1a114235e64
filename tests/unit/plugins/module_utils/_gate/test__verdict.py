"""What wins over what, and what a timeout does."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._thresholds import ThresholdState
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._verdict import (
    Signals,
    at_timeout,
    decide,
    least,
    look_again,
    weakest_host,
)

GOOD = {"e_promote": 25.0, "lasted": True}


@pytest.mark.parametrize(
    ("signals", "found"),
    [
        (Signals(**GOOD), ("promote", "passed")),
        (Signals(lasted=True), ("promote", "passed")),
        (Signals(e_promote=25.0), ("hold", "dwell")),
        (Signals(e_promote=19.9, lasted=True), ("hold", "undecided")),
        (Signals(e_promote=19.9, needed=3, lasted=True), ("hold", "too_few_requests")),
        (Signals(**GOOD, e_rollback=10.0), ("hold", "undecided")),
        (Signals(**GOOD, useless=True), ("hold", "undecided")),
        (Signals(**GOOD, server_down="green1"), ("hold", "server_down")),
        (Signals(**GOOD, no_data="none"), ("hold", "no_data")),
        (Signals(**GOOD, source_down="refused", no_data="none"), ("hold", "source_down")),
        (Signals(**GOOD, thresholds=ThresholdState(failing="p99")), ("hold", "undecided")),
        (Signals(**GOOD, thresholds=ThresholdState(no_data="p99")), ("hold", "no_data")),
        (Signals(**GOOD, thresholds=ThresholdState(source_down="p99")), ("hold", "source_down")),
        (Signals(rollback_counts=True, e_rollback=150.0), ("rollback", "errors")),
        (Signals(rollback_counts=True, rollback_cause="latency"), ("rollback", "latency")),
        (Signals(rollback_counts=True, one_host="green1"), ("hold", "one_host")),
        (Signals(**GOOD, thresholds=ThresholdState(violated="p99")), ("rollback", "threshold")),
        (Signals(**GOOD, down="all"), ("rollback", "candidate_down")),
        (Signals(**GOOD, down="all", split_lost="differs"), ("rollback", "split_lost")),
        (Signals(rollback_counts=True, source_down="refused"), ("rollback", "errors")),
    ],
)
def test_any_rollback_wins_and_every_promote_is_required(signals, found):
    assert decide(signals) == found


def held(cause):
    return {"verdict": "hold", "cause": cause, "message": "so it is", "ticks": 3, "elapsed": 900, "evidence": {}}


@pytest.mark.parametrize("cause", ["undecided", "too_few_requests", "one_host", "source_down"])
def test_a_pause_keeps_the_cause_of_the_hold(cause):
    ended = at_timeout(held(cause), "pause")
    assert (ended["verdict"], ended["cause"], ended["outcome"], ended["held_for"]) == ("hold", cause, "pause", cause)
    assert "not decided in 900 s, so paused for a person, as on_timeout: pause says; last: so it is" in ended["message"]


@pytest.mark.parametrize("cause", ["undecided", "source_down"])
def test_a_rollback_at_the_timeout_rolls_back_for_any_cause(cause):
    ended = at_timeout(held(cause), "rollback")
    assert (ended["verdict"], ended["cause"], ended["outcome"]) == ("rollback", "timeout", "rollback")
    assert ended["held_for"] == cause


@pytest.mark.parametrize("cause", ["undecided", "too_few_requests"])
def test_a_person_may_let_what_is_undecided_pass(cause):
    ended = at_timeout(held(cause), "promote")
    assert (ended["verdict"], ended["cause"], ended["outcome"]) == ("promote", "timeout", "promote")


@pytest.mark.parametrize("cause", ["no_data", "source_down", "one_host", "server_down"])
def test_nobody_may_let_missing_data_pass(cause):
    ended = at_timeout(held(cause), "promote")
    assert (ended["verdict"], ended["cause"], ended["outcome"]) == ("hold", cause, "pause")
    assert f"although on_timeout is promote, which does not cover {cause}" in ended["message"]


def judged(verdict, cause, concurrent=False, errors=30):
    evidence = {"concurrent": concurrent, "stage": {"candidate": {"requests": 100, "errors": errors}}}
    return {"verdict": verdict, "cause": cause, "message": "worse than before", "evidence": evidence}


@pytest.mark.parametrize("cause", ["errors", "latency"])
def test_a_comparison_with_another_time_asks_for_a_second_look(cause):
    again = look_again(judged("rollback", cause), Settings())
    assert (again["verdict"], again["cause"], again["outcome"]) == ("rollback", cause, "second_look")
    assert again["message"].startswith("worse than before; so once back to the stage before")


@pytest.mark.parametrize(
    ("result", "settings"),
    [
        *(
            (judged("rollback", cause), Settings())
            for cause in ("candidate_down", "split_lost", "threshold", "timeout")
        ),
        *((judged("rollback", cause), Settings()) for cause in ("no_data", "source_down")),
        (judged("rollback", "errors"), Settings(max_error_ratio=0.01)),
        (judged("rollback", "errors", concurrent=True), Settings()),
        (judged("rollback", "errors", errors=100), Settings()),
        (judged("hold", "undecided"), Settings()),
        (judged("promote", "passed"), Settings()),
    ],
)
def test_whatever_else_a_gate_says_stays_as_it_is(result, settings):
    assert look_again(result, settings) == result


def test_an_absolute_limit_on_errors_is_none_on_latency():
    assert look_again(judged("rollback", "latency"), Settings(max_error_ratio=0.01))["outcome"] == "second_look"


def test_the_weakest_host_is_the_one_the_evidence_hangs_on():
    assert weakest_host({"a": 25.0, "b": 21.0}, 20.0) is None
    assert weakest_host({"a": 19.0, "b": 3.0, "c": 200.0}, 20.0) == "b"
    assert weakest_host({"a": 1.0}, 20.0) is None, "one host cannot be told from its version"


def test_the_least_of_nothing_is_nothing():
    assert least([None, None]) is None
    assert least([None, 3.0, 2.0]) == 2.0
