"""What ``playbooks/awx.yml`` makes of an empty AWX, and that it does so once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from awx_play import SETTINGS, Full, awx, full, play, rights, small
from fake_awx import FakeAwx, Item
from test_awx_webhook import VERSIONS

__all__ = ["awx", "full", "small"]

RELEASE = {"Fetch", "Deploy", "Preview", "Rollout", "Release", "Promote", "Rollback", "Abort", "Status"}
OTHERS = {"Site", "Retire", "Site of VMs", "Release by webhook"}
APPROVAL = "Bluegreen Release with approval"


@pytest.fixture
def filled(full: Full) -> FakeAwx:
    return full.awx


def asked(awx: FakeAwx, kind: str, name: str) -> dict[str, Item]:
    """The questions of a survey by their variables."""
    survey = awx.surveys.get(f"{kind}/{awx.named(kind)[name]['id']}/survey_spec", {"spec": []})
    return {question["variable"]: question for question in survey["spec"]}


def listed(awx: FakeAwx, kind: str, item: Item, what: str) -> list[str]:
    """The names of what an object has of another kind."""
    of = what if what in awx.things else "notification_templates"
    names = {other["id"]: other["name"] for other in awx.things[of]}
    return [names[number] for number in awx.lists.get(f"{kind}/{item['id']}/{what}", [])]


def test_every_job_template_runs_from_the_project_with_the_same_inventory_environment_and_credentials(
    filled: FakeAwx,
) -> None:
    templates = filled.named("job_templates")
    assert set(templates) == {f"Bluegreen {name}" for name in RELEASE | OTHERS}
    (project,), (inventory,), (environment,) = (
        filled.things[kind] for kind in ("projects", "inventories", "execution_environments")
    )
    for name, item in templates.items():
        assert item["project"] == project["id"], name
        assert item["inventory"] == inventory["id"], name
        assert item["execution_environment"] == environment["id"], name
        assert listed(filled, "job_templates", item, "credentials") == ["ssh to the fleet"], name
        assert item["playbook"] in project["playbooks"], name
        assert item["allow_simultaneous"] is ("Site" not in name), name
        assert item["forks"] == 20, name
    assert (environment["image"], environment["pull"]) == ("registry.example.com/bluegreen-ee:1", "always")
    assert environment["credential"] == filled.named("credentials")["registry"]["id"]
    assert project["default_environment"] == environment["id"]


def test_a_launch_asks_for_what_the_survey_says_and_for_nothing_that_would_change_more(filled: FakeAwx) -> None:
    templates = filled.named("job_templates")
    assert not any(item["ask_variables_on_launch"] for item in templates.values()), (
        "who releases could set any variable"
    )
    checked = {"Site", "Release", "Retire"}
    for option, names in (
        ("ask_limit_on_launch", {"Site"}),
        ("ask_job_type_on_launch", checked),
        ("diff_mode", checked),
    ):
        assert {name for name, item in templates.items() if item.get(option)} == {f"Bluegreen {name}" for name in names}
    slices = {name for name, item in templates.items() if item.get("job_slice_count") == SETTINGS["awx_slices"]}
    assert slices == {"Bluegreen Fetch", "Bluegreen Site of VMs"}
    assert json.loads(templates["Bluegreen Site of VMs"]["extra_vars"]) == {"vms_only": True}
    release = asked(filled, "job_templates", "Bluegreen Release")
    assert list(release) == ["service", "version", "rollout_strategy", "reversible", "resume"]
    assert (release["service"]["choices"], release["version"]["type"]) == (["shop"], "text")
    retire = asked(filled, "job_templates", "Bluegreen Retire")
    assert (list(retire), retire["at_once"]["default"]) == (["service", "at_once"], "false")
    for name, item in templates.items():
        assert item.get("survey_enabled", False) is bool(asked(filled, "job_templates", name)), name


def test_the_inventory_comes_from_the_project_before_each_job(filled: FakeAwx) -> None:
    ((project,), (inventory,), (source,)) = (
        filled.things[kind] for kind in ("projects", "inventories", "inventory_sources")
    )
    assert (project["scm_type"], project["scm_url"]) == ("git", SETTINGS["awx_project_url"])
    assert project["scm_update_on_launch"] is True
    assert inventory["kind"] == ""
    assert (source["inventory"], source["source_project"]) == (inventory["id"], project["id"])
    assert (source["source"], source["source_path"]) == ("scm", "inventories/prod")
    assert (source["update_on_launch"], source["overwrite"], source["overwrite_vars"]) == (True, True, True)
    assert source["execution_environment"] == filled.things["execution_environments"][0]["id"]


def test_a_webhook_gives_the_job_a_template_of_the_version(filled: FakeAwx) -> None:
    webhook = filled.named("job_templates")["Bluegreen Release by webhook"]
    assert (webhook["webhook_service"], webhook["playbook"]) == ("github", "playbooks/release.yml")
    assert json.loads(webhook["extra_vars"]) == {"service": "shop", "version": VERSIONS["github"]}


def test_the_workflow_waits_a_day_for_an_approval(filled: FakeAwx) -> None:
    nodes = {item["id"]: item for item in filled.things["workflow_job_template_nodes"]}
    links = {
        (node["identifier"], kind, nodes[to]["identifier"])
        for number, node in nodes.items()
        for kind in ("success", "failure")
        for to in filled.lists.get(f"workflow_job_template_nodes/{number}/{kind}_nodes", [])
    }
    assert links == {
        ("deploy", "success", "preview"),
        ("preview", "success", "approval"),
        ("preview", "failure", "abort"),
        ("approval", "success", "rollout"),
        ("approval", "failure", "abort"),
    }
    (approval,) = filled.things["workflow_approval_templates"]
    assert (approval["name"], approval["timeout"]) == ("Bluegreen Move the traffic to the new version", 86400)
    launched = {item["id"]: name for name, item in filled.named("job_templates").items()}
    launched[approval["id"]] = "a person"
    assert {node["identifier"]: launched[node["unified_job_template"]] for node in nodes.values()} == {
        "deploy": "Bluegreen Deploy",
        "preview": "Bluegreen Preview",
        "approval": "a person",
        "rollout": "Bluegreen Rollout",
        "abort": "Bluegreen Abort",
    }
    assert list(asked(filled, "workflow_job_templates", APPROVAL)) == [
        "service",
        "version",
        "rollout_strategy",
        "reversible",
    ]


def test_a_notification_is_sent_when_its_settings_say(filled: FakeAwx) -> None:
    (sent,) = filled.things["notification_templates"]
    assert (sent["name"], sent["notification_type"]) == ("Bluegreen chat", "webhook")
    for kind in ("job_templates", "workflow_job_templates"):
        for name, item in filled.named(kind).items():
            told = {
                when: listed(filled, kind, item, f"notification_templates_{when}")
                for when in ("started", "success", "error", "approvals")
            }
            approvals = ["Bluegreen chat"] if name == APPROVAL else []
            assert told == {"started": [], "success": [], "error": ["Bluegreen chat"], "approvals": approvals}, name


def test_the_team_launches_and_approves_releases_and_may_do_nothing_else(filled: FakeAwx) -> None:
    execute = {(f"Bluegreen {name}", "execute_role") for name in RELEASE | {"Release with approval"}}
    assert rights(filled) == execute | {(APPROVAL, "approval_role")}


def test_what_is_there_is_left_alone(tmp_path: Path, full: Full) -> None:
    again = play(tmp_path, full.awx, SETTINGS, core=full.core)
    assert again.status == 0, again.output
    assert (full.awx.writes, again.changed) == ([], [])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"awx_project_url": ""}, "awx_project_url is empty; give the URL of the Git repository"),
        ({"awx_services": []}, "bluegreen_services is empty; run this with the inventory that has the services"),
        ({"awx_webhook": {"service": "github", "release": "shpo"}}, "a release, which is one of shop"),
        ({"awx_webhook": {"service": "github", "release": "shop", "credential": "status"}}, "awx_webhook.credential"),
    ],
)
def test_what_is_missing_or_unknown_is_said_before_anything_is_made(
    tmp_path: Path, awx: FakeAwx, change: dict[str, Any], text: str
) -> None:
    done = play(tmp_path, awx, {**SETTINGS, **change})
    assert text in done.problems[0].msg
    assert awx.writes == []


def test_little_is_enough(small: FakeAwx) -> None:
    assert set(small.things) == {
        "organizations",
        "credentials",
        "projects",
        "inventories",
        "inventory_sources",
        "job_templates",
        "workflow_job_templates",
    }
    assert not {"default_environment", "credential"} & set(small.things["projects"][0])
