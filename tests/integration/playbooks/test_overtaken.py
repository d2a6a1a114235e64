# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that goes on after another one has taken over, on two balancers with real HAProxy processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _files, _lock
from balancer_machine import Balancer
from haproxy_process import until
from real_ansible import Run, finished, run, started
from test_never_stranded import GREEN, all_on, play, site
from vm_engine import Engine

__all__ = ["play", "site"]

Machines = dict[str, Balancer]
Engines = dict[str, Engine]
Play = Callable[..., Run]
V2 = "shop-green-v2"


@pytest.fixture
def v2_is_old(machines: Machines) -> None:
    """Blue serves v1, and green keeps v2 warm."""
    for machine in machines.values():
        machine.promoted("r1", "v2", "green")
        machine.promoted("r2", "v1", "blue")


def worked_on(engine: Engine, release_id: str) -> None:
    """As if that operation had come to this VM last."""
    _files.write_json(engine.run_dir / "shop" / "green.operation", {"release_id": release_id})


def worked(engine: Engine) -> bool:
    return (engine.run_dir / "shop" / "green.operation").exists()


def orders(engines: Engines) -> list[list[str]]:
    return [[order.rpartition("/")[2] for order in engine.orders] for engine in engines.values()]


def on_green(folder: Path, engines: Engines, entry: str, **variables: Any) -> Run:
    """An entry point of the role on the VMs of green, for r2, with a block that says why it failed."""
    service = {"name": "shop", "lease": 30, "health": {"tcp": True, "timeout": 5}, "image": "shop"}
    own = {
        "deploy_service": {**service, "container": {"publish": {"green": 1}}},
        "deploy_color": "green",
        "deploy_version": "v2",
        "deploy_release_id": "r2",
        **variables,
    }
    role = {"name": "sluice.bluegreen.deploy", "tasks_from": entry}
    block = {
        "block": [{"ansible.builtin.include_role": role, "vars": own}],
        "rescue": [{"name": "Stop", "ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"}}],
    }
    hosts = {"vms": {"hosts": {name: engine.entry for name, engine in engines.items()}}}
    return run(folder, [{"hosts": "vms", "gather_facts": False, "tasks": [block]}], {"all": {"children": hosts}}, {})


@pytest.mark.usefixtures("v2_is_old")
@pytest.mark.long
def test_a_retirement_that_goes_on_after_a_rollback_stops_nothing_that_serves(
    machines: Machines, engines: Engines, site: dict[str, Any], tmp_path: Path
) -> None:
    first, second = engines.values()
    first.may_stop.clear()
    (tmp_path / "retire").mkdir()
    extra = {"service": "shop", "at_once": True}
    retire = started(tmp_path / "retire", "sluice.bluegreen.retire", site, extra, "--forks", "1")
    until("the first VM stops its container", lambda: bool(first.orders), 90)
    (tmp_path / "back").mkdir()
    # Without force it would only take back the retirement that it cut off.
    again = {"service": "shop", "takeover": True, "force": True}
    back = started(tmp_path / "back", "sluice.bluegreen.rollback", site, again)
    until("the rollback came to the second VM", lambda: worked(second) or back.poll() is not None, 60)
    first.may_stop.set()
    gone_back, retired = finished(back), finished(retire)
    assert (gone_back.status, gone_back.stats["bluegreen_result"]["outcome"]) == (0, "reverted"), gone_back.output
    assert [engine.running for engine in engines.values()] == [[V2], [V2]], (orders(engines), retired.output)
    all_on(machines, GREEN)
    assert retired.status != 0, retired.output
    assert retired.stats["bluegreen_result"]["outcome"] == "failed"
    assert "green of service shop on this VM is not as release " in retired.output


@pytest.mark.parametrize(
    ("there", "expects", "stopped"),
    [
        ("r1", "r1", True),
        pytest.param("r2", "r1", True, marks=pytest.mark.long),
        ("r3", "r1", False),
        pytest.param("r3", "", False, marks=pytest.mark.long),
        pytest.param("", "", True, marks=pytest.mark.long),
        ("", "r2", False),
        pytest.param("r3", None, True, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("entry", ["retire", pytest.param("restore", marks=pytest.mark.long)])
def test_a_vm_on_which_another_operation_has_worked_since_is_left_as_it_is(
    engines: Engines, tmp_path: Path, entry: str, there: str, expects: str | None, stopped: bool
) -> None:
    for engine in engines.values():
        if there:
            worked_on(engine, there)
    more = {} if expects is None else {"deploy_expects": expects}
    done = on_green(tmp_path, engines, entry, **more)
    assert orders(engines) == ([["stop"], ["stop"]] if stopped else [[], []]), done.output
    why = "release r3 has worked on it since" if there else "nobody knows who has since this VM was booted"
    assert all(why in one.msg for one in done.of("Stop")), done.output
    assert len(done.of("Stop")) == (0 if stopped else 2)


@pytest.mark.parametrize("holders", [["r8", "r8"], ["r8", "r9"]])
def test_each_release_that_holds_the_lock_is_told_of_once(
    machines: Machines, site: dict[str, Any], tmp_path: Path, holders: list[str]
) -> None:
    for machine, holder, ttl in zip(machines.values(), holders, (600, 500)):
        _lock.acquire(machine.paths, holder, "alice@ci", ttl)
    own = {"rollout_service": {"name": "shop", "lease": 30}, "rollout_release_id": "r7", "rollout_candidate": "green"}
    role = {"name": "sluice.bluegreen.rollout", "tasks_from": "lock", "rolespec_validate": False}
    tasks = [{"ansible.builtin.include_role": role, "vars": own}]
    done = run(tmp_path, [{"hosts": "loadbalancers", "gather_facts": False, "tasks": tasks}], site, {})
    told = done.of("Stop where a balancer did not give it")
    assert len(told) == 2, done.output
    for one in told:
        sentences = [f"service shop is locked by release {holder} of alice@ci" for holder in dict.fromkeys(holders)]
        assert [one.msg.count(sentence) for sentence in sentences] == [1] * len(sentences), one.msg
        assert one.msg.count("is locked by") == len(sentences), one.msg


@pytest.mark.long
@pytest.mark.usefixtures("v2_is_old")
def test_a_retirement_whose_lock_another_release_has_by_then_does_not_end_well_and_names_it(
    machines: Machines, engines: Engines, site: dict[str, Any], tmp_path: Path
) -> None:
    for engine in engines.values():
        engine.may_stop.clear()
    process = started(tmp_path, "sluice.bluegreen.retire", site, {"service": "shop", "at_once": True})
    until("every VM stops its container", lambda: all(engine.orders for engine in engines.values()), 90)
    for machine in machines.values():
        _lock.acquire(machine.paths, "r9", "bob@ci", 600, takeover=True)
    for engine in engines.values():
        engine.may_stop.set()
    done = finished(process)
    result = done.stats["bluegreen_result"]
    assert (done.status != 0, result["outcome"], result["cause"]) == (True, "failed", "superseded"), result
    assert "the lock is held by release r9 of bob@ci; see sluice.bluegreen.status" in result["message"]


@pytest.mark.usefixtures("v2_is_old")
@pytest.mark.long
def test_one_balancer_that_took_the_lock_back_is_enough_and_check_mode_needs_none(
    machines: Machines, engines: Engines, site: dict[str, Any], play: Play, tmp_path: Path
) -> None:
    checked = play("retire", "--check", at_once=True)
    assert (checked.status, checked.stats["bluegreen_result"]["outcome"]) == (0, "retired"), checked.output
    for engine in engines.values():
        engine.may_stop.clear()
    process = started(tmp_path, "sluice.bluegreen.retire", site, {"service": "shop", "at_once": True})
    until("every VM stops its container", lambda: all(engine.orders for engine in engines.values()), 90)
    # As after a reboot.
    _files.remove(machines["lb1"].paths.lock)
    for engine in engines.values():
        engine.may_stop.set()
    done = finished(process)
    assert (done.status, done.stats["bluegreen_result"]["outcome"]) == (0, "retired"), done.output


def test_a_version_that_was_deployed_over_itself_does_not_come_back(
    machines: Machines, engines: Engines, play: Play
) -> None:
    for machine in machines.values():
        machine.promoted("r0", "v2", "green")
        machine.promoted("r1", "v1", "blue")
        machine.deployed("r2", "v2", "green")
    done = play("abort")
    assert (done.status, done.stats["bluegreen_result"]["outcome"]) == (0, "aborted"), done.output
    assert [engine.running for engine in engines.values()] == [[], []]
    for machine in machines.values():
        assert "restored" not in machine.events, machine.told
        assert not (machine.state["colors"]["green"] or {}).get("warm")
