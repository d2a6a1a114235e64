"""Rollouts as jobs of AWX, on two balancers with everything real but systemd and the VMs' engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from awx_job import LONG, mostly, run_job
from balancer_machine import STABLE, Balancer
from haproxy_process import until
from test_never_stranded import GREEN, all_on, site
from vm_engine import Engine

__all__ = ["site"]

Machines = dict[str, Balancer]
STAGE_1 = "shop stage 1 (50 %)"
# As surveys hand them over: every choice is a text, and what was not answered is an empty one.
ANSWERS = {"service": "shop", "version": '"1.20"', "takeover": "false", "reversible": "true", "resume": ""}


@pytest.fixture(autouse=True)
def deployed(machines: Machines, engines: dict[str, Engine]) -> None:
    """Green has 1.20, which has no traffic yet."""
    for engine in engines.values():
        engine.runs("1.20", "green")
    for machine in machines.values():
        machine.promoted("r1", "v1", "blue")
        machine.deployed("r2", "1.20", "green")


def unhurried(site: dict[str, Any]) -> None:
    """A machine that is busy is no reason to go back."""
    site["all"]["vars"]["bluegreen_services"]["shop"].update(tick="5s", lease="5m")


def patient(outcome: str = "pause", **stage: str) -> list[Any]:
    return [{"split": 50, "dwell": "10m", "timeout": "20m", "on_timeout": outcome, **stage}, 100]


@pytest.mark.parametrize("core", mostly("2.19"))
def test_a_release_shows_each_tick_as_it_happens_and_hands_its_result_on(
    machines: Machines, site: dict[str, Any], tmp_path: Path, core: str
) -> None:
    unhurried(site)
    stage = {"dwell": "1s", "timeout": "8s", "on_timeout": "promote"}
    strategy = [{"split": 50, **stage}, {"split": 100, **stage}]
    job = run_job(tmp_path, core, "rollout", site, {**ANSWERS, "rollout_strategy": strategy, "force": ""})
    result = job.artifacts["bluegreen_result"]
    assert (job.status, result["outcome"], result["version"]) == ("successful", "promoted", "1.20"), job.output
    all_on(machines, GREEN)
    ticks = [number for number, event in enumerate(job.events) if STAGE_1 in event.get("stdout", "")]
    ends = [
        number
        for number, event in enumerate(job.events)
        if event["event"] == "runner_on_ok" and event["event_data"]["task_action"] == "sluice.bluegreen.metrics_gate"
    ]
    assert ticks, "AWX shows nothing of a stage before it ends"
    assert ticks[0] < ends[0], "each tick is an event of its own, before the task's"


@pytest.mark.parametrize(
    ("core", "policy", "outcome", "left"),
    [
        ("2.17", "rollback", "rolled_back", STABLE),
        pytest.param("2.19", "pause", "paused", {"blue": 50.0, "green": 50.0}, marks=LONG),
    ],
)
def test_a_job_that_fails_hands_its_result_on_all_the_same(
    machines: Machines,
    site: dict[str, Any],
    tmp_path: Path,
    core: str,
    policy: str,
    outcome: str,
    left: dict[str, float],
) -> None:
    unhurried(site)
    strategy = patient(policy, dwell="1s", timeout="2s")
    job = run_job(tmp_path, core, "rollout", site, {**ANSWERS, "rollout_strategy": strategy})
    assert (job.status, job.code) == ("failed", 2), job.output
    assert job.artifacts["bluegreen_result"]["outcome"] == outcome, job.output
    all_on(machines, left)


def fallen_back(machines: Machines) -> None:
    until("every balancer has gone back", lambda: not any(m.runtime["green1"] for m in machines.values()), 180)
    until(
        "nobody is kept out",
        lambda: not any(lock and lock["live"] for lock in (_lock.current(m.paths) for m in machines.values())),
        180,
    )


def test_a_job_that_runs_out_of_time_leaves_traffic_to_fall_back_wherever_it_was(
    machines: Machines, site: dict[str, Any], tmp_path: Path
) -> None:
    answers = {**ANSWERS, "rollout_strategy": patient()}
    job = run_job(
        tmp_path, "2.19", "rollout", site, answers, expires=lambda events: STAGE_1 in events[-1].get("stdout", "")
    )
    assert (job.status, job.artifacts) == ("timeout", {}), job.output
    fallen_back(machines)
    assert [machine.disk for machine in machines.values()] == [STABLE, STABLE]


def test_a_slice_that_nothing_tells_from_a_whole_inventory_moves_nothing(
    machines: Machines, site: dict[str, Any], tmp_path: Path
) -> None:
    job = run_job(tmp_path, "2.19", "rollout", site, ANSWERS, slice_hosts=["blue1", "green1", "lb1"])
    assert "HAProxy on lb1 has blue2, green2, which the inventory does not have" in job.problems
    assert {machine.events[-1] for machine in machines.values()} == {"deployed"}


def test_a_preview_sees_the_candidate_and_moves_nothing(
    machines: Machines, site: dict[str, Any], tmp_path: Path
) -> None:
    job = run_job(tmp_path, "2.17", "preview", site, {"service": "shop"})
    assert (job.status, job.changed) == ("successful", []), job.output
    told = [str(data["res"].get("msg")) for data in job.done]
    assert any("shop: 1.20 is healthy on green and has no traffic yet" in text for text in told), job.output
    all_on(machines, STABLE)


def test_a_relaunch_on_the_balancers_alone_goes_back(machines: Machines, site: dict[str, Any], tmp_path: Path) -> None:
    job = run_job(tmp_path, "2.17", "abort", site, {"service": "shop"}, "--limit", "lb1,lb2")
    assert job.artifacts["bluegreen_result"]["outcome"] == "aborted", job.output
    assert {machine.events[-1] for machine in machines.values()} == {"aborted"}, "they have given it up"
