# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs what side by side, on lanes that only pretend."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from chaos import points
from chaos.crew import Crew
from chaos.judge import Run
from chaos.points import Case, Moment

ALONE = next(fault for fault in points.STAGE_FAULTS if fault.alone)


def case(number: int, alone: bool = False) -> Case:
    return Case(
        ALONE if alone else points.KILL_AT_BOUNDARY, Moment(number, None, f"before task {number}"), ("release",)
    )


class Lane:
    """A run waits until as many lanes as ``together`` are at one, or for ever so little."""

    def __init__(self, name: str, together: threading.Barrier | None = None) -> None:
        self.service = name
        self.together = together
        self.stopped = False

    def try_case(self, case: Case) -> Run:
        if self.together and not case.alone:
            self.together.wait(timeout=20)
        if case.moment.number == 13:
            raise SystemExit(2)
        return Run(case, began=0.0)

    def stop(self) -> None:
        self.stopped = True


def crew(lanes: list[Lane], **given: Any) -> tuple[Crew, list[tuple[str, int]]]:
    told: list[tuple[str, int]] = []

    def tell(lane: Any, run: Run) -> None:
        told.append((lane.service, run.case.moment.number))

    pretended: Any = lanes
    return Crew(pretended, tell, **given), told


def test_cases_run_side_by_side_and_those_that_must_be_alone_before_them_on_the_first_lane() -> None:
    together = threading.Barrier(2)
    working, told = crew([Lane("shop", together), Lane("cart", together)])
    working.go([case(1), case(2, alone=True), case(3), case(4, alone=True)])
    assert told[:2] == [("shop", 2), ("shop", 4)]
    assert sorted(told[2:]) in ([("cart", 1), ("shop", 3)], [("cart", 3), ("shop", 1)])


def test_no_run_is_begun_that_may_outlast_the_time() -> None:
    working, told = crew([Lane("shop")], deadline=time.time() + 30)
    working.go([case(1)])
    assert told == []
    working.longest = 10.0
    working.go([case(1)])
    assert told == [("shop", 1)]


def test_a_crew_that_was_stopped_begins_nothing_and_ends_what_runs() -> None:
    lane = Lane("shop")
    working, told = crew([lane])
    working.stop()
    working.go([case(1)])
    assert (told, lane.stopped) == ([], True)


def test_a_service_that_cannot_be_brought_to_a_beginning_ends_all() -> None:
    working, told = crew([Lane("shop")])
    with pytest.raises(SystemExit, match="2"):
        working.go([case(1), case(13), case(2)])
    assert told == [("shop", 1)]


def test_where_what_is_told_ends_all_no_lane_begins_another() -> None:
    lane = Lane("shop")

    def tell(_lane: Any, run: Run) -> None:
        raise SystemExit(2)

    pretended: Any = [lane]
    working = Crew(pretended, tell)
    with pytest.raises(SystemExit, match="2"):
        working._work(pretended[0], iter([case(1), case(2)]))
    assert working.stopped


def test_an_interrupted_crew_ends_what_runs_before_it_waits_for_it() -> None:
    class Running(Lane):
        def __init__(self) -> None:
            super().__init__("cart")
            self.running = threading.Event()
            self.ending = threading.Event()
            self.was_ended = False

        def try_case(self, case: Case) -> Run:
            self.running.set()
            self.was_ended = self.ending.wait(timeout=10)
            return Run(case, began=0.0)

        def stop(self) -> None:
            self.ending.set()

    class Interrupted(Lane):
        def try_case(self, case: Case) -> Run:
            running.running.wait(timeout=10)
            raise KeyboardInterrupt

    running = Running()
    working, told = crew([Interrupted("shop"), running])
    with pytest.raises(KeyboardInterrupt):
        working.go([case(1), case(2)])
    assert (told, running.was_ended) == ([], True)
