# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is cut off after any step, or with one of two balancers in it, and what can be done then."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError, StateError
from step_machine import SERVERS, STABLE, HAProxy, Machine, WebServer
from two_balancers import Pair

HOSTS = ("lb1", "lb2")
COMMANDS = ("release", "resume", "rollback")
OVER = "give the lock back on both"
# Of the ways to be cut off twice, a hundred and more, these; `make chaos-steps` takes all.
FIRST, NEXT = 31, 60


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
                # HAProxy's own judgement of a configuration takes long and changes nothing.
                machines[host].program = "/bin/true"
                machines[host].write(STABLE, {color: dict.fromkeys(names, port) for color, names in SERVERS.items()})
                processes[-1].start()
            yield Pair(machines, monkeypatch)
        finally:
            for process in processes:
                process.stop()


def test_whenever_nobody_is_left_each_balancer_works_with_what_it_has_committed(pair: Pair) -> None:
    for where, may_differ in pair.cut_off(pair.release()):
        pair.time_passes()
        assert pair.not_safe() == [], where
        assert pair.differ == may_differ, where


@pytest.mark.parametrize("command", COMMANDS)
def test_the_next_command_just_works(pair: Pair, command: str) -> None:
    for where, _ in pair.cut_off(pair.release()):
        pair.time_passes()
        pair.do(pair.command(command))
        assert pair.not_settled(None if command == "rollback" else "v2") == [], f"{where}, then {command}"


def refused_by_one(pair: Pair) -> None:
    """A release whose promotion lb1 refuses, because somebody has reloaded its HAProxy, and lb2 has committed."""
    for step in pair.release():
        if step.name == "promote":
            break
        for host in HOSTS:
            step.act(host)
    pair.on("lb1").haproxy.reload()
    with pytest.raises(StateError, match="not with the blue 0 %, green 100 % that were judged"):
        step.act("lb1")
    step.act("lb2")


@pytest.mark.parametrize("command", ["release", "rollback"])
def test_a_promotion_that_one_balancer_refuses_is_taken_back_on_all(pair: Pair, command: str) -> None:
    refused_by_one(pair)
    pair.do(pair.take_back())
    assert pair.not_settled("v1") == []
    assert [machine.state["stable"] for machine in pair.machines.values()] == ["blue", "blue"]
    pair.do(pair.command(command))
    assert pair.not_settled("v0" if command == "rollback" else "v2") == []


@pytest.mark.parametrize("command", ["release", "rollback"])
def test_and_may_be_cut_off_on_that_way_back(pair: Pair, command: str) -> None:
    refused_by_one(pair)
    for where, may_differ in pair.cut_off(pair.take_back()):
        pair.time_passes()
        assert pair.not_safe() == [], where
        assert may_differ or not pair.differ, where
        assert pair.fleet.state["stable"] == "blue", f"{where}: what was taken back is believed"
        pair.do(pair.command(command))
        assert pair.not_settled("v2" if command == "release" else None) == [], f"{where}, then {command}"


@pytest.mark.parametrize(
    ("lost", "command"),
    [
        ("lb1", "release"),
        ("lb2", "rollback"),
        pytest.param("lb1", "rollback", marks=pytest.mark.long),
        pytest.param("lb2", "release", marks=pytest.mark.long),
    ],
)
def test_a_balancer_that_is_lost_on_that_way_back_is_brought_to_what_the_other_says(
    pair: Pair, command: str, lost: str
) -> None:
    """Its journal has the promotion, or nothing, and the candidate is gone by then."""
    refused_by_one(pair)
    for step in pair.take_back():
        step.act(next(host for host in HOSTS if host != lost))
    pair.time_passes()
    assert pair.fleet.state["stable"] == "blue"
    pair.do(pair.command(command))
    assert pair.not_settled("v1" if command == "rollback" else "v2") == []


@pytest.mark.parametrize(
    ("hosts", "command"),
    [
        (HOSTS, "rollback"),
        (HOSTS[:1], "release"),
        (HOSTS[1:], "abort"),
        *(
            pytest.param(hosts, command, marks=pytest.mark.long)
            for hosts, command in (
                (HOSTS, "release"),
                (HOSTS, "abort"),
                (HOSTS[:1], "rollback"),
                (HOSTS[:1], "abort"),
                (HOSTS[1:], "rollback"),
                (HOSTS[1:], "release"),
            )
        ),
    ],
)
def test_a_way_back_that_a_disk_does_not_take_is_gone_to_its_end_by_the_next_command(
    pair: Pair, hosts: tuple[str, ...], command: str
) -> None:
    """From v1 back to v0, with a file in HAProxy's folder that it does not take."""
    for machine in pair.machines.values():
        machine.program = machine.haproxy.program
    strange = [pair.machines[host].paths.config.with_name("zz-strange.cfg") for host in hosts]
    for path in strange:
        path.write_text("frontend of nobody\n    bind nowhere\n")
    steps = pair.rollback()
    for step in steps:
        for host in HOSTS:
            if step.name == "go back" and host in hosts:
                with pytest.raises(BalancerError, match="the traffic was taken away, but"):
                    step.act(host)
                assert not any(pair.machines[host].runtime[name] for name in SERVERS["blue"])
            elif step.name != OVER.removesuffix(" on both") or host not in hosts:
                step.act(host)
    for path in strange:
        path.unlink()
    pair.time_passes()
    pair.do(pair.command(command))
    assert pair.not_settled("v2" if command == "release" else "v0") == []


def test_the_next_command_may_be_cut_off_too(pair: Pair) -> None:
    ways = [(where, command) for where, _ in pair.cut_off(pair.release()) for command in COMMANDS]
    chosen = ways if os.environ.get("EVERY_CUT") else ways[FIRST::NEXT]
    assert chosen, f"of {len(ways)} ways, none was tried"
    commands = itertools.cycle(COMMANDS)
    for where, _ in pair.cut_off(pair.release()):
        for command in (command for place, command in chosen if place == where):
            pair.save("first cut")
            pair.time_passes()
            for again, _ in pair.cut_off(pair.command(command), "second cut"):
                pair.time_passes()
                told = f"{where}, then {command}, {again}"
                assert pair.not_safe() == [], told
                # A rollback that is over is not taken back by another.
                last = "release" if again == OVER else next(commands)
                pair.do(pair.command(last))
                assert pair.not_settled(None if last == "rollback" else "v2") == [], f"{told}, then {last}"
            pair.restore("first cut")
