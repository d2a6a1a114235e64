"""Jobs of AWX with nothing but the answers of their surveys, each to its good end."""

from __future__ import annotations

from typing import Any

import pytest
from awx_fleet import Fleet, fleet, site, v1_serves, v2_deployed, v2_paused, v2_serves
from awx_job import CORES, LONG, Job, answers, mostly, run_job
from balancer_machine import STABLE
from test_never_stranded import GREEN, all_on

__all__ = ["fleet", "site"]

# It is a number to YAML, and so in quotes that are no part of it.
VERSION = '"1.20"'


@pytest.mark.parametrize(
    ("core", "artifact"),
    [
        pytest.param("2.17", {}, marks=LONG),
        ("2.19", {"service": "till", "version": "0.9", "release_id": "r0"}),
    ],
)
def test_a_deployment_and_the_rollout_after_it_take_their_input_from_the_answers_and_not_from_an_artifact(
    fleet: Fleet, core: str, artifact: dict[str, Any]
) -> None:
    """``artifact``: how that of another deployment in the workflow differs."""
    v1_serves(fleet.machines)
    deployed = fleet.launch(core, "deploy", given={"version": VERSION})
    assert (deployed.status, deployed.outcome) == ("successful", "deployed"), deployed.output
    result = deployed.artifacts["bluegreen_result"]
    for engine in fleet.green.values():
        assert engine.running == ["shop-green-1.20"], engine.orders
    all_on(fleet.machines, STABLE)

    # A workflow hands all of its answers to every node.
    given = {**answers("rollout", rollout_strategy="50,100"), "version": VERSION, "reversible": "true"}
    given["bluegreen_result"] = {**result, **artifact}
    rolled_out = run_job(fleet.folder, core, "rollout", fleet.site, given)
    assert (rolled_out.status, rolled_out.outcome) == ("successful", "promoted"), rolled_out.output
    told = rolled_out.artifacts["bluegreen_result"]
    assert (told["service"], told["version"], told["release_id"]) == ("shop", "1.20", result["release_id"])
    all_on(fleet.machines, GREEN)
    assert fleet.orders("blue") == []


@LONG
def test_a_rollout_in_a_workflow_takes_what_that_one_deployed_and_no_release_that_came_after_it(fleet: Fleet) -> None:
    v2_deployed(fleet.machines)
    before = fleet.moved
    artifact = {"service": "shop", "version": "v2", "release_id": "r1", "outcome": "deployed"}
    given = {**answers("rollout"), "version": "v2", "reversible": "true", "bluegreen_result": artifact}
    late = run_job(fleet.folder, "2.19", "rollout", fleet.site, given)
    assert (late.status, late.code) == ("failed", 2), late.output
    assert "release r1, which was to be rolled out, is not in progress any more" in late.problems
    assert fleet.moved == before


def test_an_abort_in_a_workflow_gives_up_what_that_one_deployed_and_no_release_that_came_after_it(fleet: Fleet) -> None:
    v2_deployed(fleet.machines)
    before = fleet.moved

    def denied(release_id: str) -> Job:
        artifact = {"service": "shop", "version": "v2", "release_id": release_id, "outcome": "deployed"}
        given = {**answers("abort"), "version": "v2", "reversible": "true", "bluegreen_result": artifact}
        return run_job(fleet.folder, "2.19", "abort", fleet.site, given)

    late = denied("r1")
    assert (late.status, late.code) == ("failed", 2), late.output
    assert "release r1, which was to be given up, is not in progress any more; what is, is release r2" in late.problems
    assert fleet.moved == before
    job = denied("r2")
    assert (job.status, job.outcome) == ("successful", "aborted"), job.output
    all_on(fleet.machines, STABLE)


@pytest.mark.parametrize("core", mostly("2.19"))
def test_an_artifact_of_another_playbook_keeps_nobody_from_giving_up_a_release(fleet: Fleet, core: str) -> None:
    v2_deployed(fleet.machines)
    given = {**answers("abort"), "bluegreen_result": {"fleet": "shop", "hosts": []}}
    job = run_job(fleet.folder, core, "abort", fleet.site, given)
    assert (job.status, job.outcome) == ("successful", "aborted"), job.output


@LONG
@pytest.mark.parametrize("core", ["2.17"])
def test_a_release_goes_to_its_promotion(fleet: Fleet, core: str) -> None:
    v1_serves(fleet.machines)
    job = fleet.launch(core, "release", given={"version": VERSION, "rollout_strategy": "50,100"})
    assert (job.status, job.outcome) == ("successful", "promoted"), job.output
    all_on(fleet.machines, GREEN)
    assert [engine.running for engine in fleet.green.values()] == [["shop-green-1.20"]] * 2


@LONG
@pytest.mark.parametrize("core", CORES)
def test_a_promotion_goes_on_from_a_pause(fleet: Fleet, core: str) -> None:
    v2_paused(fleet.machines)
    job = fleet.launch(core, "promote")
    assert (job.status, job.outcome) == ("successful", "promoted"), job.output
    all_on(fleet.machines, GREEN)


@pytest.mark.parametrize("core", mostly("2.17"))
def test_a_rollback_goes_to_the_version_that_is_kept_warm(fleet: Fleet, core: str) -> None:
    v2_serves(fleet.machines)
    job = fleet.launch(core, "rollback")
    assert (job.status, job.outcome) == ("successful", "reverted"), job.output
    all_on(fleet.machines, STABLE)
    assert fleet.orders("blue") == fleet.orders("green") == []


@LONG
@pytest.mark.parametrize("core", CORES)
def test_a_retirement_stops_the_color_that_lost_its_traffic(fleet: Fleet, core: str) -> None:
    v2_serves(fleet.machines)
    job = fleet.launch(core, "retire")
    assert (job.status, job.outcome) == ("successful", "retired"), job.output
    all_on(fleet.machines, GREEN)
    assert [engine.running for engine in fleet.blue.values()] == [[], []]
    assert fleet.orders("green") == []


@pytest.mark.parametrize(("core", "service"), [("2.17", "shop"), ("2.19", "")])
def test_a_status_tells_of_one_service_and_where_none_is_chosen_of_all(fleet: Fleet, core: str, service: str) -> None:
    v2_deployed(fleet.machines)
    fleet.has("till")
    job = fleet.launch(core, "status", given={"service": service})
    assert (job.status, job.changed) == ("successful", []), job.output
    told = {data["task"] for data in job.done if data["task"] in ("shop", "till")}
    assert told == ({service} if service else {"shop", "till"}), job.output


def test_a_status_tells_of_the_other_services_where_site_has_not_been_run_for_one(fleet: Fleet) -> None:
    """The one comes first, by its name."""
    v2_deployed(fleet.machines)
    page = fleet.site["all"]["vars"]["bluegreen_services"]
    page["absent"] = {**page["shop"], "container": {"port": 8080, "publish": 9081}, "listen": {"bind": "*:81"}}
    job = fleet.launch("2.19", "status")
    assert (job.status, job.changed) == ("failed", []), job.output
    assert "no backend absent with servers. Run sluice.bluegreen.site for this service" in job.problems
    assert any("shop: blue serves v1" in str(data["res"].get("msg")) for data in job.done), job.output


@pytest.mark.parametrize("core", mostly("2.17"))
def test_a_fetch_brings_the_image_to_every_vm_and_no_more(fleet: Fleet, core: str) -> None:
    v1_serves(fleet.machines)
    job = fleet.launch(core, "fetch", given={"version": VERSION})
    assert job.status == "successful", job.output
    for engine in (*fleet.blue.values(), *fleet.green.values()):
        assert engine.orders == ["POST /images/create"]
    all_on(fleet.machines, STABLE)


@pytest.mark.parametrize(
    ("core", "playbook", "question"),
    [
        ("2.17", "rollback", "takeover"),
        pytest.param("2.19", "abort", "takeover", marks=LONG),
        pytest.param("2.19", "rollback", "force", marks=LONG),
        pytest.param("2.17", "deploy", "reversible", marks=LONG),
        ("2.19", "release", "resume"),
        ("2.17", "retire", "at_once"),
    ],
)
def test_a_choice_that_is_neither_true_nor_false_is_refused_before_anything_changes(
    fleet: Fleet, core: str, playbook: str, question: str
) -> None:
    v2_deployed(fleet.machines)
    before = fleet.moved
    version = {"version": VERSION} if playbook in ("deploy", "release") else {}
    job = fleet.launch(core, playbook, given={question: "maybe", **version})
    assert (job.status, job.code, job.changed) == ("failed", 2, []), job.output
    assert f"argument '{question}' is of type" in job.problems
    assert "'maybe' is not a valid boolean" in job.problems
    assert fleet.moved == before
