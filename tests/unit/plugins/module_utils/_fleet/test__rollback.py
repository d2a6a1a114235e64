"""Where traffic goes back to, and every way in which that is refused, with the way out in the message."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._deploy import deploy_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollback import rollback_plan
from observed_fleet import (
    NOWHERE,
    ON_BLUE,
    ON_GREEN,
    PAUSED_25,
    RETIRED,
    SERVERS,
    V1_ON_BLUE,
    V2_ON_GREEN,
    event,
    fleet,
    held,
    journal,
    promoted,
    rolling,
    split,
)


def test_a_rollback_after_a_promotion_goes_to_the_warm_color() -> None:
    plan = rollback_plan(fleet(V2_ON_GREEN, ON_GREEN), SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"], plan["to_version"], plan["from"]) == ("promoted", "blue", "v1", "green")


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_version_that_was_named_is_the_one_that_is_gone_back_to(version: str) -> None:
    assert rollback_plan(fleet(V2_ON_GREEN, ON_GREEN), SERVERS, False, False, version="v1")["to"] == "blue"
    with pytest.raises(StateError, match=f"version {version} was named, and this goes back from v2 on green to v1"):
        rollback_plan(fleet(V2_ON_GREEN, ON_GREEN), SERVERS, False, True, version=version)


@pytest.mark.parametrize("abort", [False, True])
def test_or_the_one_that_is_given_up(abort: bool) -> None:
    for version in ("v1", "v2"):
        assert rollback_plan(fleet(rolling(), ON_BLUE), SERVERS, False, False, abort=abort, version=version)
    with pytest.raises(StateError, match="version v3 was named, and this goes back from v2 on green to v1"):
        rollback_plan(fleet(rolling(), ON_BLUE), SERVERS, False, False, abort=abort, version="v3")


def test_a_rollback_of_a_dead_release_goes_to_stable_without_being_asked() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("shift")]
    plan = rollback_plan(fleet(events, ON_BLUE, held("r2", live=False)), SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"], plan["gives_up"]) == ("release", "blue", "r2")


REVERTED = [
    event("committed", "b1", shares=ON_BLUE),
    event("reverted", "b1", from_color="green", to_color="blue"),
]
CUT_OFF = {
    "before it had anything to tell": (V2_ON_GREEN, ON_GREEN, "r7", "green"),
    "when it had rolled back by itself": (
        [*V2_ON_GREEN, event("release_started", "r3", version="v3", color="blue"), event("rolled_back", "r3")],
        ON_GREEN,
        "r3",
        "green",
    ),
    "when it had taken the promotion back": (
        [*V2_ON_GREEN, event("reverted", "r3", from_color="green", to_color="blue")],
        ON_BLUE,
        "r3",
        "blue",
    ),
}


@pytest.mark.parametrize("when", CUT_OFF)
def test_a_rollback_after_what_was_cut_off_without_a_promotion_takes_nothing_else_back(when: str) -> None:
    events, shares, dead, stays = CUT_OFF[when]
    plan = rollback_plan(fleet(events, shares, held(dead, live=False)), SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"]) == ("unsettled", stays)


def test_a_rollback_after_a_promotion_that_was_cut_off_takes_it_back() -> None:
    dead = fleet(V2_ON_GREEN, ON_GREEN, held("r2", live=False))
    plan = rollback_plan(dead, SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"]) == ("promoted", "blue")


def test_a_rollback_after_a_release_that_died_before_it_said_anything_spares_the_promotion_before() -> None:
    """Whose lock is still there, because it was killed before it gave that back."""
    journals = {
        "lb1": journal(V2_ON_GREEN, held("r2", live=False)),
        "lb2": journal(V2_ON_GREEN, held("r7", live=False)),
    }
    both = Fleet("shop", journals, {host: split(ON_GREEN) for host in journals})
    plan = rollback_plan(both, SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"]) == ("unsettled", "green")


COMMITTED_ONLY = [*V2_ON_GREEN, event("committed", "b1", shares=ON_BLUE)]


@pytest.mark.parametrize(("events", "shares"), [(V2_ON_GREEN, ON_GREEN), (COMMITTED_ONLY, ON_BLUE)])
def test_a_rollback_that_died_is_done_again_and_not_taken_back(
    events: list[dict[str, Any]], shares: dict[str, float]
) -> None:
    died = fleet(events, shares, held("b1", live=False, operation="rollback"))
    plan = rollback_plan(died, SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"]) == ("promoted", "blue")


def test_a_rollback_after_a_retirement_that_died_starts_what_it_may_have_stopped() -> None:
    """HAProxy calls them up still, and whoever retired them may be stopping them."""
    died = fleet(RETIRED, ON_GREEN, held("r3", live=False, operation="retire"))
    plan = rollback_plan(died, SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"], plan["start"]) == ("promoted", "blue", True)


OWED = [*V2_ON_GREEN, event("reverted", "b1", from_color="green", to_color="blue")]


@pytest.mark.parametrize("runtime", [ON_BLUE, ON_GREEN], ids=["taken away", "back after a reload"])
@pytest.mark.parametrize("lock", [held("b1", live=False, operation="rollback"), None], ids=["locked", "rebooted"])
def test_a_way_back_that_a_disk_did_not_take_is_gone_to_its_end(
    runtime: dict[str, float], lock: dict[str, Any] | None
) -> None:
    """To the bad version, which the disk still has, nothing goes again."""
    owed = fleet(OWED, runtime, lock, disk=ON_GREEN)
    for abort in (False, True):
        plan = rollback_plan(owed, SERVERS, takeover=False, force=False, abort=abort)
        assert (plan["kind"], plan["to"]) == ("unsettled", "blue")
    plan = deploy_plan(owed, "v3")
    assert (plan["candidate"], plan["settle"]) == ("green", True)


def refused_by_lb2(*more: dict[str, Any]) -> Fleet:
    """lb1 has promoted r2 and was lost then; lb2 refused and went back, as the release did."""
    one = [*rolling(), event("committed", shares=ON_GREEN), event("promoted")]
    journals = {"lb1": journal(one), "lb2": journal([*rolling(), event("rolled_back"), *more])}
    return Fleet("shop", journals, {"lb1": split(ON_GREEN), "lb2": split(ON_BLUE)})


@pytest.mark.parametrize("abort", [False, True])
@pytest.mark.parametrize("more", [[], [event("restored", color="green", version="v0")]])
def test_a_promotion_that_was_taken_back_is_so_for_the_balancer_that_missed_it(
    abort: bool, more: list[dict[str, Any]]
) -> None:
    found = refused_by_lb2(*more)
    assert found.newest == "lb2"
    plan = rollback_plan(found, SERVERS, takeover=False, force=False, abort=abort)
    assert (plan["kind"], plan["to"]) == ("unsettled", "blue")
    plan = deploy_plan(found, "v3")
    assert (plan["candidate"], plan["settle"]) == ("green", True)


def test_the_first_release_can_be_aborted_where_one_balancer_had_promoted_it() -> None:
    began = [event("release_started", version="v1", color="blue"), event("deployed"), event("shift")]
    one = [*began, event("committed", shares=ON_BLUE), event("promoted")]
    journals = {"lb1": journal(one), "lb2": journal([*began, event("rolled_back")])}
    both = Fleet("shop", journals, {"lb1": split(ON_BLUE), "lb2": split(NOWHERE)})
    plan = rollback_plan(both, SERVERS, takeover=False, force=False, abort=True)
    assert (plan["kind"], plan["to"], plan["from"]) == ("unsettled", None, "blue")


def test_nothing_is_brought_to_a_color_that_is_down_away_from_one_that_answers() -> None:
    lost = fleet(V2_ON_GREEN, ON_BLUE, held("r7", live=False), down=("green1", "green2"))
    for decide in (
        lambda: rollback_plan(lost, SERVERS, takeover=False, force=False),
        lambda: rollback_plan(lost, SERVERS, takeover=False, force=False, abort=True),
        lambda: deploy_plan(lost, "v3"),
    ):
        with pytest.raises(StateError, match="lb1 calls no server of it up, and blue answers; see to the containers"):
            decide()
    assert rollback_plan(lost, SERVERS, takeover=False, force=True, abort=True)["to"] == "green"


def test_a_lock_that_an_older_operation_left_changes_nothing() -> None:
    left = fleet(V2_ON_GREEN, ON_GREEN, held("r1", live=False))
    assert rollback_plan(left, SERVERS, takeover=False, force=False)["kind"] == "promoted"


def test_a_rollback_of_a_live_release_needs_takeover() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("shift")]
    running = fleet(events, ON_BLUE, held("r2"))
    with pytest.raises(StateError, match="-e takeover=true"):
        rollback_plan(running, SERVERS, takeover=False, force=False)
    assert rollback_plan(running, SERVERS, takeover=True, force=False)["gives_up"] == "r2"


def test_a_rollback_to_a_color_that_a_balancer_calls_down_is_refused_unless_forced() -> None:
    down = Fleet(
        "shop",
        {"lb1": journal(V2_ON_GREEN), "lb2": journal(V2_ON_GREEN)},
        {"lb1": split(ON_GREEN), "lb2": split(ON_GREEN, down=("blue1", "blue2"))},
    )
    with pytest.raises(StateError, match=r"lb2 calls no server of blue up \(blue1, blue2\)"):
        rollback_plan(down, SERVERS, takeover=False, force=False)
    assert rollback_plan(down, SERVERS, takeover=False, force=True)["to"] == "blue"


def test_a_rollback_to_a_version_that_was_itself_rolled_back_is_refused_unless_forced() -> None:
    events = [*V2_ON_GREEN, *REVERTED]
    with pytest.raises(StateError, match="green holds v2, which was itself rolled back"):
        rollback_plan(fleet(events, ON_BLUE), SERVERS, takeover=False, force=False)
    assert rollback_plan(fleet(events, ON_BLUE), SERVERS, takeover=False, force=True)["to"] == "green"


def test_a_rollback_to_containers_that_were_replaced_is_refused() -> None:
    events = [*V2_ON_GREEN, event("release_started", "r3", version="v3", color="blue"), event("failed", "r3")]
    with pytest.raises(StateError, match="blue ran v1 before, but its containers were replaced since"):
        rollback_plan(fleet(events, ON_GREEN), SERVERS, takeover=False, force=False)


@pytest.mark.parametrize("abort", [False, True])
def test_a_balancer_that_missed_that_a_release_was_given_up_is_brought_back_and_nothing_else(abort: bool) -> None:
    given_up = [*rolling(), event("rolled_back", cause="split_lost")]
    known, missed = journal(given_up), journal(rolling())
    lagging = Fleet("shop", {"lb1": known, "lb2": missed}, {"lb1": split(ON_BLUE), "lb2": split(ON_BLUE)})
    plan = rollback_plan(lagging, SERVERS, takeover=False, force=False, abort=abort)
    assert (plan["kind"], plan["to"]) == ("unsettled", "blue")
    assert lagging.common["catch_up"]["hosts"] == ["lb2"]
    promoted_on_one = [*rolling(), event("committed", shares=ON_GREEN), event("promoted")]
    lagging = Fleet("shop", {"lb1": journal(promoted_on_one), "lb2": missed}, lagging.splits)
    if not abort:
        assert rollback_plan(lagging, SERVERS, takeover=False, force=False)["kind"] == "promoted"


@pytest.mark.parametrize(
    ("events", "shares", "message"),
    [([], NOWHERE, "was never released"), (V1_ON_BLUE, ON_BLUE, "green is empty")],
)
def test_a_rollback_without_anything_to_go_back_to_is_refused(
    events: list[dict[str, Any]], shares: dict[str, float], message: str
) -> None:
    with pytest.raises(StateError, match=message):
        rollback_plan(fleet(events, shares), SERVERS, takeover=False, force=False)


def test_an_abort_gives_up_a_release_and_nothing_else() -> None:
    dead = fleet(rolling(), ON_BLUE)
    assert rollback_plan(dead, SERVERS, takeover=False, force=False, abort=True)["gives_up"] == "r2"
    with pytest.raises(StateError, match="no release is in progress, green serves v2; to go back"):
        rollback_plan(fleet(V2_ON_GREEN, ON_GREEN), SERVERS, takeover=False, force=False, abort=True)
    unsettled = fleet(V2_ON_GREEN, ON_GREEN, disk=ON_BLUE)
    plan = rollback_plan(unsettled, SERVERS, takeover=False, force=False, abort=True)
    assert (plan["kind"], plan["to"]) == ("unsettled", "green")


def test_an_abort_that_is_for_one_release_leaves_another_one_alone() -> None:
    def abort(state: Fleet, only: str) -> dict[str, Any]:
        return rollback_plan(state, SERVERS, takeover=False, force=False, abort=True, only=only)

    dead = fleet(rolling(), ON_BLUE)
    assert abort(dead, "r2")["gives_up"] == "r2"
    with pytest.raises(
        StateError, match=r"release r1, which was to be given up, .* is release r2 \(version v2 on green\)"
    ):
        abort(dead, "r1")
    with pytest.raises(StateError, match="no release is in progress, green serves v2"):
        abort(fleet(V2_ON_GREEN, ON_GREEN), "r2")


def test_what_is_marked_irreversible_is_left_by_force_only() -> None:
    dead = fleet(rolling(reversible=False), PAUSED_25)
    with pytest.raises(StateError, match="is marked reversible: false, and its version has served at 0 %"):
        rollback_plan(dead, SERVERS, takeover=False, force=False)
    with pytest.raises(StateError, match="reversible: false"):
        deploy_plan(dead, "v3")
    assert deploy_plan(dead, None, resume=True)["resume"] is True
    assert rollback_plan(dead, SERVERS, takeover=False, force=True)["to"] == "blue"
    events = [*V1_ON_BLUE, *promoted("r2", "v2", "green")]
    events[3]["data"]["reversible"] = False
    served = fleet(events, ON_GREEN)
    with pytest.raises(StateError, match="green serves v2, which was released with reversible: false"):
        rollback_plan(served, SERVERS, takeover=False, force=False)
    assert rollback_plan(served, SERVERS, takeover=False, force=True)["to"] == "blue"
    events[3]["data"]["reversible"] = True


@pytest.mark.parametrize("force", [False, True])
def test_a_way_back_to_a_retired_color_starts_it_first(force: bool) -> None:
    down = ("blue1", "blue2")
    plan = rollback_plan(fleet(RETIRED, ON_GREEN, down=down), SERVERS, takeover=False, force=force)
    assert (plan["to"], plan["to_version"], plan["retired"], plan["start"]) == ("blue", "v1", True, True)
    warm = rollback_plan(fleet(V2_ON_GREEN, ON_GREEN), SERVERS, takeover=False, force=force)
    assert (warm["retired"], warm["start"]) == (False, False)


def test_a_shrunk_color_takes_the_traffic_at_once_only_where_it_can_carry_it() -> None:
    events = [*V2_ON_GREEN, event("retired", "r3", color="blue", version="v1", kept=["blue1"])]
    splits = split(ON_GREEN, down=("blue2",))
    found = Fleet("shop", {"lb1": journal(events)}, {"lb1": splits})
    for max_load, start in ((1.5, True), (2, False), (None, False)):
        plan = rollback_plan(found, SERVERS, takeover=False, force=False, max_load=max_load)
        assert plan["start"] is start, max_load


def test_what_was_retired_for_good_is_gone_back_to_by_force_only() -> None:
    contracted = [*V2_ON_GREEN, event("retired", "r3", color="blue", version="v1", kept=[], reversible=False)]
    down = fleet(contracted, ON_GREEN, down=("blue1", "blue2"))
    with pytest.raises(StateError, match="v1 may not be able to serve after it"):
        rollback_plan(down, SERVERS, takeover=False, force=False)
    assert rollback_plan(down, SERVERS, takeover=False, force=True)["start"]
