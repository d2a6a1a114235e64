"""Waiting for many things at once, told the time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import Answer
from ansible_collections.sluice.bluegreen.plugins.module_utils._waiter import (
    Healthy,
    Pace,
    Waited,
    Watched,
    all_answered,
    enough_healthy,
    wait_for,
)
from hypothesis import given
from hypothesis import strategies as st

OK = Answer(True, status=200)
BAD = Answer(False, "status 503, expected 200", 503)


class World:
    """Probes that take their time on a clock of their own; nobody sleeps.

    ``script``: for each name, from the second and the number of the probe to how long it takes and what it finds.
    """

    def __init__(self, script: dict[str, Callable[[float, int], tuple[float, Answer]]]) -> None:
        self.script = script
        self.now = 0.0
        self.begun: list[tuple[float, str]] = []
        self.flying: list[tuple[float, str, Answer]] = []

    def clock(self) -> float:
        return self.now

    def start(self, name: str) -> None:
        assert name not in [flying[1] for flying in self.flying], f"{name} is probed twice at once"
        self.begun.append((self.now, name))
        taken, answer = self.script[name](self.now, sum(1 for _, n in self.begun if n == name))
        heapq.heappush(self.flying, (self.now + taken, name, answer))

    def collect(self, wait: float) -> list[tuple[str, Answer]]:
        assert wait >= 0, "nobody can wait for the past"
        until = self.now + wait
        if self.flying and self.flying[0][0] <= until:
            self.now = max(self.now, self.flying[0][0])
        else:
            # A clock that stood still would be asked for ever.
            self.now = max(until, self.now + 1e-6)
        found = []
        while self.flying and self.flying[0][0] <= self.now:
            _, name, answer = heapq.heappop(self.flying)
            found.append((name, answer))
        return found

    def wait(
        self,
        consecutive: int = 3,
        interval: float = 2,
        timeout: float = 60,
        first: float = 0.25,
        stable_for: float = 0,
        longest: float | None = None,
        needed: int | None = None,
    ) -> Waited:
        enough = len(self.script) if needed is None else needed
        met = enough_healthy(Healthy(consecutive, stable_for), enough)
        return wait_for(met, self.script, self, Pace(interval, first, longest), timeout, self.clock)


def always(answer: Answer, taken: float = 0.0) -> Callable[[float, int], tuple[float, Answer]]:
    return lambda _now, _count: (taken, answer)


def after(seconds: float) -> Callable[[float, int], tuple[float, Answer]]:
    return lambda now, _count: (0.0, OK if now >= seconds else BAD)


def in_turn(answers: Sequence[Answer]) -> Callable[[float, int], tuple[float, Answer]]:
    return lambda _now, count: (0.0, answers[(count - 1) % len(answers)])


def test_three_good_answers_in_a_row_two_seconds_apart_are_enough() -> None:
    waited = World({"a": always(OK), "b": always(OK)}).wait()
    assert (waited.met, waited.elapsed) == (True, 4)
    assert [subject.attempts for subject in waited.subjects.values()] == [3, 3]


def test_a_failure_begins_the_row_anew() -> None:
    waited = World({"a": in_turn([OK, OK, BAD])}).wait(timeout=60)
    assert not waited.met, "two in a row, for ever, are not three"
    assert waited.subjects["a"].successes < 3
    assert waited.subjects["a"].failure == BAD


def test_what_was_healthy_and_fell_while_another_was_waited_for_is_not_healthy() -> None:
    def falls(now: float, _count: int) -> tuple[float, Answer]:
        return 0.0, OK if now < 10 else BAD

    waited = World({"falls": falls, "late": after(20)}).wait(timeout=40)
    assert not waited.met
    assert waited.subjects["falls"].successes == 0
    assert waited.subjects["late"].successes >= 3


def test_one_that_never_answers_delays_no_other() -> None:
    world = World({"dead": always(BAD, taken=1e9), "well": always(OK)})
    waited = world.wait(timeout=30)
    assert not waited.met
    assert waited.elapsed == pytest.approx(30, abs=0.01), "the probe in flight is not waited for"
    assert waited.subjects["well"].successes == 15, "one at once, and then one every two seconds"
    assert (waited.subjects["dead"].attempts, waited.subjects["dead"].answers) == (1, 0)


def test_failures_are_tried_again_soon_and_then_later_up_to_the_interval() -> None:
    world = World({"a": always(BAD)})
    world.wait(timeout=10)
    times = [begun for begun, _ in world.begun]
    gaps = [round(late - early, 3) for early, late in zip(times, times[1:])]
    assert gaps == [0.25, 0.5, 1, 2, 2, 2, 2]


def test_the_pace_of_a_thousand_failures_is_still_the_interval() -> None:
    assert Watched(failures=100000).pause(Pace(2, 0.25)) == 2
    assert Watched(failures=1).pause(Pace(0.1, 0.25)) == 0.1, "the first pause is no longer than the interval"


def test_failures_are_put_off_up_to_a_limit_of_their_own() -> None:
    world = World({"a": always(BAD)})
    world.wait(timeout=60, longest=20)
    times = [begun for begun, _ in world.begun]
    assert [late - early for early, late in zip(times, times[1:])] == [0.25, 0.5, 1, 2, 4, 8, 16, 20]


def test_well_for_so_long_is_counted_from_the_first_good_answer_after_a_failure() -> None:
    waited = World({"a": after(10)}).wait(consecutive=1, stable_for=7)
    assert waited.met
    first = 11.75
    assert waited.elapsed == pytest.approx(first + 8), "four times two seconds are the first that are more than seven"
    assert waited.subjects["a"].lasted == pytest.approx(8)


def test_a_failure_begins_the_time_anew() -> None:
    waited = World({"a": in_turn([OK, OK, OK, OK, BAD])}).wait(consecutive=1, stable_for=7)
    assert not waited.met, "six seconds, again and again, are not seven"


def test_enough_of_them_end_the_wait_and_too_few_do_not() -> None:
    script = {"a": always(OK), "b": always(BAD), "c": after(10)}
    waited = World(script).wait(needed=2)
    assert waited.met and 10 < waited.elapsed < 20
    assert not World(script).wait(needed=3).met


def test_nothing_to_wait_for_is_met_at_once_by_the_predicate_alone() -> None:
    assert World({}).wait().met


def test_a_single_round_ends_when_each_has_answered_once() -> None:
    world = World({"a": always(OK, 1.0), "b": always(BAD, 3.0), "c": always(OK)})
    never = float("inf")
    waited = wait_for(all_answered, world.script, world, Pace(never, never), 10, world.clock)
    assert (waited.met, waited.elapsed) == (True, 3)
    assert [subject.attempts for subject in waited.subjects.values()] == [1, 1, 1]


def test_a_timeout_of_zero_probes_nothing_and_is_not_met() -> None:
    waited = World({"a": always(OK)}).wait(timeout=0)
    assert (waited.met, waited.subjects["a"].attempts) == (False, 0)


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.tuples(st.floats(0, 5), st.booleans()), min_size=1, max_size=6), min_size=1
    ),
    st.integers(1, 4),
    st.floats(0.1, 5),
    st.floats(0.1, 60),
)
def test_met_means_every_row_is_long_enough_and_nothing_lasts_longer_than_its_timeout(
    scripts: dict[str, list[tuple[float, bool]]], consecutive: int, interval: float, timeout: float
) -> None:
    def script(steps: list[tuple[float, bool]]) -> Callable[[float, int], tuple[float, Answer]]:
        return lambda _now, count: (
            steps[(count - 1) % len(steps)][0],
            OK if steps[(count - 1) % len(steps)][1] else BAD,
        )

    waited = World({name: script(steps) for name, steps in scripts.items()}).wait(consecutive, interval, timeout)
    healthy = [subject.successes >= consecutive for subject in waited.subjects.values()]
    assert waited.met == all(healthy)
    assert waited.elapsed <= timeout + 0.001
    for name, subject in waited.subjects.items():
        assert subject.answers <= subject.attempts <= subject.answers + 1, f"{name}: one probe at a time"
        assert subject.last is None or subject.last.ok == (subject.successes > 0)
