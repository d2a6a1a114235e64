"""What a gate does when its data are missing."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._policy import PATIENCE, Policies, Trouble
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings

DOWN = Trouble("errors", "source_down", "connection refused")
EMPTY = Trouble("threshold p99", "no_data", "p99")


def demands(policies, *ticks):
    return [forced and (forced.action, forced.trouble) for forced in map(Policies(policies).update, ticks)]


def test_by_default_nothing_but_holding_is_demanded():
    assert demands({}, *[[DOWN]] * 9) == [None] * 9


@pytest.mark.parametrize("action", ["pause", "rollback"])
def test_a_policy_waits_for_some_ticks_in_a_row(action):
    policies = {"errors": {"source_down": action}}
    assert demands(policies, *[[DOWN]] * PATIENCE)[-2:] == [None, (action, DOWN)]
    assert demands(policies, [DOWN], [DOWN], [], [DOWN], [DOWN])[-1] is None, "an answer in between ends the row"


def test_the_gravest_demand_wins_and_each_gate_has_its_own():
    policies = {"errors": {"source_down": "pause"}, "threshold p99": {"no_data": "rollback"}}
    assert demands(policies, *[[DOWN, EMPTY]] * PATIENCE)[-1] == ("rollback", EMPTY)
    assert demands(policies, *[[DOWN]] * PATIENCE)[-1] == ("pause", DOWN)


@pytest.mark.parametrize(("action", "verdict", "outcome"), [("pause", "hold", "pause"), ("rollback", "rollback", None)])
def test_the_judge_follows_the_policy_and_says_so(action, verdict, outcome):
    judge = Judge(Settings(), policies={"errors": {"source_down": action}})
    results = [judge.tick({"t": 5 * i, "source_down": "connection refused"}) for i in (1, 2, 3)]
    assert [result["verdict"] for result in results] == ["hold", "hold", verdict]
    assert (results[-1]["cause"], results[-1].get("outcome")) == ("source_down", outcome)
    assert f"as source_down: {action} of errors says: connection refused" in results[-1]["message"]


def test_data_that_are_missing_on_a_gates_own_source_are_that_gates_trouble(line):
    judge = Judge(Settings(latency=("p50",)), policies={"latency": {"no_data": "pause"}})
    counts = {"green1": (50, 0)}, {"blue1": (900, 0)}
    for i in (1, 2, 3):
        result = judge.tick(line(5 * i, *counts, missing={"latency": {"no_data": "no histogram"}}))
    assert (result["outcome"], result["cause"]) == ("pause", "no_data")
    assert result["message"].endswith("of latency says: no histogram")
