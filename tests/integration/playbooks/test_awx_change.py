"""``playbooks/awx.yml`` on an AWX that it was run on before: what changes, and what a dry run says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from awx_job import LONG, mostly
from awx_play import SETTINGS, SMALL, Full, awx, full, play, rights, small
from fake_awx import FakeAwx, Item
from real_ansible import Run

__all__ = ["awx", "full", "small"]

KEPT = ["Bluegreen Deploy", "Bluegreen Site"]


def changes(done: Run) -> list[str]:
    assert done.status == 0, done.output
    return [one.task.rpartition(" : ")[2] for one in done.changed]


def survey(awx: FakeAwx, name: str) -> Item:
    """The first question of a job template."""
    question: Item = awx.surveys[f"job_templates/{awx.named('job_templates')[name]['id']}/survey_spec"]["spec"][0]
    return question


def test_a_new_service_and_a_question_that_was_edited_in_awx_are_put_right_once(tmp_path: Path, small: FakeAwx) -> None:
    survey(small, "Bluegreen Deploy")["question_description"] = "What?"
    settings = {**SMALL, "awx_services": ["shop", "cart"]}
    assert changes(play(tmp_path, small, settings)) == ["Make one for each playbook", "Make the workflow"]
    question = survey(small, "Bluegreen Deploy")
    assert (question["choices"], question["question_description"]) == (["shop", "cart"], "Which service")
    assert (changes(play(tmp_path, small, settings)), small.writes) == ([], [])


@LONG
def test_what_no_job_updates_is_updated_where_something_has_changed(tmp_path: Path, small: FakeAwx) -> None:
    by_hand = {**SMALL, "awx_update_on_launch": False}
    small.playbooks.append("playbooks/new.yml")
    assert changes(play(tmp_path, small, by_hand)) == [
        "Make the project",
        "Let it come from the project",
        "Update the inventory",
    ]
    small.playbooks.append("playbooks/newer.yml")
    more = {**by_hand, "awx_services": ["shop", "cart"]}
    updated = ["Make one for each playbook", "Update the project", "Update the inventory", "Make the workflow"]
    assert changes(play(tmp_path, small, more)) == updated
    assert "playbooks/newer.yml" in small.things["projects"][0]["playbooks"]
    assert (changes(play(tmp_path, small, more)), small.writes) == ([], [])


@LONG
@pytest.mark.parametrize("core", mostly("2.17"))
def test_a_playbook_that_is_new_in_the_repository_is_seen_before_its_template_is_made(
    tmp_path: Path, small: FakeAwx, core: str
) -> None:
    small.things["projects"][0].update(scm_revision="older", playbooks=["playbooks/site.yml"])
    small.delete(["job_templates", str(small.named("job_templates")["Bluegreen Deploy"]["id"])])
    expected = ["Update the project where AWX has not seen all of its playbooks", "Make one for each playbook"]
    dry = play(tmp_path, small, SMALL, "--check", core=core)
    assert (changes(dry), small.writes) == (expected, [])
    assert changes(play(tmp_path, small, SMALL, core=core)) == expected
    assert sorted(small.named("job_templates")) == KEPT
    assert (changes(play(tmp_path, small, SMALL, core=core)), small.writes) == ([], [])


@LONG
def test_the_job_templates_of_a_webhook_and_of_slices_go_with_their_settings(tmp_path: Path, small: FakeAwx) -> None:
    more = {**SMALL, "awx_slices": 2, "awx_webhook": {"service": "gitlab", "release": "shop"}}
    assert play(tmp_path, small, more).status == 0
    assert set(small.named("job_templates")) == {*KEPT, "Bluegreen Release by webhook", "Bluegreen Site of VMs"}
    done = play(tmp_path, small, SMALL)
    assert changes(done) == ["Take away those that are not wanted any more"]
    assert sorted(small.named("job_templates")) == KEPT
    assert (changes(play(tmp_path, small, SMALL)), small.writes) == ([], [])


@LONG
def test_the_right_to_release_without_an_approval_comes_and_goes_with_its_setting(
    tmp_path: Path, small: FakeAwx
) -> None:
    rollout = {
        "name": "Rollout",
        "playbook": "rollout",
        "survey": ["service"],
        "release": True,
        "without_approval": True,
    }
    free = {**SMALL, "awx_team": "Releasers", "__awx_templates": [*SMALL["__awx_templates"], rollout]}
    bound = {**free, "awx_team_needs_approval": True}
    all_of_it = {("Bluegreen Deploy", "execute_role"), ("Bluegreen Rollout", "execute_role")}
    for _ in range(2):
        assert play(tmp_path, small, free).status == 0
        assert {right for right in rights(small) if right[0] != "Flow"} == all_of_it
        assert changes(play(tmp_path, small, bound)) == ["Take away what would pass the approval by"]
        assert {right for right in rights(small) if right[0] != "Flow"} == {("Bluegreen Deploy", "execute_role")}
        assert (changes(play(tmp_path, small, bound)), small.writes) == ([], [])


@LONG
def test_another_organization_may_have_the_same_names(tmp_path: Path, small: FakeAwx) -> None:
    other = small.add("organizations", {"name": "Other"})
    for kind in ("job_templates", "workflow_job_templates", "projects"):
        for item in list(small.things[kind]):
            small.add(kind, {**item, "organization": other["id"]})
    assert (changes(play(tmp_path, small, SMALL)), small.writes) == ([], [])


@pytest.mark.parametrize("core", mostly("2.19"))
def test_a_dry_run_on_an_empty_awx_says_what_it_would_begin_with(tmp_path: Path, awx: FakeAwx, core: str) -> None:
    done = play(tmp_path, awx, SETTINGS, "--check", core=core)
    assert changes(done) == [
        "Make the execution environment",
        "Make the project",
        "Make the inventory",
        "Make the notifications",
        "Make the workflow",
        "Make the team",
    ]
    assert awx.writes == []


@LONG
@pytest.mark.parametrize("full", ["2.17"], indirect=True)
def test_a_dry_run_where_nothing_is_missing_says_so(tmp_path: Path, full: Full) -> None:
    done = play(tmp_path, full.awx, SETTINGS, "--check", core=full.core)
    assert (changes(done), full.awx.writes) == ([], [])


@LONG
@pytest.mark.parametrize(
    ("full", "missing", "expected"),
    [
        pytest.param(
            "2.17",
            [
                ("notification_templates", "Bluegreen chat"),
                ("job_templates", "Bluegreen Preview"),
                ("job_templates", "Bluegreen Site of VMs"),
                ("teams", "Releasers"),
            ],
            ["Make the notifications", "Make one for each playbook", "Make the team"],
        ),
        (
            "2.19",
            [
                ("execution_environments", "Bluegreen execution environment"),
                ("job_templates", "Bluegreen Release by webhook"),
                ("workflow_job_templates", "Bluegreen Release with approval"),
            ],
            ["Make the execution environment", "Make the one that a webhook launches", "Make the workflow"],
        ),
    ],
    indirect=["full"],
)
def test_a_dry_run_says_what_is_missing(
    tmp_path: Path, full: Full, missing: list[tuple[str, str]], expected: list[str]
) -> None:
    for kind, name in missing:
        full.awx.delete([kind, str(full.awx.named(kind)[name]["id"])])
    done = play(tmp_path, full.awx, SETTINGS, "--check", core=full.core)
    assert (changes(done), full.awx.writes) == (expected, [])
