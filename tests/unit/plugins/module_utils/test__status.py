"""What a person reads who asks how a service stands."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._status import report

ON_BLUE = {"blue": 100.0, "green": 0.0}
ON_GREEN = {"blue": 0.0, "green": 100.0}
NOWHERE = {"blue": 0.0, "green": 0.0}
SPLIT_5 = {"blue": 95.0, "green": 5.0}
ROLLING = ("shift", {})


def events(*given: tuple[str, dict[str, Any]], release_id: str = "r2") -> list[dict[str, Any]]:
    return [
        {"event": name, "release_id": release_id, "at": f"2026-01-31T12:00:{number:02d}.000Z", "data": data}
        for number, (name, data) in enumerate(given)
    ]


def released(version: str, color: str, release_id: str) -> list[dict[str, Any]]:
    return events(
        ("release_started", {"version": version, "color": color, "owner": "alice@ci"}),
        ("committed", {"shares": ON_BLUE if color == "blue" else ON_GREEN}),
        ("promoted", {}),
        release_id=release_id,
    )


V1 = released("v1", "blue", "r1")
STARTED = ("release_started", {"version": "v2", "color": "green", "owner": "alice@ci"})


def journal(given: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {"state": _state.derive(given), "lock": None, "lease": None, "damage": [], **changes}


def split(runtime: dict[str, float], disk: dict[str, float] | None = None, **changes: Any) -> dict[str, Any]:
    down = changes.pop("down", ())
    colors = {"blue1": "blue", "blue2": "blue", "green1": "green", "green2": "green"}
    return {
        "runtime": {"shares": runtime},
        "disk": {"shares": disk or runtime},
        "observed": {"shares": runtime, "requests": 1200, "since": "shift"},
        "servers": {name: {"color": color, "up": name not in down} for name, color in colors.items()},
        "differences": [],
        **changes,
    }


def lines(given: list[dict[str, Any]], runtime: dict[str, float] = ON_BLUE, **changes: Any) -> list[str]:
    """The report of one balancer."""
    of_split = {key: changes.pop(key) for key in ("disk", "down", "differences") if key in changes}
    return report("shop", {"lb1": journal(given, **changes)}, {"lb1": split(runtime, **of_split)})


def test_a_service_at_rest_is_told_in_few_lines() -> None:
    given = [*V1, *released("v2", "green", "r2")]
    assert lines(given, ON_GREEN) == [
        "shop: green serves v2; blue keeps v1 warm, rollback goes there",
        "  can go back to v1 on blue",
        "  lb1: committed blue 0 %, green 100 %; declared blue 0 %, green 100 %; works with blue 0 %, green 100 %; "
        "observed blue 0 %, green 100 % of "
        "1200 requests since the last shift; no lease",
        "    blue: 2 of 2 servers up",
        "    green: 2 of 2 servers up",
        "  last releases:",
        "    2026-01-31T12:00:02.000Z  v2 on green: promoted",
        "    2026-01-31T12:00:02.000Z  v1 on blue: promoted",
    ]


def test_the_first_line_says_what_serves_and_where_a_rollback_would_go() -> None:
    reverted = events(("reverted", {"from_color": "green", "to_color": "blue", "cause": "operator"}), release_id="r3")
    cases = {
        "blue serves v1; nothing warm to go back to on green": V1,
        "green serves v2; blue keeps v1 warm, rollback goes there": [*V1, *released("v2", "green", "r2")],
        "blue serves v1; green holds v2, which was rolled back": [*V1, *released("v2", "green", "r2"), *reverted],
    }
    for headline, given in cases.items():
        assert lines(given)[0] == f"shop: {headline}"


def test_traffic_of_which_no_journal_knows_anything_is_no_service_that_was_never_released() -> None:
    assert lines([], NOWHERE)[0] == "shop: never released"
    told = lines([], ON_GREEN)
    assert told[0] == "shop: green serves unknown; nothing warm to go back to on blue"
    assert any("no journal knows of any release, so they were lost: put /var/lib/sluice/shop" in line for line in told)


@pytest.mark.parametrize(
    ("more", "phase"),
    [
        ([], "deploying, 0 stages passed"),
        ([("deployed", {})], "deployed, 0 stages passed"),
        ([ROLLING], "rolling, 0 stages passed"),
        ([ROLLING, ("stage_passed", {"stage": 1})], "rolling, 1 stage passed"),
        (
            [ROLLING, ("second_look", {"passed": {"stage": 2, "split": 25}})],
            "rolling, 2 stages passed, on its second look",
        ),
        ([ROLLING, ("stage_passed", {"stage": 2}), ("paused", {"cause": "no_data"})], "paused, 2 stages passed"),
    ],
)
def test_a_release_in_progress_comes_next(more: list[tuple[str, dict[str, Any]]], phase: str) -> None:
    told = lines([*V1, *events(STARTED, *more)])
    since = "2026-01-31T12:00:00.000Z"
    assert told[1].startswith(f"  release r2: version v2 on green, {phase}, by alice@ci since {since}"), told[1]


def test_a_pause_says_what_it_waits_for() -> None:
    told = lines([*V1, *events(STARTED, ROLLING, ("paused", {"cause": "no_data"}))])
    assert told[1].endswith("; paused by no_data, go on with promote or back with rollback")


def test_the_lock_says_who_and_for_how_long_or_that_its_release_is_dead() -> None:
    lock = {"release_id": "r2", "owner": "alice@ci", "since": "12:00", "remaining": 17.4, "live": True}
    assert "  lock on lb1: release r2 of alice@ci since 12:00 (17 s left)" in lines(V1, lock=lock)
    dead = {**lock, "owner": "", "remaining": 0.0, "live": False}
    assert "  lock on lb1: release r2 of unknown since 12:00 (ran out, its release is dead)" in lines(V1, lock=dead)


def test_runtime_that_leads_the_disk_is_told_with_its_lease_and_the_difference() -> None:
    told = lines(V1, SPLIT_5, disk=ON_BLUE, lease={"remaining": 21.6}, differences=["Runtime leads the disk: …"])
    assert told[1] == (
        "  lb1: committed blue 100 %, green 0 %; declared blue 100 %, green 0 %; works with blue 95 %, green 5 %; "
        "observed blue 95 %, green 5 % "
        "of 1200 requests since the last shift; lease ends in 22 s"
    )
    assert "    Runtime leads the disk: …" in told


def test_shares_are_rounded_for_a_person() -> None:
    third = {"blue": 100 / 3, "green": 200 / 3}
    assert "works with blue 33.33 %, green 66.67 %" in lines(V1, third)[1]


def test_servers_that_are_down_are_named() -> None:
    told = lines(V1, down=("green2", "blue1", "blue2"))
    assert "    blue: 0 of 2 servers up, down: blue1, blue2" in told
    assert "    green: 1 of 2 servers up, down: green2" in told


def test_damage_of_the_journal_is_told() -> None:
    damage = "journal.jsonl line 3 is not a journal line"
    assert f"    {damage}" in lines(V1, damage=[damage])


def test_a_balancer_that_missed_events_is_named_and_the_newest_is_believed() -> None:
    newer = [*V1, *released("v2", "green", "r2")]
    told = report("shop", {"lb1": journal(V1), "lb2": journal(newer)}, {"lb1": split(ON_BLUE), "lb2": split(ON_GREEN)})
    assert told[0] == "shop: green serves v2; blue keeps v1 warm, rollback goes there"
    assert "  lb1 missed events and says something else than lb2" in told
    assert not any(line.startswith("  lb2 missed") for line in told)


def test_only_the_last_releases_are_told_newest_first() -> None:
    given = [event for number in range(9) for event in released(f"v{number}", "blue", f"r{number}")]
    told = lines(given)
    assert [line.split()[1] for line in told[told.index("  last releases:") + 1 :]] == ["v8", "v7", "v6", "v5", "v4"]


def test_a_release_that_ended_otherwise_says_why() -> None:
    given = [*V1, *events(STARTED, ROLLING, ("rolled_back", {"cause": "errors"}))]
    assert lines(given)[-2].endswith("  v2 on green: rolled_back (errors)")


@pytest.mark.parametrize(
    ("journal_of_lb2", "split_of_lb2", "problem"),
    [
        (journal(V1), {"failed": True, "msg": "HAProxy's socket does not exist"}, "HAProxy's socket does not exist"),
        ({"unreachable": True, "msg": "no route to host"}, {}, "no route to host"),
        (None, None, "it gave no answer"),
    ],
)
def test_a_balancer_that_is_lost_is_told_and_the_others_too(
    journal_of_lb2: Any, split_of_lb2: Any, problem: str
) -> None:
    told = report("shop", {"lb1": journal(V1), "lb2": journal_of_lb2}, {"lb1": split(ON_BLUE), "lb2": split_of_lb2})
    assert told[0] == "shop: blue serves v1; nothing warm to go back to on green"
    assert f"  lb2: could not be observed: {problem}" in told
    assert any(line.startswith("  lb1: committed blue 100 %") for line in told)
    assert report("shop", {"lb2": journal_of_lb2}, {"lb2": split_of_lb2}) == [
        "shop: no balancer could be observed",
        f"  lb2: could not be observed: {problem}",
    ]


def test_without_any_balancer_it_says_so() -> None:
    with pytest.raises(StateError, match="service shop: no observation from balancer all of them; nothing was changed"):
        report("shop", {}, {})


def test_what_is_gone_back_to_by_force_only_says_why() -> None:
    marked = [*V1, *released("v2", "green", "r2")]
    marked[3]["data"]["reversible"] = False
    forced = "  can go back to v1 on blue, with -e force=true only: v2 is marked reversible: false"
    assert lines(marked, ON_GREEN)[1] == forced
    frozen = [*V1, *events((STARTED[0], {**STARTED[1], "reversible": False}), ROLLING, ("paused", {"cause": "errors"}))]
    told = lines(frozen)
    assert ", not reversible, by alice@ci" in told[1]
    assert told[2] == forced
    back = events(("reverted", {"from_color": "green", "to_color": "blue"}), release_id="r3")
    reverted = lines([*V1, *released("v2", "green", "r2"), *back])
    assert reverted[1] == "  can go back to v2 on green, with -e force=true only: v2 was itself rolled back"
    assert not any("can go back" in line for line in lines(V1))


def test_two_stories_are_told_apart_from_missed_events() -> None:
    one = [*V1, *released("v2", "green", "r2")]
    other = [*V1, *released("v3", "green", "r3")]
    green = {"lb1": split(ON_GREEN), "lb2": split(ON_GREEN)}
    told = report("shop", {"lb1": journal(one), "lb2": journal(other)}, green)
    assert "  lb2 tells another story: lb1 has never heard of r3" in told


def test_a_balancer_that_can_hold_no_lease_says_why() -> None:
    assert "    systemd does not run on this balancer" in lines(V1, no_lease="systemd does not run on this balancer")


def test_a_split_that_somebody_set_or_wrote_is_told_as_such() -> None:
    told = lines(V1, SPLIT_5, disk=ON_BLUE)
    assert any(
        "did not reach the disk, or somebody set weights by hand. A reload of HAProxy would bring" in line
        for line in told
    )
    told = lines(V1, SPLIT_5)
    assert any(
        line.startswith("    The journal says that blue 100 %, green 0 % was committed, the disk has") for line in told
    )
    assert not any("The journal says" in line or "No lease" in line for line in lines(V1))


def test_balancers_that_do_not_do_the_same_are_told() -> None:
    journals = {host: journal(V1) for host in ("lb1", "lb2", "lb3")}
    splits = {"lb1": split(ON_BLUE), "lb2": split(SPLIT_5, ON_BLUE), "lb3": split(ON_BLUE)}
    told = report("shop", journals, splits)
    assert (
        "  the balancers work with different splits: blue 100 %, green 0 % on lb1, lb3; blue 95 %, green 5 % on lb2"
        in told
    )
    assert not any("committed different" in line for line in told)
