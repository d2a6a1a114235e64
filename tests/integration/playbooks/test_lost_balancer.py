# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer that cannot be reached for a moment, while nothing but the VMs' containers is to change.

Ansible takes an unreachable host out of its play, and does not end the plays that follow, even with any_errors_fatal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from balancer_machine import STABLE
from real_ansible import Run
from test_hooks import Machines, hooked, note, site, tasks
from test_hooks import play as hooks_play
from test_never_stranded import GREEN, SPLIT_50, all_on, orders, said
from vm_engine import Engine

__all__ = ["hooked", "hooks_play", "site"]

Engines = dict[str, Engine]
DRAIN, LOCK = "plugins.modules.haproxy_drain", "plugins.modules.release_lock"
SPLIT, HEALTH = "plugins.modules.haproxy_split'", "plugins.modules.health_gate'"


@pytest.fixture
def hole(site: dict[str, Any], tmp_path: Path) -> Path:
    """While it names a module, that one does not come to the balancers in :func:`behind_it`."""
    return tmp_path / "hole"


@pytest.fixture
def behind_it(site: dict[str, Any], hole: Path) -> Callable[..., None]:
    def behind(*names: str) -> None:
        for name in names:
            entry = site["all"]["children"]["loadbalancers"]["hosts"][name]
            entry.update(ansible_connection="patchy", patchy_hole=str(hole))

    return behind


@pytest.fixture
def play(hooks_play: Callable[..., Run]) -> Callable[..., Run]:
    return lambda name, hooks=None, **extra: hooks_play(hooks or {}, name, **extra)


def only_lb1(site: dict[str, Any]) -> None:
    del site["all"]["children"]["loadbalancers"]["hosts"]["lb2"]


def begun(engines: Engines) -> list[str]:
    return [order for order in orders(engines) if "v3" in order]


@pytest.mark.parametrize("lost", [("lb1", "lb2"), pytest.param(("lb2",), marks=pytest.mark.long)])
def test_nothing_is_deployed_without_a_balancer_that_knows_of_it(
    machines: Machines,
    engines: Engines,
    play: Callable[..., Run],
    hole: Path,
    behind_it: Callable[..., None],
    lost: tuple[str, ...],
) -> None:
    behind_it(*lost)
    hole.write_text(DRAIN)
    before = {name: machines[name].events.count("release_started") for name in lost}
    done = play("release", version="v3")
    assert done.status != 0
    assert begun(engines) == [], done.output
    assert {name: machines[name].events.count("release_started") for name in lost} == before, "they know nothing of it"
    assert not any(machine.runtime["green1"] for machine in machines.values())


def test_nor_where_the_only_balancer_is_lost_in_a_hook_that_must_go_well(
    machines: Machines, engines: Engines, play: Callable[..., Run], site: dict[str, Any], tmp_path: Path
) -> None:
    only_lb1(site)
    lost = tasks(tmp_path, "lost", {"ansible.builtin.ping": {}, "delegate_to": "blue1"}, note(tmp_path))
    done = play("release", {"before_deploy": [lost]}, version="v3")
    assert done.status != 0
    assert begun(engines) == [], done.output
    assert not (tmp_path / "notes").exists()


def test_nor_is_it_called_deployed_where_one_was_lost_while_it_looked_at_it(
    machines: Machines, play: Callable[..., Run], hole: Path, behind_it: Callable[..., None]
) -> None:
    behind_it("lb2")
    hole.write_text(HEALTH)
    before = machines["lb1"].events.count("deployed")
    done = play("deploy", version="v3")
    assert done.status != 0
    assert "shop: failed: lost on the way" in said(done), done.output
    assert [machine.events.count("deployed") for machine in machines.values()] == [before] * 2


def test_one_that_was_lost_on_the_way_back_and_answers_again_is_not_taken_for_gone_back(
    machines: Machines,
    engines: Engines,
    play: Callable[..., Run],
    hole: Path,
    behind_it: Callable[..., None],
    tmp_path: Path,
) -> None:
    """A hook that fails brings it back into the play, and what the color ran before would be put back."""
    for machine in machines.values():
        machine.note("stage_passed", "r2", stage=1, split=50)
        machine.commit(SPLIT_50)
        machine.note("committed", "r2", shares=SPLIT_50)
        machine.note("paused", "r2", cause="timeout")
    behind_it("lb2")
    hole.write_text(SPLIT)
    mended = {"ansible.builtin.file": {"path": str(hole), "state": "absent"}}
    fails = tasks(tmp_path, "fails", mended, {"ansible.builtin.fail": {"msg": "nobody listens"}})
    done = play("abort", {"on_rollback": [fails]})
    assert done.status != 0
    assert "but not on lb2, which did not answer or did not take it" in said(done), done.output
    assert {name: machine.disk for name, machine in machines.items()} == {"lb1": STABLE, "lb2": SPLIT_50}
    assert orders(engines) == [], "lb2 still sends it traffic"
    assert not any(_lock.current(machine.paths) for machine in machines.values())

    assert play("abort").status == 0
    all_on(machines, STABLE)


@pytest.mark.long
def test_what_is_to_be_retired_runs_on_where_no_balancer_could_be_told(
    machines: Machines, engines: Engines, play: Callable[..., Run], hole: Path, behind_it: Callable[..., None]
) -> None:
    for machine in machines.values():
        machine.promoted("r2", "v2", "green")
        machine.promoted("r3", "v1", "blue")
    behind_it("lb1", "lb2")
    hole.write_text(DRAIN)
    done = play("retire", at_once=True)
    assert done.status != 0
    assert [engine.running for engine in engines.values()] == [["shop-green-v2"]] * 2, done.output
    assert all("retired" not in machine.events for machine in machines.values())


@pytest.mark.long
def test_a_release_is_not_rolled_out_on_the_balancers_that_are_left(
    machines: Machines,
    play: Callable[..., Run],
    hole: Path,
    behind_it: Callable[..., None],
    tmp_path: Path,
) -> None:
    behind_it("lb2")
    gone = tasks(tmp_path, "gone", {"ansible.builtin.copy": {"content": LOCK, "dest": str(hole), "mode": "0600"}})
    done = play("release", {"after_deploy": [gone]}, version="v3")
    assert done.status != 0
    assert "shop: lb2 of loadbalancers was lost on the way, and rollout needs every balancer" in said(done), done.output
    assert [machine.disk for machine in machines.values()] == [STABLE, STABLE]
    assert all("shift" not in machine.events for machine in machines.values())
    hole.unlink()
    assert play("rollback", takeover=True).status == 0
    all_on(machines, STABLE)
    assert GREEN not in [machine.disk for machine in machines.values()]
