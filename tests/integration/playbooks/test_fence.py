# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment does on its VMs when a balancer is lost, or knows of another release, while it is under way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from balancer_machine import Balancer
from real_ansible import Run, run
from site_files import LOCAL, OUT_OF_REACH

Machines = dict[str, Balancer]


def fenced(folder: Path, balancers: dict[str, Any]) -> Run:
    """The fence on two VMs in a block with a rescue, as `deploy` has it, and a play after it on the same VMs."""
    groups = {"balancers": {"hosts": balancers}, "vms": {"hosts": {"green1": dict(LOCAL), "green2": dict(LOCAL)}}}
    variables = {
        "deploy_service": {"name": "shop", "lease": 30},
        "deploy_release_id": "r1",
        "deploy_balancers": list(balancers),
    }
    role = {"name": "sluice.bluegreen.deploy", "tasks_from": "fence"}
    block = {
        "block": [
            {"ansible.builtin.include_role": role, "vars": variables},
            {"name": "Go on", "ansible.builtin.ping": {}},
        ],
        "rescue": [{"name": "Stop", "ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"}}],
    }
    vms = {"hosts": "vms", "gather_facts": False}
    plays = [
        {**vms, "ignore_unreachable": True, "tasks": [block]},
        {**vms, "tasks": [{"name": "Close", "ansible.builtin.ping": {}}]},
    ]
    return run(folder, plays, {"all": {"children": groups}}, {})


def hosts(done: Run, task: str) -> list[str]:
    return sorted(one.host for one in done.of(task) if one.status == "ok")


def test_a_balancer_that_is_lost_ends_neither_the_deployment_nor_the_plays_after_it(
    tmp_path: Path, machines: Machines
) -> None:
    _lock.acquire(machines["lb1"].paths, "r1", "alice@ci", 60)
    done = fenced(tmp_path, {"lb1": machines["lb1"].entry, "lb2": dict(OUT_OF_REACH)})
    assert hosts(done, "Go on") == ["green1", "green2"], done.output
    assert hosts(done, "Close") == ["green1", "green2"], done.output


def test_one_that_is_lost_first_keeps_no_other_from_being_asked(tmp_path: Path, machines: Machines) -> None:
    _lock.acquire(machines["lb2"].paths, "r1", "alice@ci", 60)
    done = fenced(tmp_path, {"lb1": dict(OUT_OF_REACH), "lb2": machines["lb2"].entry})
    assert hosts(done, "Go on") == ["green1", "green2"], done.output


def test_where_all_of_them_are_lost_no_vm_goes_on_and_the_plays_after_it_run(tmp_path: Path) -> None:
    done = fenced(tmp_path, {"lb1": dict(OUT_OF_REACH), "lb2": dict(OUT_OF_REACH)})
    assert hosts(done, "Go on") == [], done.output
    why = "no balancer could say whether release r1 is still the current one, so nothing was done: "
    assert [one.msg.startswith(why) for one in done.of("Stop")] == [True, True], done.output
    assert hosts(done, "Close") == ["green1", "green2"], done.output


def test_where_nobody_is_to_be_asked_every_vm_goes_on(tmp_path: Path) -> None:
    assert hosts(fenced(tmp_path, {}), "Go on") == ["green1", "green2"]


def test_where_another_release_has_taken_over_every_vm_stops_and_the_plays_after_it_run(
    tmp_path: Path, machines: Machines
) -> None:
    for machine in machines.values():
        _lock.acquire(machine.paths, "r2", "bob@ci", 60)
    done = fenced(tmp_path, {name: machine.entry for name, machine in machines.items()})
    assert hosts(done, "Go on") == []
    assert [one.msg for one in done.of("Stop")] == [done.of("Stop")[0].msg] * 2
    assert "release r1 is not the current one of service shop any more: the current one is release r2 of bob@ci" in (
        done.of("Stop")[0].msg
    )
    assert hosts(done, "Close") == ["green1", "green2"], done.output
