"""Where a new version goes, and every way in which that is refused, with the way out in the message."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._deploy import deploy_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollback import rollback_plan
from observed_fleet import (
    NOWHERE,
    ON_BLUE,
    ON_GREEN,
    PAUSED_25,
    SERVERS,
    V1_ON_BLUE,
    V2_ON_GREEN,
    event,
    fleet,
    held,
    rolling,
)


def test_the_first_release_goes_to_blue() -> None:
    plan = deploy_plan(fleet([], NOWHERE), "v1")
    assert (plan["candidate"], plan["stable"], plan["first"], plan["previous"]) == ("blue", None, True, None)


def test_the_next_release_goes_to_the_idle_color_and_knows_what_it_held() -> None:
    plan = deploy_plan(fleet(V2_ON_GREEN, ON_GREEN), "v3")
    assert (plan["candidate"], plan["stable"], plan["first"]) == ("blue", "green", False)
    assert (plan["previous"], plan["stable_version"]) == ("v1", "v2")


def test_a_live_lock_on_any_balancer_refuses_and_names_the_holder() -> None:
    with pytest.raises(StateError, match=r"locked on lb2 by release r9 of bob@ci since 12:00 \(17 s left\)"):
        deploy_plan(fleet(V1_ON_BLUE, ON_BLUE, held()), "v2")


def test_a_dead_lock_refuses_nothing() -> None:
    assert deploy_plan(fleet(V1_ON_BLUE, ON_BLUE, held(live=False)), "v2")["candidate"] == "green"


@pytest.mark.parametrize("where", ["runtime", "disk"])
def test_a_color_that_gets_traffic_is_never_deployed_to(where: str) -> None:
    mixed = {"blue": 95.0, "green": 5.0}
    shares = {"runtime": mixed, "disk": ON_BLUE} if where == "runtime" else {"runtime": ON_BLUE, "disk": mixed}
    with pytest.raises(StateError, match=r"lb1 .* 5 % of the traffic to green, which should be idle"):
        deploy_plan(fleet(V1_ON_BLUE, **shares), "v2")


def test_a_paused_release_is_not_overrun() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("paused")]
    with pytest.raises(StateError, match=r"waits for a decision at 0 %; go on with sluice\.bluegreen\.promote"):
        deploy_plan(fleet(events, ON_BLUE), "v3")


def test_a_release_after_a_dead_one_begins_anew_on_a_known_split() -> None:
    plan = deploy_plan(fleet(rolling(), PAUSED_25, held("r2", live=False)), "v3")
    assert (plan["candidate"], plan["settle"], plan["resume"], plan["supersedes"]) == ("green", True, False, "r2")
    assert deploy_plan(fleet(rolling(), ON_BLUE), "v3")["settle"] is False


def test_a_release_that_died_while_it_was_deployed_is_deployed_anew_or_given_up() -> None:
    dead = fleet([*V1_ON_BLUE, event("release_started", version="v2", color="green")], ON_BLUE)
    assert deploy_plan(dead, "v2", resume=True)["resume"] is False
    plan = rollback_plan(dead, SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"], plan["gives_up"]) == ("release", "blue", "r2")
