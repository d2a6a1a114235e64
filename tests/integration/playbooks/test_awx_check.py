"""Jobs of AWX of type check: what would be done, and nothing is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from awx_fleet import Fleet, Machines, fleet, site, v1_serves, v2_deployed, v2_paused, v2_serves
from awx_job import LONG, mostly

__all__ = ["fleet", "site"]


@pytest.mark.parametrize(
    ("core", "playbook", "outcome"),
    [("2.17", "deploy", "deployed"), ("2.19", "release", "promoted")],
)
@LONG
def test_a_version_that_would_be_deployed_is_not_asked_whether_it_is_healthy(
    fleet: Fleet, core: str, playbook: str, outcome: str
) -> None:
    v1_serves(fleet.machines)
    fleet.nobody_is_healthy()
    moves_nothing(fleet, core, playbook, outcome, version="v3")


@pytest.mark.parametrize(
    ("core", "playbook", "before", "outcome"),
    [
        pytest.param("2.17", "rollout", v2_deployed, "promoted", marks=LONG),
        pytest.param("2.19", "promote", v2_paused, "promoted", marks=LONG),
        ("2.17", "rollback", v2_serves, "reverted"),
        ("2.19", "rollback", v2_serves, "reverted"),
        pytest.param("2.17", "abort", v2_deployed, "aborted", marks=LONG),
        pytest.param("2.19", "abort", v2_deployed, "aborted", marks=LONG),
        pytest.param("2.17", "retire", v2_serves, "retired", marks=LONG),
        pytest.param("2.19", "retire", v2_serves, "retired", marks=LONG),
    ],
)
def test_a_job_of_type_check_tells_what_it_would_come_to_and_moves_nothing(
    fleet: Fleet, core: str, playbook: str, before: Callable[[Machines], None], outcome: str
) -> None:
    before(fleet.machines)
    moves_nothing(fleet, core, playbook, outcome)


def moves_nothing(fleet: Fleet, core: str, playbook: str, outcome: str, **given: str) -> None:
    stood = fleet.moved
    job = fleet.launch(core, playbook, "--check", "--diff", given=given)
    assert (job.status, job.outcome) == ("successful", outcome), job.output
    assert f"shop: check mode, nothing was done; it would be {outcome}: " in job.output
    assert fleet.moved == stood


@pytest.mark.parametrize("core", mostly("2.19"))
@pytest.mark.parametrize(("playbook", "given"), [("status", {}), ("preview", {}), ("fetch", {"version": "v3"})])
def test_what_only_looks_or_fetches_moves_nothing_either(
    fleet: Fleet, core: str, playbook: str, given: dict[str, str]
) -> None:
    v2_deployed(fleet.machines)
    stood = fleet.moved
    job = fleet.launch(core, playbook, "--check", "--diff", given=given)
    assert job.status == "successful", job.output
    assert fleet.moved == stood
