"""What to do next, and every way in which it is refused, with the way out in the message."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _fleet, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError

SERVERS = {"blue": ["blue1", "blue2"], "green": ["green1", "green2"]}
NOWHERE = {"blue": 0.0, "green": 0.0}
ON_BLUE = {"blue": 100.0, "green": 0.0}
ON_GREEN = {"blue": 0.0, "green": 100.0}


def event(name: str, release_id: str = "r2", /, **data: Any) -> dict[str, Any]:
    return {"event": name, "release_id": release_id, "at": "2026-01-31T12:00:00.000Z", "data": data}


def promoted(release_id: str, version: str, color: str) -> list[dict[str, Any]]:
    return [
        event("release_started", release_id, version=version, color=color),
        event("committed", release_id, shares=_shares(color)),
        event("promoted", release_id),
    ]


def _shares(color: str) -> dict[str, float]:
    return ON_BLUE if color == "blue" else ON_GREEN


V1_ON_BLUE = promoted("r1", "v1", "blue")
V2_ON_GREEN = [*V1_ON_BLUE, *promoted("r2", "v2", "green")]


def journal(events: list[dict[str, Any]], lock: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"state": _state.derive(events), "lock": lock, "lease": None, "damage": []}


def split(
    runtime: dict[str, float], disk: dict[str, float] | None = None, down: tuple[str, ...] = ()
) -> dict[str, Any]:
    names = [name for names in SERVERS.values() for name in names]
    return {
        "runtime": {"shares": runtime},
        "disk": {"shares": disk or runtime},
        "servers": {name: {"up": name not in down} for name in names},
    }


def held(release_id: str = "r9", live: bool = True) -> dict[str, Any]:
    return {
        "release_id": release_id,
        "owner": "bob@ci",
        "since": "12:00",
        "remaining": 17.0 if live else 0,
        "live": live,
    }


def fleet(
    events: list[dict[str, Any]], runtime: dict[str, float], lock: dict[str, Any] | None = None, **more: Any
) -> _fleet.Fleet:
    return _fleet.Fleet(
        "shop",
        {"lb1": journal(events), "lb2": journal(events, lock)},
        {"lb1": split(runtime, **more), "lb2": split(runtime, **more)},
    )


def test_the_first_release_goes_to_blue() -> None:
    plan = _fleet.deploy_plan(fleet([], NOWHERE), "v1")
    assert (plan["candidate"], plan["stable"], plan["first"], plan["previous"]) == ("blue", None, True, None)


def test_the_next_release_goes_to_the_idle_color_and_knows_what_it_held() -> None:
    plan = _fleet.deploy_plan(fleet(V2_ON_GREEN, ON_GREEN), "v3")
    assert (plan["candidate"], plan["stable"], plan["first"]) == ("blue", "green", False)
    assert (plan["previous"], plan["stable_version"]) == ("v1", "v2")


def test_a_live_lock_on_any_balancer_refuses_and_names_the_holder() -> None:
    with pytest.raises(StateError, match=r"locked on lb2 by release r9 of bob@ci since 12:00 \(17 s left\)"):
        _fleet.deploy_plan(fleet(V1_ON_BLUE, ON_BLUE, held()), "v2")


def test_a_dead_lock_refuses_nothing() -> None:
    assert _fleet.deploy_plan(fleet(V1_ON_BLUE, ON_BLUE, held(live=False)), "v2")["candidate"] == "green"


@pytest.mark.parametrize("where", ["runtime", "disk"])
def test_a_color_that_gets_traffic_is_never_deployed_to(where: str) -> None:
    mixed = {"blue": 95.0, "green": 5.0}
    shares = {"runtime": mixed, "disk": ON_BLUE} if where == "runtime" else {"runtime": ON_BLUE, "disk": mixed}
    with pytest.raises(StateError, match=r"lb1 .* 5 % of the traffic to green, which should be idle"):
        _fleet.deploy_plan(fleet(V1_ON_BLUE, **shares), "v2")


def test_a_paused_release_is_not_overrun() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("paused")]
    with pytest.raises(StateError, match=r"waits for a decision at 0 %; go on with sluice\.bluegreen\.promote"):
        _fleet.deploy_plan(fleet(events, ON_BLUE), "v3")


def test_a_balancer_that_said_nothing_stops_everything() -> None:
    with pytest.raises(StateError, match="no observation from balancer lb2"):
        _fleet.Fleet("shop", {"lb1": journal([]), "lb2": journal([])}, {"lb1": split(NOWHERE)})


def test_a_rollout_takes_the_deployed_release() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    plan = _fleet.rollout_plan(fleet(events, ON_BLUE), None, promote=False)
    assert (plan["release_id"], plan["version"], plan["candidate"], plan["start_share"]) == ("r2", "v2", "green", 0.0)


def test_a_rollout_of_another_version_than_the_deployed_one_is_refused() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    with pytest.raises(StateError, match="version v3 was asked for, but release r2"):
        _fleet.rollout_plan(fleet(events, ON_BLUE), "v3", promote=False)


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
        _fleet.rollout_plan(fleet(events, ON_BLUE), None, promote=promote)


def test_a_rollout_without_a_release_is_refused() -> None:
    with pytest.raises(StateError, match="there is no release to roll out"):
        _fleet.rollout_plan(fleet(V1_ON_BLUE, ON_BLUE), None, promote=False)


def test_a_promote_goes_on_above_the_committed_share() -> None:
    shares = {"blue": 75.0, "green": 25.0}
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("deployed")]
    events += [event("committed", shares=shares), event("stage_passed", stage=2), event("paused")]
    assert _fleet.rollout_plan(fleet(events, shares), None, promote=True)["start_share"] == 25.0


def test_a_rollback_after_a_promotion_goes_to_the_warm_color() -> None:
    plan = _fleet.rollback_plan(fleet(V2_ON_GREEN, ON_GREEN), SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"], plan["to_version"], plan["from"]) == ("promoted", "blue", "v1", "green")


def test_a_rollback_of_a_dead_release_goes_to_stable_without_being_asked() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("shift")]
    plan = _fleet.rollback_plan(fleet(events, ON_BLUE, held("r2", live=False)), SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"], plan["gives_up"]) == ("release", "blue", "r2")


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
    plan = _fleet.rollback_plan(fleet(events, shares, held(dead, live=False)), SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"]) == ("unsettled", stays)


def test_a_rollback_after_a_promotion_that_was_cut_off_takes_it_back() -> None:
    dead = fleet(V2_ON_GREEN, ON_GREEN, held("r2", live=False))
    plan = _fleet.rollback_plan(dead, SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"]) == ("promoted", "blue")


def test_a_lock_that_an_older_operation_left_changes_nothing() -> None:
    left = fleet(V2_ON_GREEN, ON_GREEN, held("r1", live=False))
    assert _fleet.rollback_plan(left, SERVERS, takeover=False, force=False)["kind"] == "promoted"


def test_a_rollback_of_a_live_release_needs_takeover() -> None:
    events = [*V1_ON_BLUE, event("release_started", version="v2", color="green"), event("shift")]
    running = fleet(events, ON_BLUE, held("r2"))
    with pytest.raises(StateError, match="-e takeover=true"):
        _fleet.rollback_plan(running, SERVERS, takeover=False, force=False)
    assert _fleet.rollback_plan(running, SERVERS, takeover=True, force=False)["gives_up"] == "r2"


def test_a_rollback_to_a_color_that_a_balancer_calls_down_is_refused_unless_forced() -> None:
    down = _fleet.Fleet(
        "shop",
        {"lb1": journal(V2_ON_GREEN), "lb2": journal(V2_ON_GREEN)},
        {"lb1": split(ON_GREEN), "lb2": split(ON_GREEN, down=("blue1", "blue2"))},
    )
    with pytest.raises(StateError, match=r"lb2 calls no server of blue up \(blue1, blue2\)"):
        _fleet.rollback_plan(down, SERVERS, takeover=False, force=False)
    assert _fleet.rollback_plan(down, SERVERS, takeover=False, force=True)["to"] == "blue"


def test_a_rollback_to_a_version_that_was_itself_rolled_back_is_refused_unless_forced() -> None:
    events = [*V2_ON_GREEN, event("reverted", "b1", from_color="green", to_color="blue")]
    with pytest.raises(StateError, match="green holds v2, which was itself rolled back"):
        _fleet.rollback_plan(fleet(events, ON_BLUE), SERVERS, takeover=False, force=False)
    assert _fleet.rollback_plan(fleet(events, ON_BLUE), SERVERS, takeover=False, force=True)["to"] == "green"


def test_a_rollback_to_containers_that_were_replaced_is_refused() -> None:
    events = [*V2_ON_GREEN, event("release_started", "r3", version="v3", color="blue"), event("failed", "r3")]
    with pytest.raises(StateError, match="blue ran v1 before, but its containers were replaced since"):
        _fleet.rollback_plan(fleet(events, ON_GREEN), SERVERS, takeover=False, force=False)


@pytest.mark.parametrize(("events", "message"), [([], "was never released"), (V1_ON_BLUE, "green is empty")])
def test_a_rollback_without_anything_to_go_back_to_is_refused(events: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(StateError, match=message):
        _fleet.rollback_plan(fleet(events, ON_BLUE), SERVERS, takeover=False, force=False)


def test_the_balancer_that_was_told_last_is_believed_and_the_others_are_named() -> None:
    both = _fleet.Fleet(
        "shop",
        {"lb1": journal(V1_ON_BLUE), "lb2": journal(V2_ON_GREEN)},
        {"lb1": split(ON_BLUE), "lb2": split(ON_GREEN)},
    )
    assert both.state["stable"] == "green"
    assert both.behind == ["lb1"]


def rolling(**data: Any) -> list[dict[str, Any]]:
    """Release r2 of v2 that passed the stage of 25 % and died in the next."""
    started = event("release_started", version="v2", color="green", **data)
    return [*V1_ON_BLUE, started, event("deployed"), event("shift"), event("stage_passed", stage=2, split=25)]


PAUSED_25 = {"blue": 75.0, "green": 25.0}


def test_a_release_after_a_dead_one_begins_anew_on_a_known_split() -> None:
    plan = _fleet.deploy_plan(fleet(rolling(), PAUSED_25, held("r2", live=False)), "v3")
    assert (plan["candidate"], plan["settle"], plan["resume"], plan["supersedes"]) == ("green", True, False, "r2")
    assert _fleet.deploy_plan(fleet(rolling(), ON_BLUE), "v3")["settle"] is False


def test_a_dead_release_is_resumed_after_the_stages_that_it_passed_under_another_id() -> None:
    dead = fleet(rolling(), ON_BLUE)
    deploy = _fleet.deploy_plan(dead, None, resume=True)
    assert (deploy["resume"], deploy["settle"], deploy["version"]) == (True, False, "v2")
    for plan in (
        _fleet.rollout_plan(dead, None, promote=False, resume=True),
        _fleet.rollout_plan(dead, None, promote=True),
    ):
        assert (plan["release_id"], plan["resumes"]) == (None, "r2")
        assert (plan["start_share"], plan["start_stage"]) == (25.0, 2)


def test_a_release_that_died_with_all_stages_passed_does_the_last_one_again_unless_it_is_committed() -> None:
    passed = [*rolling(), event("stage_passed", stage=4, split=100)]
    plan = _fleet.rollout_plan(fleet(passed, ON_BLUE), None, promote=False, resume=True)
    assert 99 < plan["start_share"] < 100
    committed = [*passed, event("committed", shares=ON_GREEN)]
    assert _fleet.rollout_plan(fleet(committed, ON_GREEN), None, promote=False, resume=True)["start_share"] == 100.0


def test_a_release_that_died_in_its_second_look_begins_with_that_stage_and_has_no_third() -> None:
    at_100 = event("stage_passed", stage=3, split=50)
    looked = event("second_look", stage=4, split=100, passed={"stage": 2, "split": 25})
    first = _fleet.rollout_plan(fleet([*rolling(), at_100], ON_BLUE), None, promote=False, resume=True)
    assert (first["start_share"], first["second_look"]) == (50.0, False)
    for more in ([], [event("stage_passed", stage=3, split=50)]):
        dead = fleet([*rolling(), at_100, event("shift"), looked, *more], ON_BLUE)
        plan = _fleet.rollout_plan(dead, None, promote=False, resume=True)
        assert (plan["start_share"], plan["second_look"]) == (50.0 if more else 25.0, True)


def test_what_cannot_be_resumed_says_why() -> None:
    with pytest.raises(StateError, match="version v3 was asked for, but release r2"):
        _fleet.deploy_plan(fleet(rolling(), ON_BLUE), "v3", resume=True)
    with pytest.raises(StateError, match="there is no release that could be resumed; say which version"):
        _fleet.deploy_plan(fleet(V1_ON_BLUE, ON_BLUE), None, resume=True)
    with pytest.raises(StateError, match="died after 2 passed stages; go on after them with -e resume=true"):
        _fleet.rollout_plan(fleet(rolling(), ON_BLUE), None, promote=False)


def test_a_release_that_died_while_it_was_deployed_is_deployed_anew_or_given_up() -> None:
    dead = fleet([*V1_ON_BLUE, event("release_started", version="v2", color="green")], ON_BLUE)
    assert _fleet.deploy_plan(dead, "v2", resume=True)["resume"] is False
    plan = _fleet.rollback_plan(dead, SERVERS, takeover=False, force=False)
    assert (plan["kind"], plan["to"], plan["gives_up"]) == ("release", "blue", "r2")


def test_an_abort_gives_up_a_release_and_nothing_else() -> None:
    dead = fleet(rolling(), ON_BLUE)
    assert _fleet.rollback_plan(dead, SERVERS, takeover=False, force=False, abort=True)["gives_up"] == "r2"
    with pytest.raises(StateError, match="no release is in progress, green serves v2; to go back"):
        _fleet.rollback_plan(fleet(V2_ON_GREEN, ON_GREEN), SERVERS, takeover=False, force=False, abort=True)
    unsettled = fleet(V2_ON_GREEN, ON_GREEN, disk=ON_BLUE)
    plan = _fleet.rollback_plan(unsettled, SERVERS, takeover=False, force=False, abort=True)
    assert (plan["kind"], plan["to"]) == ("unsettled", "green")


def test_what_is_marked_irreversible_is_left_by_force_only() -> None:
    dead = fleet(rolling(reversible=False), PAUSED_25)
    with pytest.raises(StateError, match="is marked reversible: false, and its version has served at 0 %"):
        _fleet.rollback_plan(dead, SERVERS, takeover=False, force=False)
    with pytest.raises(StateError, match="reversible: false"):
        _fleet.deploy_plan(dead, "v3")
    assert _fleet.deploy_plan(dead, None, resume=True)["resume"] is True
    assert _fleet.rollback_plan(dead, SERVERS, takeover=False, force=True)["to"] == "blue"
    events = [*V1_ON_BLUE, *promoted("r2", "v2", "green")]
    events[3]["data"]["reversible"] = False
    served = fleet(events, ON_GREEN)
    with pytest.raises(StateError, match="green serves v2, which was released with reversible: false"):
        _fleet.rollback_plan(served, SERVERS, takeover=False, force=False)
    assert _fleet.rollback_plan(served, SERVERS, takeover=False, force=True)["to"] == "blue"
    events[3]["data"]["reversible"] = True


def two(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> _fleet.Fleet:
    splits = {name: split(ON_GREEN) for name in ("lb1", "lb2")}
    return _fleet.Fleet("shop", {"lb1": journal(one), "lb2": journal(other)}, splits)


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
        lambda: _fleet.deploy_plan(fleet, "v4"),
        lambda: _fleet.rollback_plan(fleet, SERVERS, takeover=False, force=False),
    ):
        with pytest.raises(StateError, match="lb2 knows of r2, of which lb1 has never heard, and the other way round"):
            decide()
    assert _fleet.rollback_plan(fleet, SERVERS, takeover=False, force=True)["to"] == "blue"


def test_a_balancer_that_can_hold_no_lease_stops_what_needs_one_and_no_way_back() -> None:
    journals = {"lb1": {**journal(rolling()), "no_lease": "systemd does not run on this balancer"}}
    fleet = _fleet.Fleet("shop", journals, {"lb1": split(ON_BLUE)})
    with pytest.raises(StateError, match=r"lb1: systemd does not run on this balancer\. Nothing was changed"):
        _fleet.deploy_plan(fleet, "v3")
    assert _fleet.rollback_plan(fleet, SERVERS, takeover=False, force=False)["gives_up"] == "r2"


def test_a_plan_says_what_every_journal_must_still_say() -> None:
    assert fleet(rolling(), ON_BLUE).common["expects"] == {
        "lb1": {"stable": "blue", "release_id": "r2"},
        "lb2": {"stable": "blue", "release_id": "r2"},
    }


class TestCapacity:
    """Blue is stable with two servers; green has one of capacity 1, or less."""

    @staticmethod
    def fleet(events: list[dict[str, Any]], runtime: dict[str, float] = ON_BLUE, **up: bool) -> _fleet.Fleet:
        colors = {"blue1": "blue", "blue2": "blue", "green1": "green"}
        servers = {n: {"color": c, "capacity": 1, "up": up.get(n, True)} for n, c in colors.items()}
        splits = {"runtime": {"shares": runtime}, "disk": {"shares": runtime}, "servers": servers}
        return _fleet.Fleet("shop", {"lb1": journal(events)}, {"lb1": splits})

    def test_a_group_that_is_too_small_is_refused_before_anything_is_deployed(self) -> None:
        fleet = self.fleet(V1_ON_BLUE, green1=False)
        with pytest.raises(StateError, match=r"seen from lb1, green cannot carry 100 % .* 2 times .* add VMs"):
            _fleet.deploy_plan(fleet, "v2", 1.5)
        assert _fleet.deploy_plan(fleet, "v2", 2)["candidate"] == "green", "before its deployment nothing need be up"
        assert _fleet.deploy_plan(fleet, "v2")["candidate"] == "green", "no limit"

    def test_the_first_release_has_nobody_to_be_compared_with(self) -> None:
        assert _fleet.deploy_plan(self.fleet([], NOWHERE), "v1", 0.01)["first"]

    def test_a_rollout_needs_servers_that_are_up(self) -> None:
        deployed = [*V1_ON_BLUE, event("release_started", "r3", version="v2", color="green"), event("deployed", "r3")]
        assert _fleet.rollout_plan(self.fleet(deployed), None, False, 2)["candidate"] == "green"
        with pytest.raises(StateError, match=r"green cannot carry .* none of its 1 servers is up; see to its contain"):
            _fleet.rollout_plan(self.fleet(deployed, green1=False), None, False, 2)

    def test_a_promotion_is_taken_back_only_to_what_can_carry_it_unless_that_is_forced(self) -> None:
        events = [*promoted("r1", "v1", "green"), *promoted("r2", "v2", "blue")]
        with pytest.raises(StateError, match=r"green cannot carry 100 % .* with -e force=true"):
            _fleet.rollback_plan(self.fleet(events), SERVERS, False, False, 1.5)
        assert _fleet.rollback_plan(self.fleet(events), SERVERS, False, True, 1.5)["to"] == "green"
        assert _fleet.rollback_plan(self.fleet(events), SERVERS, False, False, 2)["to"] == "green"

    def test_a_release_is_given_up_whatever_is_up(self) -> None:
        rolling = [
            *promoted("r1", "v1", "green"),
            event("release_started", "r3", version="v2", color="blue"),
            event("shift", "r3"),
        ]
        plan = _fleet.rollback_plan(self.fleet(rolling, green1=False), SERVERS, True, False, 0.1)
        assert plan["to"] == "green"
