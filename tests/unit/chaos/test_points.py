# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which moments are enumerated."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos import points
from chaos.points import COMMANDS, LATE_TWIN, STAGE_FAULTS, Case, Task

ROLE = "sluice.bluegreen.rollout : "
TASKS = [
    Task(1, "Read", "Read the service's page", 0.5),
    Task(2, "Deploy", "sluice.bluegreen.deploy : Send the image", 6.0),
    Task(3, "Deploy", "sluice.bluegreen.deploy : Wait until the container answers healthily", 2.0),
    Task(4, "Roll out", f"{ROLE}Shift the traffic", 0.1),
    Task(5, "Roll out", "sluice.bluegreen.haproxy : Set the split", 0.4),
    Task(6, "Roll out", f"{ROLE}Gate the stage", 4.0),
    Task(7, "Roll out", f"{ROLE}Note that the stage was passed", 0.3),
    Task(8, "Roll out", "sluice.bluegreen.haproxy : Set the split", 0.4),
    Task(9, "Roll out", f"{ROLE}Gate the stage", 4.0),
    Task(10, "Roll out", f"{ROLE}Note that the stage was passed", 0.3),
    Task(11, "Roll out", "sluice.bluegreen.haproxy : Set the split", 0.4),
    Task(12, "Roll out", "", 0.0),
]


def rows(cases: list[Case]) -> Counter[str]:
    return Counter(case.fault.row for case in cases)


def test_a_release_is_killed_at_every_task_and_at_its_end_in_both_series() -> None:
    for fault in (points.KILL_AT_BOUNDARY, points.TERM_AT_BOUNDARY):
        found = [case.moment.number for case in points.kills(TASKS) if case.fault is fault]
        assert found == [task.number for task in TASKS]


def test_the_playbook_is_held_where_its_group_is_killed_and_runs_where_it_gets_a_signal() -> None:
    cases = points.kills(TASKS)
    assert {c.moment.seconds for c in cases if c.fault is points.KILL_AT_BOUNDARY} == {None}
    assert {c.moment.seconds for c in cases if c.fault is points.TERM_AT_BOUNDARY} == {points.BEGUN}


def test_every_long_task_is_hit_in_its_middle_in_three_ways() -> None:
    for fault in (points.KILL_IN_MIDDLE, points.TERM_IN_MIDDLE, points.LOST_IN_MIDDLE):
        found = [(c.moment.number, c.moment.seconds) for c in points.kills(TASKS) if c.fault is fault]
        assert found == [(2, 3.0), (3, 1.0), (6, 2.0), (9, 2.0)]


def test_the_next_commands_take_turns_in_each_series() -> None:
    for row in rows(points.kills(TASKS)):
        turns = [case.then for case in points.kills(TASKS) if case.fault.row == row]
        assert turns == [((list(COMMANDS) * len(turns))[number],) for number in range(len(turns))]


def test_the_image_is_missing_only_where_it_is_brought() -> None:
    assert {case.moment.number for case in points.kills(TASKS) if case.fresh} == {2}


def tasks_of(found: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a file of tasks or plays, those in blocks included."""
    for entry in found if isinstance(found, list) else ():
        yield entry
        for within in ("tasks", "block", "rescue", "always"):
            yield from tasks_of(entry.get(within))


def actions(title: str) -> set[str]:
    """What the tasks of that name do, in the roles and playbooks."""
    root = Path(__file__).resolve().parents[3]
    files = [*root.glob("roles/*/tasks/**/*.yml"), *root.glob("playbooks/**/*.yml")]
    named = [task for path in files for task in tasks_of(yaml.safe_load(path.read_text())) if task.get("name") == title]
    return {key.rpartition(".")[2] for task in named for key in task if "." in key}


@pytest.mark.parametrize("title", [points.SHIFT, points.GATE, points.PASSED, points.IMAGE])
def test_what_is_hit_in_its_middle_is_done_by_a_module_on_the_hosts(title: str) -> None:
    assert [action for action in actions(title) if not action.startswith(("include", "import"))], actions(title)


def test_the_look_at_the_balancers_is_announced_as_an_import_never_is() -> None:
    assert [action for action in actions(points.OBSERVE) if not action.startswith("import")], actions(points.OBSERVE)


def test_every_fault_has_every_moment_of_a_stage() -> None:
    found = points.faults(TASKS)
    for fault in (*STAGE_FAULTS, points.VM_LOST, LATE_TWIN):
        moments = [(c.moment.number, c.moment.seconds) for c in found if c.fault is fault]
        assert moments == [(5, None), (6, 2.0), (7, None), (11, None)], fault.row


def test_the_late_twin_comes_after_a_rollback_and_before_the_next_release() -> None:
    assert {case.then for case in points.faults(TASKS) if case.fault is LATE_TWIN} == {("rollback", "release")}


def test_with_the_vm_away_the_release_is_given_up_and_then_begun_anew() -> None:
    # One that lived on would have gone back by itself, and left a rollback nothing to go to.
    assert points.VM_LOST.ends
    assert {case.then for case in points.faults(TASKS) if case.fault is points.VM_LOST} == {("rollback", "release")}


def moment(number: int, seconds: float | None, task: str) -> points.Moment:
    return points.Moment(number, seconds, "said", task)


def test_a_release_is_elsewhere_where_the_task_of_that_number_is_another() -> None:
    for seconds in (None, points.BEGUN, 3.0):
        assert points.elsewhere(moment(5, seconds, "Set the split"), TASKS[:5]) == ""
        shifted = points.elsewhere(moment(5, seconds, "Gate the stage"), TASKS[:5])
        assert shifted == "task 5 is Set the split, not Gate the stage"
        assert points.elsewhere(moment(13, seconds, "Drain"), TASKS) == "the release has ended with its task 12"


def test_what_was_to_be_hit_in_its_middle_must_not_be_over_and_what_has_just_begun_may_be() -> None:
    assert points.elsewhere(moment(6, 2.0, "Gate the stage"), TASKS[:7]) == "Gate the stage was over after 4.0 s"
    assert points.elsewhere(moment(6, points.BEGUN, "Gate the stage"), TASKS[:7]) == ""


def test_the_middle_is_that_of_what_was_just_seen() -> None:
    amid = moment(6, 60.0, "Gate the stage")
    assert points.nearer(amid, TASKS[:7]).seconds == 2.0
    assert points.nearer(amid, TASKS[:6]) == amid
    for seconds in (None, points.BEGUN):
        assert points.nearer(moment(6, seconds, "Gate the stage"), TASKS[:7]).seconds == seconds


def test_every_moment_knows_its_task() -> None:
    titles = {task.number: task.title for task in TASKS}
    assert all(case.moment.task == titles[case.moment.number] for case in points.enumerate_cases(TASKS))


def test_nothing_is_begun_on_a_full_disk() -> None:
    (commands,) = {case.then for case in points.faults(TASKS) if case.fault.action == "disk_fill"}
    assert commands[0] == "rollback"


def test_a_release_without_a_stage_has_no_moments_of_one() -> None:
    with pytest.raises(StopIteration):
        points.stage_moments(TASKS[:4])


def test_a_task_lasts_until_the_next_begins_and_the_end_takes_no_time() -> None:
    told = [(1, "Read the service", 10.0), (2, "role : Deploy", 11.5), (3, "", 14.0)]
    lines = [json.dumps({"number": n, "play": "P", "task": task, "at": at}) for n, task, at in told]
    tasks = points.read_tasks(lines)
    assert [(task.title, task.seconds) for task in tasks] == [
        ("Read the service", 1.5),
        ("Deploy", 2.5),
        ("(the end)", 0),
    ]


def test_a_playbook_that_has_said_nothing_has_no_tasks() -> None:
    assert points.read_tasks([]) == []


def test_the_first_runs_are_one_of_every_row() -> None:
    cases = points.enumerate_cases(TASKS)
    number = len(rows(cases))
    assert set(rows(points.spread(cases)[:number]).values()) == {1}


def test_spread_out_nothing_is_missing_and_nothing_twice() -> None:
    cases = points.enumerate_cases(TASKS)
    assert Counter(points.spread(cases)) == Counter(cases)


def test_half_of_the_runs_are_half_of_every_row() -> None:
    cases = points.enumerate_cases(TASKS)
    half = rows(points.spread(cases)[: len(cases) // 2])
    assert {
        row: abs(half[row] - count / 2) for row, count in rows(cases).items() if abs(half[row] - count / 2) > 1
    } == {}


def test_the_first_runs_of_a_series_are_spread_over_it() -> None:
    cases = [case for case in points.kills(TASKS) if case.fault is points.KILL_AT_BOUNDARY]
    assert [case.moment.number for case in points.spread(cases)][:4] == [9, 1, 5, 11]


def test_every_row_has_its_place_in_the_table() -> None:
    assert set(rows(points.enumerate_cases(TASKS))) == {fault.row for fault in points.ALL}


def test_no_two_runs_have_the_same_title() -> None:
    titles = Counter(case.title for case in points.enumerate_cases(TASKS))
    assert [title for title, count in titles.items() if count > 1] == []


def test_a_case_is_known_by_a_title_that_a_slower_release_does_not_change() -> None:
    slower = [Task(task.number, task.play, task.name, task.seconds * 1.7) for task in TASKS]
    assert [c.title for c in points.enumerate_cases(slower)] == [c.title for c in points.enumerate_cases(TASKS)]


def test_in_a_round_what_hits_a_host_of_all_services_comes_apart_from_what_may_run_side_by_side() -> None:
    cases = points.spread(points.enumerate_cases(TASKS))
    rounds = list(points.rounds(cases, 10))
    assert Counter(case for alone, beside in rounds for case in (*alone, *beside)) == Counter(cases)
    assert {len(alone) + len(beside) for alone, beside in rounds[:-1]} == {10}
    assert all(case.alone for alone, _beside in rounds for case in alone)
    assert not any(case.alone for _alone, beside in rounds for case in beside)


def test_alone_is_what_a_balancer_or_a_vm_suffers_and_what_takes_the_images_away() -> None:
    beside = {case.fault.action for case in points.enumerate_cases(TASKS) if not case.alone}
    assert beside == {"kill_group", "term_playbook", "kill_all", "container_kill", "second_release", "late_twin"}
    assert all(case.alone for case in points.enumerate_cases(TASKS) if case.fresh)
