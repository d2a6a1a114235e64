"""The playbooks after something was cut off, on two balancers with everything real but systemd and the VMs' engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from balancer_machine import STABLE, Balancer
from haproxy_process import until
from real_ansible import Run, finished, run, started
from site_files import inventory, vm
from vm_engine import Engine

Machines = dict[str, Balancer]
Engines = dict[str, Engine]
GREEN = {"blue": 0.0, "green": 100.0}
SPLIT_50 = {"blue": 50.0, "green": 50.0}


@pytest.fixture
def site(machines: Machines, green_vms: dict[str, Any], listening: int) -> dict[str, Any]:
    """The VMs answer the health check, and nobody can log in to those of blue. A stage that hears nothing passes."""
    stage = {"dwell": "1s", "timeout": "2s", "on_timeout": "promote"}
    return inventory(
        groups__loadbalancers={name: machine.entry for name, machine in machines.items()},
        groups__shop_blue={f"blue{n}": {**vm(20 + n), "bluegreen_address": f"127.0.0.{20 + n}"} for n in (1, 2)},
        groups__shop_green=green_vms,
        page__container={"port": 8080, "publish": listening},
        page__health={"tcp": True, "interval": "1s", "timeout": "20s"},
        page__gates={"errors": {"warmup": 0}},
        page__tick="1s",
        page__lease="15s",
        page__strategy=[{"split": 50, **stage}, {"split": 100, **stage}],
    )


@pytest.fixture
def play(site: dict[str, Any], tmp_path: Path) -> Callable[..., Run]:
    def play(name: str, *options: str, **extra: Any) -> Run:
        return run(tmp_path, f"sluice.bluegreen.{name}", site, {"service": "shop", **extra}, *options)

    return play


Play = Callable[..., Run]
AtStage1 = Callable[[Callable[[], object]], subprocess.Popen[str]]


def v1_serves(machines: Machines) -> None:
    for machine in machines.values():
        machine.promoted("r1", "v1", "blue")


def v2_serves(machines: Machines, **data: Any) -> None:
    """Blue keeps v1 warm."""
    v1_serves(machines)
    for machine in machines.values():
        machine.promoted("r2", "v2", "green", **data)
        machine.commit(GREEN)


def v2_deployed(machines: Machines, **data: Any) -> None:
    v1_serves(machines)
    for machine in machines.values():
        machine.deployed("r2", "v2", "green", **data)


def all_on(machines: Machines, shares: dict[str, float]) -> None:
    for name, machine in machines.items():
        assert machine.disk == shares, f"{name}: {machine.told}"
        used = {server.rstrip("12") for server, weight in machine.runtime.items() if weight}
        assert used == {color for color, share in shares.items() if share}, f"{name}: {machine.runtime}"
        assert _lock.current(machine.paths) is None, f"{name}: the lock was left behind"


def orders(engines: Engines) -> list[str]:
    return [order for engine in engines.values() for order in engine.orders]


def said(done: Run) -> str:
    return "; ".join(one.msg for one in done.problems)


def test_a_release_that_was_killed_falls_back_by_itself_and_is_resumed(
    machines: Machines, engines: Engines, site: dict[str, Any], play: Play, tmp_path: Path
) -> None:
    v2_deployed(machines)
    patient = {"rollout_strategy": [{"split": 50, "dwell": "10m", "timeout": "20m"}, 100]}
    process = started(tmp_path, "sluice.bluegreen.rollout", site, {"service": "shop", **patient})
    until(
        "every balancer leads",
        lambda: all(m.runtime["green1"] > 0 and m.paths.lease.exists() for m in machines.values()),
        180,
    )
    os.killpg(process.pid, signal.SIGKILL)
    finished(process)
    until("every balancer has gone back", lambda: not any(m.runtime["green1"] for m in machines.values()), 180)
    until("its lock counts as dead", lambda: not any(_lock.current(m.paths)["live"] for m in machines.values()), 180)
    until("each wrote so", lambda: all(m.events[-1] == "lease_expired" for m in machines.values()), 180)
    assert [machine.disk for machine in machines.values()] == [STABLE, STABLE]

    done = play("release", resume=True)
    assert orders(engines) == [], "nothing was deployed again"
    # A machine that is too slow for the ticks makes a gate pause, which is no fault of the one that goes on.
    for _ in range(5):
        if done.stats["bluegreen_result"]["outcome"] == "paused":
            done = play("promote")
    assert (done.status, done.stats["bluegreen_result"]["outcome"]) == (0, "promoted"), done.output
    all_on(machines, GREEN)
    for machine in machines.values():
        assert machine.state["stable"] == "green"
        assert machine.state["operations"][:2] == ["r1", "r2"]
        assert len(machine.state["operations"]) >= 3, "the one that went on has an id of its own"


def test_a_live_release_keeps_others_out_until_somebody_takes_over(
    machines: Machines, engines: Engines, play: Play
) -> None:
    v2_deployed(machines)
    for machine in machines.values():
        _lock.acquire(machine.paths, "r2", "alice@ci", 600)
        machine.note("shift", "r2", shares=SPLIT_50)
    for name, extra in (("release", {"version": "v3"}), ("rollback", {})):
        refused = play(name, **extra)
        assert refused.status != 0
        assert "service shop is locked on lb1 by release r2 of alice@ci since " in said(refused), name
        assert refused.changed == []
    done = play("abort", takeover=True)
    assert done.stats["bluegreen_result"]["outcome"] == "aborted", done.output
    all_on(machines, STABLE)
    assert orders(engines) == ["POST /containers/shop-green-v2/stop"] * 2, "and nothing ran there before"
    for machine in machines.values():
        assert machine.state["release"] is None
        assert machine.state["history"][-1]["outcome"] == "aborted"


def test_two_that_begin_at_once_end_with_one_or_none(
    machines: Machines, site: dict[str, Any], play: Play, tmp_path: Path
) -> None:
    v2_serves(machines)
    processes = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        processes.append(started(tmp_path / str(number), "sluice.bluegreen.rollback", site, {"service": "shop"}))
    runs = [finished(process) for process in processes]
    winners = [done for done in runs if done.stats.get("bluegreen_result", {}).get("outcome") == "reverted"]
    assert len(winners) <= 1, [done.output for done in runs]
    assert not any(done.status == 0 for done in runs if done not in winners)
    one, other = machines.values()
    assert one.state["operations"] == other.state["operations"], "neither got half of the balancers"
    if not winners:
        winners = [play("rollback")]
    all_on(machines, STABLE)


def test_a_balancer_that_is_lost_keeps_no_other_from_going_back_and_catches_up(machines: Machines, play: Play) -> None:
    v2_serves(machines)
    machines["lb2"].haproxy.stop()
    done = play("rollback")
    assert done.status != 0, done.output
    assert "but not on lb2, which did not answer or did not take it" in done.stats["bluegreen_result"]["message"]
    assert machines["lb1"].disk == STABLE
    assert machines["lb2"].disk == GREEN

    machines["lb2"].haproxy.start()
    assert play("abort").status == 0
    all_on(machines, STABLE)
    assert "no hosts matched" not in done.output
    assert "caught_up" in machines["lb2"].events
    assert machines["lb2"].state["stable"] == "blue"
    told = play("status").of("shop")[0].msg
    assert "missed events" not in told
    assert "can go back to v2 on green, with -e force=true only: v2 was itself rolled back" in told


def test_nor_from_going_back_to_what_was_retired(
    machines: Machines, engines: Engines, blue_engines: Engines, site: dict[str, Any], play: Play
) -> None:
    v2_serves(machines)
    for machine in machines.values():
        machine.note("retired", "r3", color="blue", version="v1", kept=[], reversible=True)
    for engine in blue_engines.values():
        engine.entries["shop-blue-v1"]["State"] = "exited"
    site["all"]["children"]["shop_blue"]["hosts"] = {
        name: {**engine.entry, "bluegreen_address": f"127.0.0.{21 + n}"}
        for n, (name, engine) in enumerate(blue_engines.items())
    }
    machines["lb2"].haproxy.stop()
    done = play("rollback")
    assert done.status != 0, done.output
    assert "but not on lb2, which did not answer or did not take it" in said(done) + done.output
    assert {name: machine.disk for name, machine in machines.items()} == {"lb1": STABLE, "lb2": GREEN}
    assert [engine.running for engine in blue_engines.values()] == [["shop-blue-v1"]] * 2


@pytest.mark.long
def test_what_a_release_would_do_after_one_that_died_can_be_looked_at(machines: Machines, play: Play) -> None:
    """In check mode nothing is settled, so that the color whose containers would be replaced still has traffic."""
    v2_deployed(machines)
    for machine in machines.values():
        machine.commit(SPLIT_50)
        machine.note("committed", "r2", shares=SPLIT_50)
        machine.note("paused", "r2", cause="timeout")
        machine.note("release_resumed", "r3", resumes="r2", version="v2", owner="alice@ci")
    done = play("release", "--check", version="v3")
    assert done.status == 0, done.output
    assert [machine.disk for machine in machines.values()] == [SPLIT_50, SPLIT_50]


@pytest.mark.long
@pytest.mark.parametrize(("refusing", "command"), [(("lb1", "lb2"), "rollback"), (("lb2",), "abort")])
def test_a_rollback_that_a_disk_does_not_take_is_gone_to_its_end_by_the_next_command(
    machines: Machines, play: Play, refusing: tuple[str, ...], command: str
) -> None:
    """The disk of a balancer still has the version that is being left, and a reload would bring it back."""
    v2_serves(machines)
    strange = [machines[name].paths.config.with_name("zz-strange.cfg") for name in refusing]
    for path in strange:
        path.write_text("frontend of nobody\n    bind nowhere\n")
    done = play("rollback")
    assert done.status != 0, done.output
    assert "the traffic was taken away, but a reload of HAProxy would bring it back" in said(done)
    for name, machine in machines.items():
        assert not any(machine.runtime[server] for server in ("green1", "green2")), name
        assert machine.disk == (GREEN if name in refusing else STABLE), name
        assert _lock.current(machine.paths) is None, f"{name}: nobody need wait for its lock"
    for path in strange:
        path.unlink()
    assert play(command).status == 0
    all_on(machines, STABLE)
    assert {machine.state["stable"] for machine in machines.values()} == {"blue"}


@pytest.mark.parametrize(
    ("page", "command", "direct", "cut"),
    [
        ({"pins": [{"to": "candidate", "path": "/beta"}]}, "rollback", True, True),
        ({}, "rollback", False, True),
        ({"affinity": {"cookie": "SRV"}}, "rollback", False, False),
        ({}, "abort", True, True),
    ],
)
@pytest.mark.long
def test_whose_sessions_are_waited_for_and_cut(
    machines: Machines, site: dict[str, Any], play: Play, page: dict[str, Any], command: str, direct: bool, cut: bool
) -> None:
    """Those in the backend of the color alone where users or pins lead there, or its containers are replaced."""
    (v2_serves if command == "rollback" else v2_deployed)(machines)
    site["all"]["vars"]["bluegreen_services"]["shop"].update(page)
    done = play(command)
    assert done.status == 0, done.output
    given = [
        one.result["invocation"]["module_args"] for one in done.of("Let the sessions end, and cut those that do not")
    ]
    assert [(one["direct"], one["cut"]) for one in given] == [(direct, cut)] * 2


@pytest.mark.long
def test_a_haproxy_whose_socket_is_elsewhere_is_led_and_promoted_all_the_same(
    machines: Machines, site: dict[str, Any], play: Play
) -> None:
    v2_deployed(machines)
    for name, machine in machines.items():
        sockets = machine.folder / "run/haproxy"
        (sockets / "admin.sock").rename(sockets / "others.sock")
        site["all"]["children"]["loadbalancers"]["hosts"][name]["haproxy_socket"] = "/run/haproxy/others.sock"
    done = play("rollout")
    assert done.status == 0, done.output
    all_on(machines, GREEN)


@pytest.mark.long
def test_what_cannot_be_reversed_is_frozen_and_goes_back_only_by_force(machines: Machines, play: Play) -> None:
    v2_deployed(machines, reversible=False)
    stages = [{"split": 50, "dwell": "1s", "timeout": "2s", "on_timeout": "rollback"}, 100]
    frozen = play("rollout", rollout_strategy=stages)
    assert frozen.status != 0
    assert frozen.stats["bluegreen_result"]["outcome"] == "paused", frozen.output
    all_on(machines, SPLIT_50)
    assert "is marked reversible: false, and its version has served at 50 %" in said(play("rollback"))
    assert play("rollback", force=True).stats["bluegreen_result"]["outcome"] == "reverted"
    all_on(machines, STABLE)


def test_a_balancer_that_can_hold_no_lease_stops_a_release_before_anything_is_changed(
    machines: Machines, play: Play
) -> None:
    v1_serves(machines)
    (machines["lb2"].folder / "run/systemd/system").rmdir()
    refused = play("release", version="v2")
    assert "service shop: lb2: systemd does not run on this balancer, so no lease can be held" in said(refused)
    assert refused.changed == []


@pytest.fixture
def at_stage_1(site: dict[str, Any], machines: Machines, tmp_path: Path) -> AtStage1:
    """Start a rollout, and do something while every balancer leads, before stage 1 is passed."""
    reached, go_on = tmp_path / "reached", tmp_path / "go_on"
    stop = [
        {"ansible.builtin.file": {"path": str(reached), "state": "touch"}, "when": "bluegreen_hook.stage == 1"},
        {"ansible.builtin.wait_for": {"path": str(go_on), "timeout": 60}},
    ]
    (tmp_path / "stop.yml").write_text(json.dumps(stop))
    site["all"]["vars"]["bluegreen_services"]["shop"]["hooks"] = {
        "after_stage": [{"name": "stop", "tasks": str(tmp_path / "stop.yml")}]
    }

    def rollout(happens: Callable[[], object]) -> subprocess.Popen[str]:
        process = started(tmp_path, "sluice.bluegreen.rollout", site, {"service": "shop"})
        until("stage 1 is over", lambda: reached.exists() or process.poll() is not None, 180)
        assert all(machine.runtime["green1"] > 0 for machine in machines.values())
        happens()
        go_on.touch()
        return process

    return rollout


def test_a_balancer_that_refuses_a_shift_sends_the_others_back_and_is_named_with_its_reply(
    machines: Machines, engines: Engines, play: Play, at_stage_1: AtStage1
) -> None:
    v2_deployed(machines)
    refusing = machines["lb2"]
    admin = refusing.folder / "run/haproxy/admin.sock"

    def refuse() -> None:
        (admin.parent / "operator").symlink_to(f"{refusing.haproxy.socket}.operator")
        (admin.parent / "operator").replace(admin)

    done = finished(at_stage_1(refuse))
    assert done.status != 0
    result = done.stats["bluegreen_result"]
    assert (result["outcome"], result["cause"]) == ("failed", "error"), done.output
    refused = "lb2: HAProxy at /run/haproxy/admin.sock refused `set server shop/"
    assert result["message"].startswith(refused), "which balancer, and which reply"
    assert result["message"].count(": Permission denied") == 2, "when it should go on, and when it should go back"
    assert (machines["lb1"].disk, machines["lb1"].runtime["green1"]) == (STABLE, 0)
    assert machines["lb1"].events[-1] == "rolled_back"
    assert orders(engines) == [], "it may still send the candidate traffic"

    (admin.parent / "admin").symlink_to(refusing.haproxy.socket)
    (admin.parent / "admin").replace(admin)
    assert play("abort").status == 0
    all_on(machines, STABLE)


@pytest.fixture
def hole(site: dict[str, Any], tmp_path: Path) -> Path:
    """While it is there lb1 cannot be reached."""
    entry = site["all"]["children"]["loadbalancers"]["hosts"]["lb1"]
    entry.update(ansible_connection="patchy", patchy_hole=str(tmp_path / "hole"))
    return tmp_path / "hole"


def test_a_balancer_that_is_lost_in_a_stage_does_not_go_on_alone_when_it_answers_again(
    machines: Machines, engines: Engines, play: Play, hole: Path, at_stage_1: AtStage1
) -> None:
    v2_deployed(machines)
    lost, other = machines["lb1"], machines["lb2"]
    process = at_stage_1(hole.touch)
    until("the other goes back", lambda: "rolled_back" in other.events, 180)
    hole.unlink()
    done = finished(process)
    assert done.status != 0
    result = done.stats["bluegreen_result"]
    assert (result["outcome"], result["cause"]) == ("rolled_back", "error"), done.output
    assert "lb1 could not be reached to go back: what is committed there holds once the lease ends" in result["message"]
    assert result["message"].endswith("do sluice.bluegreen.abort, which brings it to the same")
    assert lost.events.count("shift") == 1, lost.told
    assert not [order for engine in engines.values() for order in engine.orders], "it may still send them traffic"
    until("it has gone back", lambda: not lost.runtime["green1"], 180)
    assert (lost.disk, other.disk) == (STABLE, STABLE)

    assert play("abort").status == 0
    all_on(machines, STABLE)
    assert (lost.state["release"], other.state["release"]) == (None, None)


@pytest.mark.long
def test_a_balancer_that_is_lost_on_the_way_back_keeps_no_other_from_it_and_is_named(
    machines: Machines, engines: Engines, site: dict[str, Any], play: Play, hole: Path, tmp_path: Path
) -> None:
    v2_deployed(machines)
    lost, other = machines["lb1"], machines["lb2"]
    module = "plugins.modules.haproxy_split"
    tasks = [{"ansible.builtin.copy": {"content": module, "dest": str(hole)}}, {"ansible.builtin.fail": {"msg": "no"}}]
    (tmp_path / "spoil.yml").write_text(json.dumps(tasks))
    page = site["all"]["vars"]["bluegreen_services"]["shop"]
    page["hooks"] = {"before_stage": [{"name": "spoil", "tasks": str(tmp_path / "spoil.yml")}]}
    done = play("rollout")
    assert done.status != 0
    result = done.stats["bluegreen_result"]
    assert (result["outcome"], result["cause"]) == ("failed", "hook"), done.output
    assert result["message"].endswith("then do sluice.bluegreen.abort (lb1: could not be reached)")
    assert (other.disk, other.runtime["green1"]) == (STABLE, 0)
    assert not [order for engine in engines.values() for order in engine.orders], "it may still send them traffic"
    assert "shift" not in lost.events, lost.told

    hole.unlink()
    assert play("abort").status == 0
    all_on(machines, STABLE)
