# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every moment at which something is broken, enumerated from one release that nothing disturbed. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Optional

# A task that takes longer is also hit in its middle.
LONG = 1.0
# A task that has just begun: its modules are on their way to the hosts.
BEGUN = 0.15

SHIFT = "Set the split"
GATE = "Gate the stage"
OBSERVE = "Observe every balancer"
PASSED = "Note that the stage was passed"
IMAGE = "Send the image"


@dataclass(frozen=True)
class Task:
    """The ``number``-th task of a release (from 1), and how long it took in seconds; no name is the end."""

    number: int
    play: str
    name: str
    seconds: float

    @property
    def title(self) -> str:
        return self.name.rsplit(" : ", 1)[-1] or "(the end)"


@dataclass(frozen=True)
class Moment:
    """Before task ``number``, with the playbook held there, or ``seconds`` after it began where these are given.

    ``task`` is the title that this task had when it was counted.
    """

    number: int
    seconds: Optional[float]
    said: str
    task: str = ""


@dataclass(frozen=True)
class Fault:
    """What is done to the lab.

    ``row`` is the line of the table that it counts in, ``action`` names the deed. ``ends``: the controller does not
    survive it. ``spares``: requests through the balancer that is hit must survive it. ``lasts``: the first of the next
    commands has to do its work under it; else it is over by then. ``alone``: it hits a host that other services are on.
    ``cut_off``: the balancer that is hit runs on, and nobody reaches it.
    """

    row: str
    action: str
    ends: bool = False
    spares: bool = True
    lasts: bool = False
    alone: bool = False
    cut_off: bool = False


@dataclass(frozen=True)
class Case:
    """One run: a release, ``fault`` at ``moment``, then the commands ``then`` (keys of ``COMMANDS``).

    ``fresh``: the candidate's VMs have no image yet, so that all of it is sent and loaded.
    """

    fault: Fault
    moment: Moment
    then: tuple[str, ...]
    fresh: bool = False

    @property
    def title(self) -> str:
        return f"{self.fault.row}; {self.moment.said}; then {' and '.join(self.then)}"

    @property
    def alone(self) -> bool:
        """Whether no other service may be released meanwhile."""
        return self.fault.alone or self.fresh


COMMANDS: dict[str, tuple[str, dict[str, str]]] = {
    "release": ("sluice.bluegreen.release", {"version": "{version}"}),
    "rollback": ("sluice.bluegreen.rollback", {}),
    "resume": ("sluice.bluegreen.release", {"version": "{version}", "resume": "true"}),
}
"""By name of a next command its playbook, and what it is given beside the service."""

KILL_AT_BOUNDARY = Fault("controller's process group killed (SIGKILL), at each task boundary", "kill_group", ends=True)
TERM_AT_BOUNDARY = Fault("ansible-playbook ended (SIGTERM), as each task begins", "term_playbook", ends=True)
KILL_IN_MIDDLE = Fault("controller's process group killed (SIGKILL), amid a long task", "kill_group", ends=True)
TERM_IN_MIDDLE = Fault("ansible-playbook ended (SIGTERM), amid a long task", "term_playbook", ends=True)
LOST_IN_MIDDLE = Fault("controller lost with all its processes, amid a long task", "kill_all", ends=True)

STAGE_FAULTS = (
    Fault("HAProxy reloaded", "haproxy_reload", alone=True),
    Fault("HAProxy restarted", "haproxy_restart", spares=False, alone=True),
    Fault("HAProxy killed (SIGKILL)", "haproxy_kill", spares=False, alone=True),
    Fault("balancer stopped", "balancer_stop", spares=False, alone=True),
    Fault("balancer paused", "balancer_pause", spares=False, alone=True),
    Fault("balancer cut off from the network", "balancer_cut", spares=False, alone=True, cut_off=True),
    Fault("balancer out of the controller's reach, serving", "balancer_hide", alone=True, cut_off=True),
    Fault("candidate's VM killed", "vm_kill", alone=True),
    Fault("candidate's container killed", "container_kill"),
    Fault("balancer's /var/lib full", "disk_fill", lasts=True, alone=True),
    Fault("balancer's HAProxy configuration broken by others", "config_break", alone=True),
    Fault("balancer's clock an hour ahead", "clock_ahead", lasts=True, alone=True),
    Fault("second release during the first", "second_release"),
)
TWO_AT_ONCE = Fault("two releases started together", "second_release")
VM_LOST = Fault("controller killed, candidate's VM too and away", "vm_kill", ends=True, lasts=True, alone=True)
LATE_TWIN = Fault("late twin: a shift replayed after a rollback", "late_twin", ends=True)

ALL = (
    KILL_AT_BOUNDARY,
    TERM_AT_BOUNDARY,
    KILL_IN_MIDDLE,
    TERM_IN_MIDDLE,
    LOST_IN_MIDDLE,
    *STAGE_FAULTS,
    TWO_AT_ONCE,
    VM_LOST,
    LATE_TWIN,
)
"""In the order of the table."""


def read_tasks(lines: Sequence[str]) -> list[Task]:
    """The tasks as announced, a line of JSON each; the last announcement is the end."""
    told = [json.loads(line) for line in lines]
    ends = [entry["at"] for entry in told[1:]] + [told[-1]["at"] if told else 0.0]
    return [Task(entry["number"], entry["play"], entry["task"], end - entry["at"]) for entry, end in zip(told, ends)]


def kills(tasks: Sequence[Task]) -> list[Case]:
    """Both series: at every boundary, and amid every long task; the next commands take turns in each series."""
    series: list[list[tuple[Fault, Moment, Task]]] = []
    for fault, begun in ((KILL_AT_BOUNDARY, None), (TERM_AT_BOUNDARY, BEGUN)):
        series.append([(fault, _moment(task, begun), task) for task in tasks])
    for fault in (KILL_IN_MIDDLE, TERM_IN_MIDDLE, LOST_IN_MIDDLE):
        series.append([(fault, _moment(task, task.seconds / 2), task) for task in tasks if task.seconds >= LONG])
    return [
        Case(fault, moment, (_turn(index),), fresh=task.title == IMAGE)
        for points in series
        for index, (fault, moment, task) in enumerate(points)
    ]


def stage_moments(tasks: Sequence[Task]) -> list[Moment]:
    """Before, during and after the first stage, and before the last commit; ValueError without a stage."""
    gate = next(i for i, task in enumerate(tasks) if task.title == GATE)
    before = max(i for i, task in enumerate(tasks) if task.title == SHIFT and i < gate)
    after = next(i for i, task in enumerate(tasks) if task.title == PASSED and i > gate)
    commit = max(i for i, task in enumerate(tasks) if task.title == SHIFT)
    return [
        Moment(tasks[before].number, None, "before a stage", SHIFT),
        Moment(tasks[gate].number, tasks[gate].seconds / 2, "during a stage", GATE),
        Moment(tasks[after].number, None, "after a stage", PASSED),
        Moment(tasks[commit].number, None, "before the promotion", SHIFT),
    ]


def faults(tasks: Sequence[Task]) -> list[Case]:
    """Every other fault at every moment of a stage, two releases at once, and what follows on a release lost there."""
    moments = stage_moments(tasks)
    cases = [
        Case(fault, moment, _after(fault, number + index))
        for number, fault in enumerate(STAGE_FAULTS)
        for index, moment in enumerate(moments)
    ]
    start = Moment(tasks[0].number, None, "as it starts", tasks[0].title)
    cases += [Case(TWO_AT_ONCE, start, (command,)) for command in COMMANDS]
    lost = (VM_LOST, LATE_TWIN)
    return cases + [Case(fault, moment, ("rollback", "release")) for fault in lost for moment in moments]


def _after(fault: Fault, index: int) -> tuple[str, ...]:
    if fault.action == "disk_fill":
        # Nothing new is begun on a balancer that can write nothing down; back it goes all the same.
        return ("rollback", "release")
    if fault.action in ("vm_kill", "container_kill", "config_break"):
        # What a rollback would go back to may be what was killed, or what a release that went back by itself has left.
        return ("release",)
    return (_turn(index),)


def enumerate_cases(tasks: Sequence[Task]) -> list[Case]:
    """Everything, in the order of the table."""
    return [*kills(tasks), *faults(tasks)]


def spread(cases: Sequence[Case]) -> list[Case]:
    """The same cases in an order of which every beginning is a fair part: all rows, and each from end to end."""
    rows: dict[str, list[Case]] = {}
    for case in cases:
        rows.setdefault(case.fault.row, []).append(case)
    waiting = {row: _evenly(found) for row, found in rows.items()}
    chosen: list[Case] = []
    while any(waiting.values()):
        # The row that is covered least.
        row = max((row for row in rows if waiting[row]), key=lambda row: len(waiting[row]) / len(rows[row]))
        chosen.append(waiting[row].pop(0))
    return chosen


def _evenly(cases: Sequence[Case]) -> list[Case]:
    """Van der Corput's order: the middle of the largest gap first."""
    places = 1 << max(1, len(cases) - 1).bit_length()
    order = sorted(range(places), key=lambda place: f"{place:0{places.bit_length()}b}"[::-1])
    middle = [(place + places // 2) % places for place in order]
    return [cases[place] for place in middle if place < len(cases)]


def _turn(index: int) -> str:
    return list(COMMANDS)[index % len(COMMANDS)]


def rounds(cases: Sequence[Case], size: int) -> Iterator[tuple[list[Case], list[Case]]]:
    """The same cases, ``size`` at a time: those that must be alone on the lab, and those that may run side by side."""
    waiting = iter(cases)
    while taken := list(islice(waiting, size)):
        yield [case for case in taken if case.alone], [case for case in taken if not case.alone]


def _moment(task: Task, seconds: Optional[float]) -> Moment:
    # Without figures, which differ from one counted release to the next: a case is known by its title.
    where = "before" if seconds is None else "as it begins:" if seconds == BEGUN else "amid"
    return Moment(task.number, seconds, f"{where} task {task.number}, {task.title}", task.title)


def elsewhere(moment: Moment, tasks: Sequence[Task]) -> str:
    """Where a release that has begun ``tasks`` is instead of at the moment; empty where it is there.

    What was to be hit as it began may be over, since many a task is shorter than it takes to see that.
    """
    if len(tasks) < moment.number:
        return f"the release has ended with its task {len(tasks)}"
    task = tasks[moment.number - 1]
    if moment.task and task.title != moment.task:
        return f"task {task.number} is {task.title}, not {moment.task}"
    if _is_amid(moment) and len(tasks) > moment.number:
        return f"{task.title} was over after {task.seconds:.1f} s"
    return ""


def nearer(moment: Moment, tasks: Sequence[Task]) -> Moment:
    """The same moment for a machine on which ``tasks`` took as long as they did."""
    if _is_amid(moment) and len(tasks) > moment.number:
        return replace(moment, seconds=tasks[moment.number - 1].seconds / 2)
    return moment


def _is_amid(moment: Moment) -> bool:
    return moment.seconds not in (None, BEGUN)
