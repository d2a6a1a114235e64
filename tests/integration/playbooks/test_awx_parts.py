"""Runs that see a part of the fleet: relaunched on the failed hosts, limited, or sliced. All hosts are out of reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from awx_job import LONG, Job, run_job
from site_files import inventory

GOOD = {"service": "shop", "version": "v2"}
SLICE = {"awx_job_template_name": "Bluegreen", "awx_workflow_job_name": "Bluegreen", "awx_workflow_job_id": 7}
SLICE_HOSTS = ["blue1", "green1", "lb1"]


def asked(job: Job) -> set[str]:
    """Hosts that a connection was tried to."""
    return {event["event_data"]["host"] for event in job.events if event["event"] == "runner_on_unreachable"}


@pytest.mark.parametrize(
    ("core", "playbook", "limit", "missing"),
    [
        ("2.17", "release", "green1", "lb1, lb2, blue1, blue2, green2"),
        ("2.19", "deploy", "lb1,lb2,localhost", "blue1, blue2, green1, green2"),
        pytest.param("2.19", "promote", "lb1,shop_blue,shop_green", "lb2", marks=LONG),
        pytest.param("2.17", "abort", "localhost,shop_blue", "lb1, lb2", marks=LONG),
    ],
)
def test_a_limit_that_leaves_out_what_is_needed_is_refused_before_anything_is_asked(
    tmp_path: Path, core: str, playbook: str, limit: str, missing: str
) -> None:
    job = run_job(tmp_path, core, playbook, inventory(), GOOD, "--limit", limit)
    assert (job.status, job.code) == ("failed", 2), job.output
    assert f"service shop: the limit {limit} leaves out {missing}" in job.problems
    assert "relaunch it on all hosts instead of the failed ones. Nothing was changed" in job.problems
    assert asked(job) == set()


@pytest.mark.parametrize(("core", "playbook"), [("2.17", "rollout"), ("2.19", "rollback")])
def test_a_slice_of_what_moves_traffic_is_refused(tmp_path: Path, core: str, playbook: str) -> None:
    job = run_job(tmp_path, core, playbook, inventory(), {**GOOD, **SLICE}, slice_hosts=SLICE_HOSTS)
    assert (job.status, job.code) == ("failed", 2), job.output
    assert "service shop: this job is a slice of Bluegreen" in job.problems
    assert asked(job) == set()


@pytest.mark.parametrize(("core", "playbook"), [("2.17", "site"), ("2.19", "fetch")])
def test_a_slice_prepares_its_vms_and_no_balancer(tmp_path: Path, core: str, playbook: str) -> None:
    answers = {**(GOOD if playbook == "fetch" else {}), **SLICE}
    job = run_job(tmp_path, core, playbook, inventory(), answers, slice_hosts=SLICE_HOSTS)
    assert asked(job) == {"blue1", "green1"}, job.output
    if playbook == "site":
        told = next(data["res"]["msg"] for data in job.done if data["task"] == "Say what is left to be done")
        assert "Run sluice.bluegreen.site once more with the limit loadbalancers" in told


def test_a_slice_that_is_relaunched_and_not_told_that_it_is_one_prepares_no_balancer_either(tmp_path: Path) -> None:
    job = run_job(tmp_path, "2.19", "site", inventory(), {"vms_only": True}, slice_hosts=SLICE_HOSTS)
    assert asked(job) == {"blue1", "green1"}, job.output


def test_nor_is_one_refused_that_has_hosts_of_one_color_only(tmp_path: Path) -> None:
    answers = {**GOOD, "vms_only": True}
    job = run_job(tmp_path, "2.19", "fetch", inventory(), answers, slice_hosts=["green1"])
    assert asked(job) == {"green1"}, job.output


@pytest.mark.parametrize(
    ("core", "playbook", "limit", "reached"),
    [
        ("2.17", "site", "green1", {"green1"}),
        ("2.19", "site", "lb2", {"lb2"}),
        pytest.param("2.17", "fetch", "shop_green", {"green1", "green2"}, marks=LONG),
        pytest.param("2.19", "status", "lb1", {"lb1"}, marks=LONG),
    ],
)
def test_what_is_done_host_by_host_can_be_limited(
    tmp_path: Path, core: str, playbook: str, limit: str, reached: set[str]
) -> None:
    job = run_job(tmp_path, core, playbook, inventory(), GOOD if playbook == "fetch" else {}, "--limit", limit)
    assert asked(job) == reached, job.output
