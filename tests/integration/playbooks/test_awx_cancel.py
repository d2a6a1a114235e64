"""Jobs of AWX that are ended from outside, and the same jobs launched again on all hosts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx_fleet import Fleet, fleet, site, v1_serves, v2_deployed, v2_paused, v2_serves
from awx_job import CORES, LONG, Event
from balancer_machine import STABLE
from test_never_stranded import GREEN, SPLIT_50, all_on

__all__ = ["fleet", "site"]

# A stage that would last, if nobody ended it; and then one that is soon over.
PATIENT = {"dwell": "10m", "timeout": "20m"}
SHORT: dict[str, Any] = {}


def said(words: str) -> Callable[[Sequence[Event]], bool]:
    """Whether a job has said ``words``."""
    return lambda events: any(words in event.get("stdout", "") for event in events)


def begun(task: str) -> Callable[[Sequence[Event]], bool]:
    """Whether a job has come to a task."""
    return lambda events: any(
        event["event"] == "playbook_on_task_start" and event["event_data"]["task"] == task for event in events
    )


def stages(last: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"split": 50, **last}, {"split": 100, **last}]


def disks(fleet: Fleet) -> list[dict[str, float]]:
    return [machine.disk for machine in fleet.machines.values()]


@LONG
@pytest.mark.parametrize("core", CORES)
def test_a_deployment_that_is_cancelled_before_its_containers_are_healthy_is_done_by_the_same_job(
    fleet: Fleet, core: str
) -> None:
    v1_serves(fleet.machines)
    fleet.nobody_is_healthy()
    job = {"version": '"1.20"'}
    started = "POST /containers/shop-green-1.20/start"
    fleet.cancel(core, "deploy", lambda _events: fleet.orders("green").count(started) == 2, **job)
    assert disks(fleet) == [STABLE, STABLE]

    fleet.silent.listen()
    again = fleet.launch(core, "deploy", given=job)
    assert (again.status, again.outcome) == ("successful", "deployed"), again.output
    all_on(fleet.machines, STABLE)
    assert [engine.running for engine in fleet.green.values()] == [["shop-green-1.20"]] * 2
    assert fleet.orders("blue") == []


@LONG
@pytest.mark.parametrize("core", CORES)
def test_a_promotion_that_is_cancelled_goes_back_to_the_pause_and_goes_on_as_the_same_job(
    fleet: Fleet, core: str
) -> None:
    v2_paused(fleet.machines)
    fleet.page["strategy"] = stages(PATIENT)
    fleet.cancel(core, "promote", said("shop stage 2 (100 %)"))
    assert disks(fleet) == [SPLIT_50, SPLIT_50]

    fleet.page["strategy"] = stages(SHORT)
    again = fleet.launch(core, "promote")
    assert (again.status, again.outcome) == ("successful", "promoted"), again.output
    all_on(fleet.machines, GREEN)
    assert fleet.orders("blue") == fleet.orders("green") == []


@LONG
def test_a_rollback_that_is_cancelled_once_the_traffic_is_back_leaves_it_there_and_so_does_the_same_job(
    fleet: Fleet, tmp_path: Path
) -> None:
    v2_serves(fleet.machines)
    wait = {"name": "Wait", "ansible.builtin.wait_for": {"path": str(tmp_path / "go on"), "timeout": 600}}
    (tmp_path / "wait.yml").write_text(yaml.safe_dump([wait]))
    fleet.page["hooks"] = {"on_rollback": [{"name": "tell", "tasks": str(tmp_path / "wait.yml")}]}
    fleet.cancel("2.17", "rollback", begun("Wait"))
    assert disks(fleet) == [STABLE, STABLE]

    (tmp_path / "go on").touch()
    again = fleet.launch("2.17", "rollback")
    assert (again.status, again.outcome) == ("successful", "reverted"), again.output
    all_on(fleet.machines, STABLE)
    assert fleet.orders("blue") == fleet.orders("green") == []


@LONG
def test_a_rollback_that_is_cancelled_before_any_traffic_went_back_leaves_all_where_it_was_and_the_same_job_goes_back(
    fleet: Fleet,
) -> None:
    v2_serves(fleet.machines)
    for machine in fleet.machines.values():
        machine.note("retired", "r3", color="blue", version="v1", kept=[], reversible=True)
    for engine in fleet.blue.values():
        engine.entries["shop-blue-v1"]["State"] = "exited"
    fleet.nobody_is_healthy()
    fleet.balancers_call_blue("down")
    started = "POST /containers/shop-blue-v1/start"
    fleet.cancel("2.19", "rollback", lambda _events: fleet.orders("blue").count(started) == 2)
    assert disks(fleet) == [GREEN, GREEN]

    fleet.silent.listen()
    fleet.balancers_call_blue("up")
    again = fleet.launch("2.19", "rollback")
    assert (again.status, again.outcome) == ("successful", "reverted"), again.output
    all_on(fleet.machines, STABLE)
    assert [engine.running for engine in fleet.blue.values()] == [["shop-blue-v1"]] * 2
    assert fleet.orders("green") == []


@pytest.mark.parametrize(("core", "resume"), [pytest.param("2.17", "false", marks=LONG), ("2.19", "true")])
def test_a_rollout_that_is_cancelled_in_mid_stage_falls_back_and_goes_on_as_a_job_that_resumes(
    fleet: Fleet, core: str, resume: str
) -> None:
    v2_deployed(fleet.machines)
    fleet.page["strategy"] = stages(PATIENT)
    fleet.cancel(core, "rollout", said("shop stage 1 (50 %)"), resume=resume)
    assert disks(fleet) == [STABLE, STABLE]

    fleet.page["strategy"] = stages(SHORT)
    if resume == "false":
        stood = fleet.moved
        again = fleet.launch(core, "rollout", given={"resume": resume})
        assert "died after 0 passed stages; go on after them with -e resume=true" in again.problems
        assert fleet.moved == stood
    again = fleet.launch(core, "rollout", given={"resume": "true"})
    assert (again.status, again.outcome) == ("successful", "promoted"), again.output
    all_on(fleet.machines, GREEN)
    assert fleet.orders("blue") == fleet.orders("green") == []
