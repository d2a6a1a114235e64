"""Limits on measured values, from measurement to measurement."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._thresholds import Thresholds


def limit(**more):
    return Threshold("p99", **{"max": 1.0, "url": "http://prometheus", "query": "x$color", **more})


def states(threshold, *values, every=5.0, **more):
    """What a threshold says after each value, by the one text that is set."""
    followed = Thresholds([threshold], **more)
    found = []
    for i, value in enumerate(values, start=1):
        state = followed.update(every * i, {"p99": value})
        texts = {name: getattr(state, name) for name in ("violated", "source_down", "no_data", "failing", "waiting")}
        found.append(next((name for name, text in texts.items() if text), "good"))
    return found


def test_failures_in_a_row_are_counted_over_ticks_without_a_value():
    assert states(limit(), 2, None, 0.5, 2, {"source_down": "x"}, 2) == [
        "failing",
        "no_data",
        "good",
        "failing",
        "source_down",
        "violated",
    ]


def test_failures_in_all_may_be_limited_too():
    assert states(limit(total_failures=3), 2, 0, 2, 0, 2) == ["failing", "good", "failing", "good", "violated"]
    assert states(limit(), 2, 0, 2, 0, 2)[-1] == "failing"


def test_between_two_measurements_the_last_one_stands():
    # At 5 and 15 s; what comes in between is not looked at.
    assert states(limit(interval=10), 0.5, 9, 9, 0.1, 0.1) == ["good", "good", "failing", "failing", "good"]


def test_it_is_due_when_its_interval_is_over_and_one_without_a_value_is_asked_again_at_once():
    followed = Thresholds([limit(interval=60)])
    assert followed.due(5) == ["p99"]
    followed.update(5, {"p99": {"source_down": "x"}})
    assert followed.due(10) == ["p99"]
    followed.update(10, {"p99": None})
    assert followed.due(15) == ["p99"], "nor is an empty answer a measurement"
    followed.update(10, {"p99": 0.5})
    assert followed.due(15) == []
    assert followed.due(69.7) == ["p99"], "ticks come a little early or late"


def test_a_delay_and_a_count_are_waited_for():
    assert states(limit(delay=10), 9, 0.5, 0.5) == ["waiting", "good", "good"]
    assert states(limit(count=2), 0.5, 0.5, 9, 9) == ["waiting", "good", "good", "good"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"candidate": 3, "stable": 1}, "failing"),
        ({"candidate": 2, "stable": 1}, "good"),
        ({"candidate": None, "stable": 1}, "no_data"),
        ({"candidate": 1, "stable": None}, "no_data"),
        ({"candidate": 0, "stable": 0}, "good"),
    ],
)
def test_a_ratio_compares_with_the_stable_color(value, said):
    assert states(limit(max=None, max_ratio=2), value) == [said]


def test_at_100_per_cent_a_ratio_compares_with_the_stable_colors_last_value_or_is_not_judged():
    ratio = limit(max=None, max_ratio=2)
    before = Thresholds([ratio])
    before.update(5, {"p99": {"candidate": 1, "stable": 4}})
    assert before.stable == {"p99": 4}
    later = {"candidate": 9, "stable": None}
    assert states(ratio, later, stable=before.stable, concurrent=False) == ["failing"]
    assert states(ratio, later, concurrent=False) == ["good"]


@pytest.mark.parametrize(
    ("verdict", "said"), [("promote", "good"), ("bad", "failing"), ("hold", "failing"), ("rollback", "violated")]
)
def test_a_check_may_say_the_verdict_itself(verdict, said):
    check = Threshold("p99", source="command", command=["./check"])
    assert states(check, {"verdict": verdict, "message": "look here"}) == [said]


def test_the_gravest_of_several_is_what_they_say_together():
    followed = Thresholds([limit(), Threshold("rate", min=10, url="http://p", query="y")])
    for t in (5, 10):
        state = followed.update(t, {"p99": {"source_down": "x"}, "rate": 3})
    assert state.violated == "rate is 3, and must be at least 10 (2 times in a row)"
    assert state.source_down is None
    assert [trouble.gate for trouble in state.troubles] == ["threshold p99"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"max": None, "max_ratio": 2, "query": "x"}, r"write \$color where"),
        ({"source": "json", "query": None}, "source json needs url and path"),
        ({"source": "command", "url": None}, "source command needs command"),
        ({"interval": 0}, "interval 0: seconds above 0"),
        ({"delay": -1}, "delay -1"),
        ({"count": 0}, "count 0: at least 1"),
        ({"no_data": "promote"}, "no_data 'promote': use one of hold, pause, rollback"),
    ],
)
def test_what_cannot_work_is_refused(more, words):
    with pytest.raises(InputError, match=words):
        limit(**more)
