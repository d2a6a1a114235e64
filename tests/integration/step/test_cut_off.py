# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is cut off after any step, or with one of two balancers in it, and what can be done then."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from step_machine import SERVERS, STABLE, HAProxy, Machine, WebServer
from two_balancers import Pair

HOSTS = ("lb1", "lb2")
# Who has taken the step after which nothing more came.
TAKEN = (HOSTS, HOSTS[:1], HOSTS[1:])


@pytest.fixture
def pair(program: str, web: Callable[[str], WebServer], monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    memory = Path("/dev/shm")
    processes: list[HAProxy] = []
    port = web("any").port
    with tempfile.TemporaryDirectory(prefix="sluice-", dir=memory if memory.is_dir() else None) as folder:
        try:
            machines = {}
            for host in HOSTS:
                place = Path(folder, host)
                place.mkdir()
                processes.append(HAProxy(place, program))
                machines[host] = Machine(processes[-1], place)
                machines[host].write(STABLE, {color: dict.fromkeys(names, port) for color, names in SERVERS.items()})
                processes[-1].start()
            yield Pair(machines, monkeypatch)
        finally:
            for process in processes:
                process.stop()


def cut_off(pair: Pair) -> Iterator[tuple[str, bool]]:
    """Every way to cut a release off: what was done last and on whom, and whether that leaves the disks different."""
    for step in pair.release():
        for taken in TAKEN[1:]:
            pair.save()
            for host in taken:
                step.act(host)
            yield f"{step.name} on {taken[0]} only", step.commits
            pair.restore()
        for host in HOSTS:
            step.act(host)
        pair.save()
        yield f"{step.name} on both", False
        pair.restore()


def test_whenever_nobody_is_left_each_balancer_works_with_what_it_has_committed(pair: Pair) -> None:
    for where, may_differ in cut_off(pair):
        pair.time_passes()
        assert pair.not_safe() == [], where
        assert pair.differ == may_differ, where


@pytest.mark.parametrize("command", ["release", "resume", "rollback"])
def test_the_next_command_just_works(pair: Pair, command: str) -> None:
    for where, _ in cut_off(pair):
        pair.time_passes()
        for step in pair.commands()[command]():
            for host in HOSTS:
                step.act(host)
        assert pair.not_settled(None if command == "rollback" else "v2") == [], f"{where}, then {command}"
