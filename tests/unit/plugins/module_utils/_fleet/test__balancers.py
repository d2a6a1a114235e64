"""What the balancers of a service say together, and who is believed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet
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
    journal,
    promoted,
    rolling,
    split,
)


def test_a_balancer_that_said_nothing_stops_everything() -> None:
    with pytest.raises(StateError, match="no observation from balancer lb2"):
        Fleet("shop", {"lb1": journal([]), "lb2": journal([])}, {"lb1": split(NOWHERE)})


def test_the_balancer_that_was_told_last_is_believed_and_the_others_are_named() -> None:
    both = Fleet(
        "shop",
        {"lb1": journal(V1_ON_BLUE), "lb2": journal(V2_ON_GREEN)},
        {"lb1": split(ON_BLUE), "lb2": split(ON_GREEN)},
    )
    assert both.state["stable"] == "green"
    assert both.behind == ["lb1"]


def two(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> Fleet:
    splits = {name: split(ON_GREEN) for name in ("lb1", "lb2")}
    return Fleet("shop", {"lb1": journal(one), "lb2": journal(other)}, splits)


def test_the_journal_that_knows_more_is_believed_whatever_its_clock_says() -> None:
    ahead = [{**event, "at": "2030-01-01T00:00:00.000Z"} for event in V1_ON_BLUE]
    fleet = two(ahead, V2_ON_GREEN)
    assert (fleet.newest, fleet.behind, fleet.forked) == ("lb2", ["lb1"], {})
    catch_up = fleet.common["catch_up"]
    assert (catch_up["hosts"], catch_up["from"], catch_up["state"]["stable"]) == (["lb1"], "lb2", "green")


def test_two_journals_that_each_know_of_another_release_are_not_merged() -> None:
    fleet = two([*V1_ON_BLUE, *promoted("r3", "v3", "green")], V2_ON_GREEN)
    assert fleet.forked == {"lb2": ["r2"]}
    for decide in (
        lambda: deploy_plan(fleet, "v4"),
        lambda: rollback_plan(fleet, SERVERS, takeover=False, force=False),
    ):
        with pytest.raises(StateError, match="lb2 knows of r2, of which lb1 has never heard, and the other way round"):
            decide()
    for abort in (False, True):
        plan = rollback_plan(fleet, SERVERS, takeover=False, force=True, abort=abort)
        assert (plan["kind"], plan["to"]) == ("unsettled", "green"), "what the newest says, and no other version"


def test_a_balancer_that_can_hold_no_lease_stops_what_needs_one_and_no_way_back() -> None:
    journals = {"lb1": {**journal(rolling()), "no_lease": "systemd does not run on this balancer"}}
    fleet = Fleet("shop", journals, {"lb1": split(ON_BLUE)})
    with pytest.raises(StateError, match=r"lb1: systemd does not run on this balancer\. Nothing was changed"):
        deploy_plan(fleet, "v3")
    assert rollback_plan(fleet, SERVERS, takeover=False, force=False)["gives_up"] == "r2"


def test_a_plan_says_what_every_journal_must_still_say() -> None:
    assert fleet(rolling(), ON_BLUE).common["expects"] == {
        "lb1": {"stable": "blue", "release_id": "r2", "operation": "r2"},
        "lb2": {"stable": "blue", "release_id": "r2", "operation": "r2"},
    }


def operations(count: int) -> list[dict[str, Any]]:
    """So many rollbacks to and fro, after the releases."""
    found = list(V2_ON_GREEN)
    for number in range(count):
        to, left = ("blue", "green") if number % 2 == 0 else ("green", "blue")
        found.append(event("committed", f"b{number}", shares={to: 100.0, left: 0.0}))
        found.append(event("reverted", f"b{number}", from_color=left, to_color=to))
    return found


@pytest.mark.parametrize("count", [97, 98, 99, 250])
def test_what_a_journal_does_not_remember_any_more_makes_no_two_stories(count: int) -> None:
    """It remembers a hundred; with one that the other missed it has forgotten one that the other has not."""
    fleet = two(operations(count), operations(count + 1))
    assert (fleet.newest, fleet.behind, fleet.forked) == ("lb2", ["lb1"], {})
    assert two(operations(count), operations(count)).behind == []


def test_two_long_journals_that_differ_are_two_stories_all_the_same() -> None:
    started = event("release_started", "strange", version="v9", color="blue")
    fleet = two([*operations(200), started], operations(201))
    assert list(fleet.forked.values()) in ([["strange"]], [["b200"]])


class TestJournalsThatWereLost:
    """As with a disk that is not mounted: HAProxy goes on, and nothing says what it does."""

    @pytest.mark.parametrize(("shares", "color"), [(ON_BLUE, "blue"), (ON_GREEN, "green")])
    def test_what_serves_everywhere_is_stable(self, shares: dict[str, float], color: str) -> None:
        lost = fleet([], shares)
        lost.require_memory()
        plan = deploy_plan(lost, "v9")
        assert (plan["stable"], plan["candidate"], plan["first"]) == (color, _state.other(color), False)
        catch_up = lost.common["catch_up"]
        assert (catch_up["hosts"], catch_up["adopted"]) == (["lb1", "lb2"], True)
        assert _state.derive([event("caught_up", state=catch_up["state"])])["stable"] == color
        assert lost.common["expects"]["lb1"]["stable"] is None, "the lock is compared with what the journal says"

    def test_a_way_back_does_not_take_the_traffic_away_from_it(self) -> None:
        lost = fleet([], ON_BLUE)
        with pytest.raises(StateError, match="nothing warm to go back to from blue: green is empty"):
            rollback_plan(lost, SERVERS, False, False)
        assert rollback_plan(lost, SERVERS, False, False, abort=True)["to"] == "blue"

    def test_what_is_divided_is_for_a_person_to_decide(self) -> None:
        with pytest.raises(StateError, match=r"no journal .*lb1 sends 75 % to blue and 25 % to green.* were lost"):
            fleet([], PAUSED_25).require_memory()
        with pytest.raises(StateError, match="the journals were lost"):
            fleet([], ON_BLUE, disk=ON_GREEN).require_memory()

    def test_a_service_without_traffic_was_never_released(self) -> None:
        fleet([], NOWHERE).require_memory()
        assert deploy_plan(fleet([], NOWHERE), "v1")["first"]

    def test_one_journal_that_knows_is_enough(self) -> None:
        known = two([], V2_ON_GREEN)
        known.require_memory()
        assert known.common["catch_up"]["adopted"] is False
