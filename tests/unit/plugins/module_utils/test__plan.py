"""From a strategy to the stages of a rollout."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._plan import NAMED, ON_TIMEOUT, stages
from hypothesis import given
from hypothesis import strategies as st


def splits(strategy: Any, **defaults: Any) -> list[float]:
    return [stage["split"] for stage in stages(strategy, defaults)]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("all_at_once", [100]),
        ("canary", [5, 25, 50, 100]),
        ("linear", [20, 40, 60, 80, 100]),
        ({"name": "linear", "step": 25}, [25, 50, 75, 100]),
        ({"name": "linear", "step": "30%"}, [30, 60, 90, 100]),
        ({"name": "linear", "step": 100}, [100]),
        ({"name": "linear", "step": 33.333333}, [33.333333, 66.666666, 100]),
        ({"name": "canary"}, [5, 25, 50, 100]),
        ([5, "10%", 33.3, 100], [5, 10, 33.3, 100]),
        (({"split": "50%"}, 100), [50, 100]),
        ({"stages": [10, 100]}, [10, 100]),
        ("5,25,100", [5, 25, 100]),
        ("[5, 25, 100]", [5, 25, 100]),
        (" canary ", [5, 25, 50, 100]),
        ([100], [100]),
    ],
)
def test_a_strategy_has_these_splits(strategy: Any, expected: list[float]) -> None:
    assert splits(strategy) == expected


def test_a_stage_is_complete_with_the_defaults_of_the_judge() -> None:
    assert stages("all_at_once") == [{"split": 100.0, "dwell": 60, "timeout": 900, "on_timeout": "pause"}]


def test_a_stage_comes_before_its_strategy_and_that_before_the_page() -> None:
    strategy = {"stages": [5, {"split": 50, "dwell": "10m"}, 100], "dwell": "5m", "on_timeout": "rollback"}
    planned = stages(strategy, {"dwell": 1, "timeout": "1h", "on_timeout": "promote"})
    assert [stage["dwell"] for stage in planned] == [300, 600, 300]
    assert {stage["timeout"] for stage in planned} == {3600}
    assert {stage["on_timeout"] for stage in planned} == {"rollback"}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ([5, 25, 50], r"strategy: the last stage is 50 %.*add a last stage of 100: \[5, 25, 50, 100\]"),
        ([5, 5, 100], r"stage 2 \(5 %\) does not rise over stage 1 \(5 %\): \[5, 5, 100\]"),
        ([50, 25, 100], r"stage 2 \(25 %\) does not rise over stage 1 \(50 %\)"),
        ([0, 100], r"strategy\[0\]: 0 is out of range"),
        ([-5, 100], r"strategy\[0\]: -5 is out of range"),
        ([5, 101], r"strategy\[1\]: 101 is out of range"),
        ([5, "150%"], r"strategy\[1\]: '150%' is out of range"),
        ([True, 100], r"strategy\[0\]: True is not a percentage"),
        (["five", 100], r"strategy\[0\]: 'five' is not a percentage"),
        ([None, 100], r"strategy\[0\]: None is not a percentage"),
        ([[5], 100], r"strategy\[0\]: \[5\] is not a percentage"),
        ([], r"there are no stages; write at least \[100\]"),
        ("[]", "there are no stages"),
        ("5,x,100", r"strategy\[1\]: 'x' is not a percentage"),
        (
            "canari",
            r"unknown strategy 'canari'; did you mean 'canary'\? Known strategies: all_at_once, canary, linear, or",
        ),
        ("", r"unknown strategy ''\. Known strategies"),
        ("50", r"unknown strategy '50'"),
        (True, "True is neither a name nor a list of stages"),
        (50, "50 is neither a name nor a list of stages"),
        (None, "None is neither a name nor a list of stages"),
        ({}, "give either 'name' or 'stages', not neither"),
        ({"name": "canary", "stages": [100]}, "give either 'name' or 'stages', not both"),
        ({"name": True}, r"strategy\.name: unknown strategy True"),
        ({"name": "canary", "step": 5}, r"strategy\.step: belongs to the strategy linear; leave it out for canary"),
        ({"stages": [100], "step": 5}, r"strategy\.step: belongs to the strategy linear"),
        ({"stages": "canary"}, r"strategy\.stages: 'canary' is not a list"),
        ({"name": "linear", "step": 0}, r"strategy\.step: 0 is out of range"),
        ({"name": "linear", "step": 0.5}, r"strategy\.step: 0\.5 is out of range; it must be from 1 to 100 %"),
        ({"name": "linear", "step": True}, r"strategy\.step: True is not a percentage"),
        ({"name": "linear", "steps": 5}, r"strategy\.steps: unknown key; did you mean 'step'\? Known keys: name, step"),
        (
            [{"split": 5, "dwel": 1}, 100],
            r"strategy\[0\]\.dwel: unknown key; did you mean 'dwell'\? Known keys: split, dwell",
        ),
        ([{"dwell": 1}, 100], r"strategy\[0\]: the key 'split' is missing"),
        ([{"split": 500}], r"strategy\[0\]\.split: 500 is out of range"),
        ([{"split": 100, "dwell": "soon"}], r"strategy\[0\]\.dwell: 'soon' is not a duration"),
        ([{"split": 100, "dwell": True}], r"strategy\[0\]\.dwell: True is not a duration"),
        ([{"split": 100, "timeout": 0, "dwell": 0}], r"strategy\[0\]\.timeout: must be more than 0"),
        ([{"split": 100, "dwell": "30m"}], r"strategy\[0\]: its timeout of 900 s is under its dwell of 1800 s"),
        ([{"split": 100, "on_timeout": "promot"}], r"on_timeout: 'promot' is not known; did you mean 'promote'\?"),
        ([{"split": 100, "on_timeout": False}], r"on_timeout: False is not known"),
    ],
)
def test_junk_is_refused_with_its_place_and_the_way_out(strategy: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stages(strategy)


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ({"split": 5}, r"stage_defaults\.split: unknown key"),
        ({"dwell": "x"}, r"stage_defaults\.dwell: 'x' is not a duration"),
        ([1], r"stage_defaults: \[1\] is not a dictionary"),
    ],
)
def test_junk_in_the_defaults_is_refused_by_their_name(defaults: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stages("canary", defaults, what_defaults="stage_defaults")


ANY_STAGE = st.builds(
    lambda split, dwell, more, policy: {"split": split, "dwell": dwell, "timeout": dwell + more, "on_timeout": policy},
    st.floats(0.01, 100),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.sampled_from(ON_TIMEOUT),
)


@given(st.lists(ANY_STAGE, max_size=20))
def test_a_plan_gives_itself_and_survives_json(given_stages: list[dict[str, Any]]) -> None:
    rising = sorted({stage["split"]: stage for stage in given_stages}.values(), key=lambda stage: stage["split"])
    if not rising or rising[-1]["split"] != 100:
        rising.append({"split": 100})
    planned = stages(rising)
    assert stages(planned) == planned
    assert stages(json.loads(json.dumps(planned))) == planned


@given(st.floats(1, 100))
def test_linear_rises_to_100_by_no_more_than_its_step(step: float) -> None:
    found = splits({"name": "linear", "step": step})
    gaps = [after - before for before, after in zip([0.0, *found], found)]
    assert found[-1] == 100
    assert all(0 < gap <= step + 2e-4 for gap in gaps), f"{found} by {step}"


@given(
    st.one_of(
        st.sampled_from(sorted(NAMED)),
        st.lists(st.one_of(st.floats(), st.integers(), st.text(max_size=4), st.booleans(), st.none()), max_size=5),
        st.dictionaries(
            st.sampled_from(["name", "step", "stages", "dwell"]), st.one_of(st.integers(), st.text(max_size=4))
        ),
        st.text(max_size=10),
    )
)
def test_whatever_is_given_is_a_sound_plan_or_an_input_error(strategy: Any) -> None:
    try:
        planned = stages(strategy)
    except InputError as error:
        assert str(error).startswith("strategy"), "a message begins with the place"
        return
    found = [stage["split"] for stage in planned]
    assert found == sorted(set(found)), "splits rise strictly"
    assert found[0] > 0 and found[-1] == 100
    assert all(stage["dwell"] <= stage["timeout"] for stage in planned)
