"""The modules as Ansible builds, sends and starts them, one after the other on a real HAProxy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from step_machine import ROOT, SERVERS, SPLIT_5, STABLE, Machine, weights

sys.path.insert(0, str(ROOT / "tests" / "integration" / "playbooks"))

from real_ansible import Run, run

LISTED = [{"name": name, "color": color} for color, names in SERVERS.items() for name in names]


def tasks_run(machine: Machine, tmp_path: Path, tasks: list[dict[str, Any]]) -> Run:
    """Each task is ``{module: options}`` with a name, and none stops those after it."""
    common = {
        "service": "shop",
        "socket": machine.haproxy.socket,
        "state_dir": machine.paths.state_dir,
        "run_dir": machine.paths.run_dir,
        "config_dir": machine.paths.config_dir,
    }
    split = {"config": str(machine.haproxy.main), "haproxy": machine.haproxy.program, "servers": LISTED}
    plays = [
        {
            "name": "Steps",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "ignore_errors": True,
            "module_defaults": {
                **{f"sluice.bluegreen.{name}": common for name in ("haproxy_tick", "journal_info", "release_lock")},
                "sluice.bluegreen.haproxy_split": {**common, **split},
            },
            "tasks": tasks,
        }
    ]
    inventory = {"all": {"hosts": {"localhost": {"ansible_python_interpreter": sys.executable}}}}
    return run(tmp_path, plays, inventory, {})


def split(name: str, **options: Any) -> dict[str, Any]:
    control = {key: options.pop(key) for key in ("check_mode", "diff") if key in options}
    return {"name": name, "sluice.bluegreen.haproxy_split": {"release_id": "r2", **options}, **control}


def lock(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "sluice.bluegreen.release_lock": {"release_id": "r2", "owner": "bob", **options}}


@pytest.fixture
def story(machine: Machine, tmp_path: Path) -> Run:
    """A rollback, as the modules are called for it, with what may go wrong around it."""
    machine.take(SPLIT_5)
    back = {"shares": STABLE, "commit": True, "journal": "best_effort", "reason": "rollback"}
    given_up = {"event": "rolled_back", "data": {"gives_up": "r1", "cause": "operator"}}
    return tasks_run(
        machine,
        tmp_path,
        [
            lock("locked"),
            split("fenced", **back),
            lock("taken over", takeover=True),
            split("would go back", **back, check_mode=True, diff=True),
            split("stage without a lease", shares={"blue": 50, "green": 50}),
            split("not a split", shares={"blue": 50, "green": 60}),
            split("goes back", **back, events=[given_up], diff=True),
            split("is back", **back),
            {"name": "tick", "sluice.bluegreen.haproxy_tick": {"tape": {"name": "t"}}},
            lock("given back", state="absent"),
            {"name": "known", "sluice.bluegreen.journal_info": {"events": 2}},
        ],
    )


def test_the_modules_tell_the_story_of_a_rollback(machine: Machine, story: Run) -> None:
    said = {one.task: one for one in story.told}
    assert len(said) == 11, story.output
    assert "Traceback" not in story.output

    assert said["locked"].status == "ignored"
    assert said["locked"].msg.startswith("service shop is locked by release r1 of alice@ci since ")
    assert said["locked"].result["holder"]["release_id"] == "r1"

    assert said["fenced"].result["fenced"] is True
    assert "release r2 is not the current one of service shop any more" in said["fenced"].msg

    assert said["taken over"].result["changed"] is True

    would = said["would go back"].result
    assert would["changed"] is True
    assert would["commands"] == said["goes back"].result["commands"]
    assert would["diff"]["before"] == {"shares": SPLIT_5, "weights": weights(SPLIT_5), "committed": STABLE}
    assert would["diff"]["after"] == {"shares": STABLE, "weights": weights(STABLE), "committed": STABLE}

    # Either there is no systemd where the tests run, or this is no balancer that the role has prepared.
    assert "no lease can be held" in said["stage without a lease"].msg
    assert "Shares must add up to 100 %" in said["not a split"].msg

    back = said["goes back"].result
    assert (back["changed"], back["committed"]) == (True, True)
    assert (back["weights"], back["weights_before"]) == (weights(STABLE), weights(SPLIT_5)), (
        "nothing had moved it before"
    )
    assert back["shares"] == STABLE
    assert machine.runtime == machine.disk == weights(STABLE)

    assert (said["is back"].result["changed"], said["is back"].result["commands"]) == (False, [])

    assert set(said["tick"].result["servers"]) == {"blue1", "blue2", "green1", "green2"}
    assert (said["tick"].result["leading"], said["tick"].result["changed"]) == (False, False)

    assert (said["given back"].result["changed"], said["given back"].result["holder"]) == (True, None)

    known = said["known"].result
    assert (known["lock"], known["lease"], known["damage"]) == (None, None, [])
    assert known["state"]["history"][-1]["outcome"] == "rolled_back"
    assert [event["event"] for event in known["events"]] == ["shift", "rolled_back"]


def test_a_balancer_without_haproxy_is_told_by_every_module_that_asks_it(machine: Machine, tmp_path: Path) -> None:
    machine.haproxy.stop()
    Path(machine.haproxy.socket).unlink()
    done = tasks_run(
        machine,
        tmp_path,
        [
            split("split", release_id="r1", shares=STABLE, commit=True),
            {"name": "tick", "sluice.bluegreen.haproxy_tick": {"release_id": "r1"}},
        ],
    )
    for one in done.told:
        assert one.status == "ignored"
        assert one.msg == (
            f"HAProxy's socket {machine.haproxy.socket} does not exist, so this is a balancer without a running "
            "HAProxy. Run sluice.bluegreen.site, or start the service haproxy."
        )


def test_whose_plan_was_overtaken_is_told_by_whom_and_has_no_lock(machine: Machine, tmp_path: Path) -> None:
    before = {"stable": "blue", "release_id": None, "operation": None}
    told = tasks_run(machine, tmp_path, [lock("while it runs", expects=before)]).of("while it runs")
    assert "is locked by release r1 of alice@ci" in told[0].msg
    _lock.drop(machine.paths, "r1")
    told = tasks_run(machine, tmp_path, [lock("when it is over", expects=before)]).of("when it is over")
    assert "something happened on this balancer since it was looked at (last: release r1 " in told[0].msg
    assert _lock.current(machine.paths) is None


def test_a_retirement_in_between_overtakes_a_plan_too(machine: Machine, tmp_path: Path) -> None:
    """It changes neither who serves nor what is in progress, and a way back would lead to stopped containers."""
    machine.note("promoted", "r1", {"version": "v1", "color": "blue"})
    before = {"stable": machine.state["stable"], "release_id": None, "operation": "r1"}
    machine.note("retired", "r2", {"color": "green", "version": "v0", "kept": []})
    _lock.drop(machine.paths, "r1")
    told = tasks_run(machine, tmp_path, [lock("late", release_id="r3", expects=before)]).of("late")
    assert "something happened on this balancer since it was looked at (last: release r2 " in told[0].msg
    assert _lock.current(machine.paths) is None
