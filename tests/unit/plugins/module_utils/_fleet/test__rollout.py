"""Which release gets the traffic, and what it goes on from after a pause or a death."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._deploy import deploy_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollout import rollout_plan
from observed_fleet import ON_BLUE, ON_GREEN, PAUSED_25, V1_ON_BLUE, event, fleet, held, journal, rolling, split


def test_a_rollout_takes_the_deployed_release() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    plan = rollout_plan(fleet(events, ON_BLUE), None, promote=False)
    assert (plan["release_id"], plan["version"], plan["candidate"], plan["start_share"]) == ("r2", "v2", "green", 0.0)


def test_a_rollout_takes_the_release_that_was_meant_and_no_other_of_the_same_version() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    assert rollout_plan(fleet(events, ON_BLUE), "v2", False, only="r2")["release_id"] == "r2"
    with pytest.raises(StateError, match="release r1, which was to be rolled out, is not in progress any more"):
        rollout_plan(fleet(events, ON_BLUE), "v2", False, only="r1")


def test_a_rollout_of_another_version_than_the_deployed_one_is_refused() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    with pytest.raises(StateError, match="version v3 was asked for, but release r2"):
        rollout_plan(fleet(events, ON_BLUE), "v3", promote=False)


@pytest.mark.parametrize(
    ("more", "promote", "message"),
    [
        ([], False, "was never deployed to its end"),
        ([event("deployed")], True, "it is not paused"),
        ([event("deployed"), event("paused")], False, "go on with sluice.bluegreen.promote"),
    ],
)
def test_a_rollout_out_of_turn_is_refused_with_the_way_out(
    more: list[dict[str, Any]], promote: bool, message: str
) -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), *more]
    with pytest.raises(StateError, match=message):
        rollout_plan(fleet(events, ON_BLUE), None, promote=promote)


def test_a_rollout_without_a_release_is_refused() -> None:
    with pytest.raises(StateError, match="there is no release to roll out"):
        rollout_plan(fleet(V1_ON_BLUE, ON_BLUE), None, promote=False)


def test_a_promote_goes_on_above_the_committed_share() -> None:
    shares = {"blue": 75.0, "green": 25.0}
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    events += [event("committed", shares=shares), event("stage_passed", stage=2), event("paused")]
    assert rollout_plan(fleet(events, shares), None, promote=True)["start_share"] == 25.0


KNOWN = {"reference": {}, "slow": {}, "stable": [4000, 4], "thresholds": {}}


def test_what_the_gates_knew_of_the_stable_color_is_gone_on_with_where_all_journals_say_it() -> None:
    passed, other = ([*rolling(), event("stage_passed", stage=3, split=50, known=known)] for known in (KNOWN, {}))
    paused = [*passed, event("paused", stage=3, split=50)]
    assert rollout_plan(fleet(passed, ON_BLUE), None, promote=False, resume=True)["known"] == KNOWN
    assert rollout_plan(fleet(paused, ON_BLUE), None, promote=True)["known"] == KNOWN
    for one, two in ((passed, other), (other, other)):
        journals = {"lb1": journal(one), "lb2": journal(two)}
        half = Fleet("shop", journals, {"lb1": split(ON_BLUE), "lb2": split(ON_BLUE)})
        assert rollout_plan(half, None, promote=True)["known"] == {}
    spoilt = [*rolling(), event("stage_passed", stage=3, split=50, known={**KNOWN, "stable": "many"})]
    assert rollout_plan(fleet(spoilt, ON_BLUE), None, promote=True)["known"] == {}


def test_a_dead_release_is_resumed_after_the_stages_that_it_passed_under_another_id() -> None:
    dead = fleet(rolling(), ON_BLUE)
    deploy = deploy_plan(dead, None, resume=True)
    assert (deploy["resume"], deploy["settle"], deploy["version"]) == (True, False, "v2")
    for plan in (
        rollout_plan(dead, None, promote=False, resume=True),
        rollout_plan(dead, None, promote=True),
    ):
        assert (plan["release_id"], plan["resumes"]) == (None, "r2")
        assert (plan["start_share"], plan["start_stage"]) == (25.0, 2)


def test_a_release_that_died_with_all_stages_passed_does_the_last_one_again_unless_it_is_committed() -> None:
    passed = [*rolling(), event("stage_passed", stage=4, split=100)]
    plan = rollout_plan(fleet(passed, ON_BLUE), None, promote=False, resume=True)
    assert 99 < plan["start_share"] < 100
    committed = [*passed, event("committed", shares=ON_GREEN)]
    assert rollout_plan(fleet(committed, ON_GREEN), None, promote=False, resume=True)["start_share"] == 100.0


def test_a_stage_that_one_balancer_has_not_committed_is_done_again_on_all() -> None:
    """One that was lost meanwhile works with less, and nobody has judged it with all."""
    events = [*rolling(), event("committed", shares=ON_GREEN)]
    journals = {"lb1": journal(events), "lb2": journal(rolling())}
    half = Fleet("shop", journals, {"lb1": split(ON_GREEN), "lb2": split(PAUSED_25)})
    assert rollout_plan(half, None, promote=False, resume=True)["start_share"] == 25.0
    assert rollout_plan(half, None, promote=True)["start_share"] == 25.0


def test_a_second_rollout_of_one_release_is_refused_while_the_first_is_alive() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    with pytest.raises(StateError, match="locked on lb2 by release r2 of bob@ci"):
        rollout_plan(fleet(events, ON_BLUE, held("r2")), None, promote=False)


def test_a_release_that_ended_on_one_balancer_only_is_told_from_none() -> None:
    promoted_on_one = [*rolling(), event("committed", shares=ON_GREEN), event("promoted")]
    journals = {"lb1": journal(promoted_on_one), "lb2": journal([*rolling(), event("paused")])}
    half = Fleet("shop", journals, {"lb1": split(ON_GREEN), "lb2": split(PAUSED_25)})
    with pytest.raises(StateError, match=r"ended on lb1 and not on lb2; .* with sluice\.bluegreen\.abort"):
        rollout_plan(half, None, promote=True)


def test_a_release_that_died_in_its_second_look_begins_with_that_stage_and_has_no_third() -> None:
    at_100 = event("stage_passed", stage=3, split=50)
    looked = event("second_look", stage=4, split=100, passed={"stage": 2, "split": 25})
    first = rollout_plan(fleet([*rolling(), at_100], ON_BLUE), None, promote=False, resume=True)
    assert (first["start_share"], first["second_look"]) == (50.0, False)
    for more in ([], [event("stage_passed", stage=3, split=50)]):
        dead = fleet([*rolling(), at_100, event("shift"), looked, *more], ON_BLUE)
        plan = rollout_plan(dead, None, promote=False, resume=True)
        assert (plan["start_share"], plan["second_look"]) == (50.0 if more else 25.0, True)


def test_what_cannot_be_resumed_says_why() -> None:
    with pytest.raises(StateError, match="version v3 was asked for, but release r2"):
        deploy_plan(fleet(rolling(), ON_BLUE), "v3", resume=True)
    with pytest.raises(StateError, match="there is no release that could be resumed; say which version"):
        deploy_plan(fleet(V1_ON_BLUE, ON_BLUE), None, resume=True)
    with pytest.raises(StateError, match="died after 2 passed stages; go on after them with -e resume=true"):
        rollout_plan(fleet(rolling(), ON_BLUE), None, promote=False)
