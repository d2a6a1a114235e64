"""What a journal means: each event alone, and the story of several releases."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _state


def event(name: str, release_id: str | None = "r1", /, **data: Any) -> dict[str, Any]:
    return {"event": name, "release_id": release_id, "at": "2026-01-31T12:00:00.000Z", "data": data}


def released(release_id: str, version: str, color: str) -> list[dict[str, Any]]:
    shares = {"blue": 100.0 if color == "blue" else 0.0, "green": 100.0 if color == "green" else 0.0}
    return [
        event("release_started", release_id, version=version, color=color, owner="alice"),
        event("deployed", release_id),
        event("shift", release_id, shares=shares),
        event("stage_passed", release_id, stage=1),
        event("committed", release_id, shares=shares),
        event("promoted", release_id, version=version, color=color),
    ]


def test_without_events_nothing_is_stable_and_blue_is_the_first_candidate() -> None:
    state = _state.derive([])
    assert state["stable"] is None
    assert _state.candidate_color(state) == "blue"


def test_a_second_look_takes_back_what_the_stage_before_had_passed() -> None:
    rolled = [*released("r1", "v1", "green")[:4], event("stage_passed", "r1", stage=3, split=50.0)]
    looked = event("second_look", "r1", stage=4, split=100.0, passed={"stage": 2, "split": 25.0})
    release = _state.derive([*rolled, looked])["release"]
    assert (release["stage"], release["split"], release["second_look"], release["phase"]) == (2, 25.0, True, "rolling")
    assert "second_look" not in _state.derive(rolled)["release"]
    late = {**looked, "release_id": "r0"}
    assert _state.derive([*rolled, late])["release"]["stage"] == 3, "another release's"


def test_a_promoted_release_makes_its_color_stable() -> None:
    state = _state.derive(released("r1", "v1", "blue"))
    assert state["stable"] == "blue"
    assert state["shares"] == {"blue": 100.0, "green": 0.0}
    assert state["release"] is None
    assert state["history"][-1]["outcome"] == "promoted"
    assert _state.candidate_color(state) == "green"


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ([], "deploying"),
        ([event("deployed", "r2")], "deployed"),
        ([event("deployed", "r2"), event("shift", "r2")], "rolling"),
        ([event("shift", "r2"), event("paused", "r2", cause="timeout")], "paused"),
    ],
)
def test_a_release_in_progress_has_a_phase(events: list[dict[str, Any]], phase: str) -> None:
    begun = event("release_started", "r2", version="v2", color="green")
    assert _state.derive([*released("r1", "v1", "blue"), begun, *events])["release"]["phase"] == phase


@pytest.mark.parametrize("outcome", ["rolled_back", "failed"])
def test_a_release_that_did_not_make_it_leaves_stable_as_it_was(outcome: str) -> None:
    events = [*released("r1", "v1", "blue"), *released("r2", "v2", "green")]
    events += [event("release_started", "r3", version="v3", color="blue"), event(outcome, "r3", cause="errors")]
    state = _state.derive(events)
    assert state["stable"] == "green"
    assert state["history"][-1] | {"cause": "errors", "outcome": outcome} == state["history"][-1]
    assert state["colors"]["blue"] == {
        "version": "v1",
        "release_id": "r1",
        "warm": False,
        "rolled_back": False,
        "reversible": True,
    }
    restored = _state.derive([*events, event("restored", "r3", color="blue", version="v1")])
    assert restored["colors"]["blue"]["warm"] is True


def test_a_promotion_that_its_own_release_takes_back_was_none() -> None:
    before = [*released("r1", "v1", "blue"), *released("r2", "v2", "green")]
    promoted = [*before, *released("r3", "v3", "blue")]
    back = [event("committed", "r3", shares={"blue": 0.0, "green": 100.0}), event("rolled_back", "r3", cause="error")]
    state = _state.derive([*promoted, *back])
    assert (state["stable"], state["shares"], state["release"]) == ("green", {"blue": 0.0, "green": 100.0}, None)
    assert state["colors"]["blue"] == {**_state.derive(before)["colors"]["blue"], "warm": False}
    assert [entry["outcome"] for entry in state["history"]] == ["promoted", "promoted", "rolled_back"]
    assert state["history"][-1]["cause"] == "error"
    restored = event("restored", "r3", color="blue", version="v1")
    assert _state.derive([*promoted, *back, restored])["colors"]["blue"]["warm"] is True


@pytest.mark.parametrize(
    "between",
    [
        [],
        [event("release_started", "r3", version="v3", color="blue")],
        [event("reverted", "b1", from_color="green", to_color="blue")],
    ],
)
def test_nobody_else_takes_a_promotion_back(between: list[dict[str, Any]]) -> None:
    events = [*released("r1", "v1", "blue"), *released("r2", "v2", "green"), *between]
    late = event("rolled_back", "r2" if between else "r1", cause="late")
    assert _state.derive([*events, late])["stable"] == _state.derive(events)["stable"]


def test_a_first_promotion_that_is_taken_back_leaves_nothing_stable() -> None:
    state = _state.derive([*released("r1", "v1", "blue"), event("rolled_back", "r1", cause="error")])
    assert (state["stable"], state["colors"]["blue"]) == (None, None)


def test_restoring_another_version_than_the_color_held_does_not_make_it_warm() -> None:
    events = [*released("r1", "v1", "blue"), *released("r2", "v2", "green")]
    events += [event("release_started", "r3", version="v3", color="blue"), event("failed", "r3")]
    events += [event("restored", "r3", color="blue", version="v3")]
    assert _state.derive(events)["colors"]["blue"]["warm"] is False


def test_going_back_after_a_promotion_swaps_the_colors_and_marks_the_one_left() -> None:
    events = [*released("r1", "v1", "blue"), *released("r2", "v2", "green")]
    events += [event("committed", "b1", shares={"blue": 100.0, "green": 0.0})]
    events += [event("reverted", "b1", from_color="green", to_color="blue", cause="operator")]
    state = _state.derive(events)
    assert state["stable"] == "blue"
    assert state["colors"]["green"]["rolled_back"] is True
    assert state["history"][-1]["version"] == "v1"


def test_events_of_a_superseded_release_change_nothing() -> None:
    events = [*released("r1", "v1", "blue"), event("release_started", "r2", version="v2", color="green")]
    events += [event("release_started", "r3", version="v3", color="green")]
    late = [event("deployed", "r2"), event("paused", "r2"), event("promoted", "r2"), event("rolled_back", "r2")]
    assert _state.derive([*events, *late])["release"] == _state.derive(events)["release"]
    assert _state.derive(events)["history"][-1]["outcome"] == "abandoned"


def test_a_rollback_by_hand_closes_the_release_that_it_gives_up() -> None:
    events = [*released("r1", "v1", "blue"), event("release_started", "r2", version="v2", color="green")]
    events += [event("shift", "r2"), event("rolled_back", "b1", gives_up="r2", cause="operator")]
    state = _state.derive(events)
    assert state["release"] is None
    assert state["history"][-1]["release_id"] == "r2"


def test_an_unknown_event_is_a_record_and_no_state() -> None:
    events = released("r1", "v1", "blue")
    assert _state.derive([*events, event("lease_expired", "r1", shares={})]) == _state.derive(events)


def test_the_history_is_bounded() -> None:
    events = [e for n in range(80) for e in released(f"r{n}", f"v{n}", "blue" if n % 2 else "green")]
    history = _state.derive(events)["history"]
    assert len(history) == _state.HISTORY_LENGTH
    assert history[-1]["version"] == "v79"


def test_a_hook_that_went_well_is_remembered_by_the_release_that_goes_on() -> None:
    smoke, team = "after_stage/1/smoke", "before_stage/1/team"
    begun = [
        *released("r1", "v1", "green")[:3],
        event("hook_started", hook=team),
        event("hook", hook=team, outcome="done"),
    ]
    running = [*begun, event("hook_started", hook=smoke)]
    release = _state.derive(running)["release"]
    assert (release["hooks"], release["hook"]) == ([team], smoke)
    failed = _state.derive([*running, event("hook", hook=smoke, outcome="failed")])["release"]
    assert failed["hooks"] == [team], "it runs again"
    assert "hook" not in failed
    resumed = _state.derive([*running, event("release_resumed", "r2", resumes="r1")])["release"]
    assert (resumed["release_id"], resumed["origin"], resumed["hooks"]) == ("r2", "r1", [team])
    assert "hook" not in resumed, "it ended with its process"
    again = _state.derive(
        [*running, event("release_resumed", "r2", resumes="r1"), event("release_resumed", "r3", resumes="r2")]
    )
    assert again["release"]["origin"] == "r1"


def test_a_hook_of_another_release_says_nothing_of_this_one() -> None:
    late = event("hook", "r0", hook="after_stage/1/smoke", outcome="done")
    assert "hooks" not in _state.derive([*released("r1", "v1", "green")[:3], late])["release"]
    after = event("hook", "r1", hook="after_promote/0/team", outcome="done")
    assert _state.derive([*released("r1", "v1", "green"), after])["release"] is None
