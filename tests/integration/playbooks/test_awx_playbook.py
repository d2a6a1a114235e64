"""``playbooks/awx.yml`` with the modules of ``awx.awx``, against a stand-in for the API of AWX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_ansible
from awx_job import PROJECT
from fake_awx import TOKEN, FakeAwx
from real_ansible import Run, run
from site_files import inventory

SETTINGS: dict[str, Any] = {
    "awx_project_url": "https://git.example.com/releases.git",
    "awx_execution_environment_image": "registry.example.com/bluegreen-ee:1",
    "awx_credentials": ["ssh to the fleet"],
    "awx_slices": 3,
    "awx_team": "Releasers",
    "awx_notifications": [
        {
            "name": "chat",
            "type": "webhook",
            "on": ["error", "approval"],
            "configuration": {
                "url": "https://chat.example.com/hook",
                "headers": {"Content-Type": "application/json"},
                "http_method": "POST",
                "disable_ssl_verification": False,
                "username": "",
                "password": "",
            },
        }
    ],
    "awx_webhook": {"service": "github", "release": "shop"},
}


@pytest.fixture
def awx(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAwx]:
    playbooks = [f"playbooks/{path.name}" for path in (PROJECT / "playbooks").iterdir()]
    server = FakeAwx(playbooks, ["ssh to the fleet"])
    # Some thirty modules one after the other, which on a machine that is busy takes a while.
    monkeypatch.setattr(real_ansible, "LIMIT", 600)
    monkeypatch.setenv("CONTROLLER_HOST", server.url)
    monkeypatch.setenv("CONTROLLER_OAUTH_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()


def play(folder: Path, **changes: Any) -> Run:
    return run(folder, "sluice.bluegreen.awx", inventory(), {**SETTINGS, **changes})


def test_an_empty_awx_gets_everything_and_is_left_alone_the_second_time(tmp_path: Path, awx: FakeAwx) -> None:
    first = play(tmp_path)
    assert first.status == 0, first.output
    templates = awx.named("job_templates")
    names = (
        "Site",
        "Fetch",
        "Deploy",
        "Preview",
        "Rollout",
        "Release",
        "Promote",
        "Rollback",
        "Abort",
        "Status",
        "Retire",
    )
    extra = ("Site of VMs", "Release by webhook")
    assert set(templates) == {f"Bluegreen {name}" for name in (*names, *extra)}
    release = templates["Bluegreen Release"]
    (spec,) = (survey for path, survey in awx.surveys.items() if path == f"job_templates/{release['id']}/survey_spec")
    asked = {question["variable"]: question for question in spec["spec"]}
    assert list(asked) == ["service", "version", "rollout_strategy", "reversible", "resume"]
    assert (asked["service"]["choices"], asked["version"]["type"]) == (["shop"], "text")
    assert release["ask_variables_on_launch"] is False, "who releases could set any variable"
    assert [templates[f"Bluegreen {name}"]["job_slice_count"] for name in ("Fetch", "Site of VMs", "Rollout")] == [
        3,
        3,
        1,
    ]
    webhook = templates["Bluegreen Release by webhook"]
    assert "{{ awx_webhook_payload.release.tag_name }}" in webhook["extra_vars"], "it is for the job to template"
    assert links(awx) == {
        ("deploy", "success", "preview"),
        ("preview", "success", "approval"),
        ("preview", "failure", "abort"),
        ("approval", "success", "rollout"),
        ("approval", "failure", "abort"),
    }
    assert may_execute(awx) == {
        f"Bluegreen {name}" for name in (*names, "Release with approval") if name not in ("Site", "Retire")
    }

    awx.writes.clear()
    second = play(tmp_path)
    assert second.status == 0, second.output
    assert (awx.writes, second.changed) == ([], [])


def links(awx: FakeAwx) -> set[tuple[str, str, str]]:
    nodes = {item["id"]: item["identifier"] for item in awx.things["workflow_job_template_nodes"]}
    return {
        (nodes[number], kind, nodes[to])
        for number in nodes
        for kind in ("success", "failure")
        for to in awx.lists.get(f"workflow_job_template_nodes/{number}/{kind}_nodes", [])
    }


def may_execute(awx: FakeAwx) -> set[str]:
    (team,) = awx.things["teams"]
    return {
        item["name"]
        for kind in ("job_templates", "workflow_job_templates")
        for item in awx.things[kind]
        if team["id"]
        in awx.lists.get(f"roles/{item['summary_fields']['object_roles']['execute_role']['id']}/teams", [])
    }


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"awx_project_url": ""}, "awx_project_url is empty; give the URL of the Git repository"),
        ({"awx_services": []}, "bluegreen_services is empty; run this with the inventory that has the services"),
        ({"awx_webhook": {"service": "github", "release": "shpo"}}, "a release, which is one of shop"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_made(
    tmp_path: Path, awx: FakeAwx, change: dict[str, Any], text: str
) -> None:
    done = play(tmp_path, **change)
    assert text in done.problems[0].msg
    assert awx.writes == []


def test_little_is_enough(tmp_path: Path, awx: FakeAwx) -> None:
    """With one template, so that the defaults are seen in a few seconds."""
    one = {"name": "Site", "playbook": "site", "survey": [], "release": False}
    less = {"__awx_templates": [one], "__awx_workflow": {"name": "Flow", "survey": ["service"], "nodes": []}}
    url = "https://git.example.com/releases.git"
    done = run(tmp_path, "sluice.bluegreen.awx", inventory(), {"awx_project_url": url, **less})
    assert done.status == 0, done.output
    assert set(awx.things) == {
        "organizations",
        "credentials",
        "projects",
        "inventories",
        "inventory_sources",
        "job_templates",
        "workflow_job_templates",
    }
    assert not {"default_environment", "credential"} & set(awx.things["projects"][0])
