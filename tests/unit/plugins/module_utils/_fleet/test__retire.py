"""What becomes of the color that lost its traffic."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._retire import retire_plan
from observed_fleet import NOWHERE, ON_BLUE, ON_GREEN, RETIRED, SERVERS, V1_ON_BLUE, V2_ON_GREEN, event, fleet, held

NOON = 1769860800.0  # 2026-01-31T12:00:00Z, the time of every event here


def retire(found: Fleet, keep_warm: float = 0, keep: int = 0, at_once: bool = False, after: float = 60) -> Any:
    limits = {"keep_warm": keep_warm, "keep": keep, "at_once": at_once}
    return retire_plan(found, SERVERS, **limits, moment=NOON + after)


def test_the_color_that_lost_its_traffic_is_retired_and_the_first_vms_may_go_on() -> None:
    plan = retire(fleet(V2_ON_GREEN, ON_GREEN))
    assert (plan["from"], plan["version"], plan["due"], plan["kept"], plan["noted"]) == ("blue", "v1", True, [], False)
    assert (plan["stable"], plan["stable_version"]) == ("green", "v2")
    plan = retire(fleet(V2_ON_GREEN, ON_GREEN), keep=1)
    assert (plan["kept"], plan["message"]) == (["blue1"], "v1 on blue is stopped, and goes on on blue1")


def test_before_it_was_kept_warm_for_its_time_nothing_is_done_and_until_when_is_said() -> None:
    plan = retire(fleet(V2_ON_GREEN, ON_GREEN), keep_warm=3600, after=3599)
    assert not plan["due"]
    assert plan["message"].startswith("blue keeps v1 warm until 2026-01-31T13:00:00Z")
    assert retire(fleet(V2_ON_GREEN, ON_GREEN), keep_warm=3600, after=3600)["due"]
    assert retire(fleet(V2_ON_GREEN, ON_GREEN), keep_warm=3600, after=1, at_once=True)["due"]


def test_the_time_counts_from_the_way_back_where_that_came_last() -> None:
    back = {**event("reverted", "r3", from_color="green", to_color="blue"), "at": "2026-01-31T12:30:00.000Z"}
    events = [*V2_ON_GREEN, event("committed", "r3", shares=ON_BLUE), back]
    plan = retire(fleet(events, ON_BLUE), keep_warm=3600, after=3600)
    assert (plan["from"], plan["due"]) == ("green", False)
    assert "until 2026-01-31T13:30:00Z" in plan["message"]


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("where", ["runtime", "disk"])
def test_what_has_traffic_anywhere_is_never_retired(where: str, at_once: bool) -> None:
    shares = {"runtime": ON_GREEN, "disk": ON_GREEN, where: {"blue": 0.01, "green": 99.99}}
    with pytest.raises(StateError, match=r"0\.01 % of the traffic to blue, which should be idle"):
        retire(fleet(V2_ON_GREEN, **shares), at_once=at_once)


@pytest.mark.parametrize("phase", ["deployed", "shift", "paused"])
def test_nothing_is_retired_while_a_release_is_not_over(phase: str) -> None:
    events = [*V2_ON_GREEN, event("release_started", "r3", version="v3", color="blue"), event(phase, "r3")]
    with pytest.raises(StateError, match=r"release r3 .* is not over.*sluice\.bluegreen\.abort.*Nothing was changed"):
        retire(fleet(events, ON_GREEN), at_once=True)
    with pytest.raises(StateError, match="is locked on lb2"):
        retire(fleet(V2_ON_GREEN, ON_GREEN, held()), at_once=True)


def test_a_color_without_a_version_has_nothing_to_retire() -> None:
    for found in (fleet([], NOWHERE), fleet(V1_ON_BLUE, ON_BLUE)):
        plan = retire(found)
        assert not plan["due"]
        assert "nothing to retire" in plan["message"]


def test_a_second_time_finds_that_the_journal_knows() -> None:
    assert retire(fleet(RETIRED, ON_GREEN))["noted"]
    assert not retire(fleet(RETIRED, ON_GREEN), keep=1)["noted"]


def test_the_next_release_and_a_restored_version_are_not_retired_any_more() -> None:
    started = [*RETIRED, event("release_started", "r4", version="v4", color="blue")]
    assert "kept" not in _state.derive(started)["colors"]["blue"]
    restored = [*started, event("failed", "r4"), event("restored", "r4", color="blue", version="v1")]
    assert _state.derive(restored)["colors"]["blue"]["warm"]
    assert "kept" not in _state.derive(restored)["colors"]["blue"]
    back = [*RETIRED, event("reverted", "r4", from_color="green", to_color="blue")]
    assert "kept" not in _state.derive(back)["colors"]["blue"]
