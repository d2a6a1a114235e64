# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real `ansible-playbook` that is held, killed and ended at a task; what its tasks did is in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from chaos.controller import Playbook
from chaos.points import Moment

PATIENCE = 60.0


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Playbook]:
    """Starts three tasks that write their number; the second then waits for a file `end`, an hour at most."""
    hosts = {"all": {"hosts": {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
    write = f"echo %d >> {tmp_path}/done"
    wait = f"; for i in $(seq 36000); do [ -e {tmp_path}/end ] && break; sleep 0.1; done"
    tasks = [
        {"name": f"Task {number}", "ansible.builtin.shell": write % number + (wait if number == 2 else "")}
        for number in (1, 2, 3)
    ]
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"name": "Count", "hosts": "all", "gather_facts": False, "tasks": tasks}]))

    def begin(hold: Moment | None = None) -> Playbook:
        return Playbook(tmp_path / "run", str(play), {}, tmp_path / "hosts.yml", hold)

    return begin


def done(folder: Path) -> list[str]:
    path = folder / "done"
    return path.read_text().split() if path.exists() else []


def until_done(folder: Path, number: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while number not in done(folder):
        assert time.monotonic() < deadline, f"task {number} did not begin within {PATIENCE:g} s"
        time.sleep(0.02)


def test_a_playbook_that_nobody_disturbs_tells_its_tasks_and_its_end(
    tmp_path: Path, start: Callable[..., Playbook]
) -> None:
    (tmp_path / "end").touch()
    book = start()
    assert book.wait(PATIENCE) == 0, book.output
    assert [(task.number, task.play, task.title) for task in book.tasks()] == [
        (1, "Count", "Task 1"),
        (2, "Count", "Task 2"),
        (3, "Count", "Task 3"),
        (4, "Count", "(the end)"),
    ]


def test_a_task_is_past_when_the_next_one_has_begun(tmp_path: Path, start: Callable[..., Playbook]) -> None:
    book = start()
    assert book.wait_past("Task 1", PATIENCE)
    assert not book.wait_past("Task 2", 1.0), "it waits for a file"
    (tmp_path / "end").touch()
    assert book.wait_past("Task 2", PATIENCE)
    assert book.wait(PATIENCE) == 0, book.output
    assert not book.wait_past("no such task", PATIENCE)


def test_a_playbook_is_held_before_a_task_until_it_may_go_on(tmp_path: Path, start: Callable[..., Playbook]) -> None:
    (tmp_path / "end").touch()
    before = Moment(3, None, "before task 3")
    book = start(before)
    assert book.wait_for(before, PATIENCE), book.output
    assert done(tmp_path) == ["1", "2"]
    book.go()
    assert book.wait(PATIENCE) == 0, book.output
    assert done(tmp_path) == ["1", "2", "3"]


def test_a_group_that_is_killed_before_a_task_never_begins_it(tmp_path: Path, start: Callable[..., Playbook]) -> None:
    before = Moment(2, None, "before task 2")
    book = start(before)
    assert book.wait_for(before, PATIENCE), book.output
    book.kill_group()
    assert book.process.returncode == -9
    assert done(tmp_path) == ["1"]


@pytest.mark.parametrize(("way", "status"), [("term_playbook", -15), ("kill_group", -9), ("kill_all", -9)])
def test_a_playbook_can_be_ended_amid_a_task_and_begins_no_other(
    tmp_path: Path, start: Callable[..., Playbook], way: str, status: int
) -> None:
    amid = Moment(2, 0.0, "amid task 2")
    book = start(amid)
    assert book.wait_for(amid, PATIENCE), book.output
    until_done(tmp_path, "2")
    getattr(book, way)()
    assert book.process.returncode == status
    # Whatever has outlived it comes to its own end.
    (tmp_path / "end").touch()
    assert done(tmp_path) == ["1", "2"]


def test_a_playbook_that_ends_before_the_moment_is_not_waited_for(
    tmp_path: Path, start: Callable[..., Playbook]
) -> None:
    (tmp_path / "end").touch()
    never = Moment(99, None, "before task 99")
    book = start(never)
    assert not book.wait_for(never, PATIENCE)
    assert book.process.returncode == 0


def test_a_playbook_that_takes_too_long_is_ended(tmp_path: Path, start: Callable[..., Playbook]) -> None:
    book = start()
    until_done(tmp_path, "2")
    assert book.wait(0.0) is None
    assert book.process.returncode == -9


def test_the_message_of_a_failure_is_kept_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {here: {ansible_connection: local}}}")
    fail = {"name": "Fail", "ansible.builtin.fail": {"msg": "the shop is locked"}}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [fail]}]))
    book = Playbook(tmp_path / "run", str(tmp_path / "play.yml"), {}, tmp_path / "hosts.yml")
    assert book.wait(PATIENCE) == 2
    assert "the shop is locked" in book.message
