"""What a job that a webhook launches makes of the payload, which AWX hands over as it came."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx_job import CORES, run_job, survey
from real_ansible import ROOT
from site_files import inventory


class _Loader(yaml.SafeLoader):
    """Takes ``!unsafe`` for the text that it marks."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
# test_awx_playbook.py sees that AWX gets them as they are.
VERSIONS: dict[str, str] = yaml.load((ROOT / "roles/awx/vars/main.yml").read_text(), _Loader)["__awx_payload_versions"]
TAGS = ("v2.1.0", "1.20", "007", "2026-01-01", "null", "on", "1_000")
NO_TAGS = ("{{lookup('pipe','id')}}", "{{1+1}}", '1.0"')


def brought(payload: dict[str, Any], event: str = "release") -> dict[str, Any]:
    """What AWX adds to the variables of a job template whose webhook was called."""
    return {
        "awx_webhook_event_type": event,
        "awx_webhook_event_guid": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
        "awx_webhook_status_api": None,
        "awx_webhook_payload": payload,
    }


def payload(service: str, action: str, tag: str) -> dict[str, Any]:
    """As much of it as is looked at, and the name, which is no tag."""
    site = f"https://{service}.example.com/org/shop"
    if service == "github":
        release = {"tag_name": tag, "html_url": f"{site}/releases/tag/{tag}", "name": "Summer", "draft": False}
        return {"action": action, "release": release}
    return {"object_kind": "release", "action": action, "tag": tag, "url": f"{site}/-/releases/{tag}", "name": "Summer"}


def template(service: str) -> dict[str, str]:
    return {"service": "shop", "version": VERSIONS[service]}


def read_each(folder: Path, core: str, cases: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What one job makes of the version in each call: of which service the template is, and what AWX brings."""
    files = []
    for number, (service, extra) in enumerate(cases):
        files.append(str(folder / f"{number}.yml"))
        Path(files[-1]).write_text(survey(extra, template(service)))
    version = {"service": "shop", "version": "{{ version | default('') }}", "require_version": True}
    one = [
        {"ansible.builtin.include_vars": "{{ file }}"},
        {"name": "Read", "sluice.bluegreen.service_info": version, "ignore_errors": True},
    ]
    (folder / "one.yml").write_text(yaml.safe_dump(one))
    each = {
        "ansible.builtin.include_tasks": str(folder / "one.yml"),
        "loop": files,
        "loop_control": {"loop_var": "file"},
    }
    job = run_job(
        folder, core, "probe", inventory(), {}, plays=[{"hosts": "localhost", "gather_facts": False, "tasks": [each]}]
    )
    results = [data["res"] for data in job.done if data["task"] == "Read"]
    assert len(results) == len(cases), job.output
    return results


@pytest.mark.parametrize("core", CORES)
def test_the_tag_of_a_published_release_is_the_version_to_the_letter(tmp_path: Path, core: str) -> None:
    cases = [
        (service, brought(payload(service, action, tag)))
        for tag in TAGS
        for service, action in (("github", "published"), ("gitlab", "create"))
    ]
    results = read_each(tmp_path, core, cases)
    got = [result.get("service", result)["version"] for result in results]
    assert got == [tag for tag in TAGS for _service in ("github", "gitlab")]


@pytest.mark.parametrize("core", CORES)
def test_a_tag_that_is_no_version_is_refused_and_never_a_template(tmp_path: Path, core: str) -> None:
    results = read_each(tmp_path, core, [("github", brought(payload("github", "published", tag))) for tag in NO_TAGS])
    for tag, result in zip(NO_TAGS, results):
        assert "service" not in result, tag
        assert tag in result["msg"]


@pytest.mark.parametrize(("core", "service", "action"), [("2.17", "gitlab", "create"), ("2.19", "github", "published")])
def test_a_job_reads_the_tag_from_what_awx_brings(tmp_path: Path, core: str, service: str, action: str) -> None:
    read = {"sluice.bluegreen.service_info": {"service": "{{ service }}", "version": "{{ version }}"}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Read", **read}]}]
    extra = brought(payload(service, action, "1.20"))
    job = run_job(tmp_path, core, "probe", inventory(), extra, plays=plays, template=template(service))
    assert job.status == "successful", job.output
    assert [data["res"]["service"]["version"] for data in job.done if data["task"] == "Read"] == ["1.20"]


EARLY = payload("github", "published", "1.20")
EARLY["release"]["prerelease"] = True
OTHERS = [
    ("github", "release", EARLY),
    ("github", "release", payload("github", "edited", "1.20")),
    ("github", "release", payload("github", "created", "1.20")),
    ("github", "release", payload("github", "released", "1.20")),
    ("github", "release", payload("github", "deleted", "1.20")),
    ("github", "ping", {"zen": "Design for failure.", "hook_id": 1}),
    ("github", "package", {"action": "published", "package": {"name": "shop"}}),
    ("gitlab", "Release Hook", payload("gitlab", "update", "1.20")),
    ("gitlab", "Release Hook", payload("gitlab", "delete", "1.20")),
    ("gitlab", "Tag Push Hook", {"object_kind": "tag_push", "ref": "refs/tags/1.20"}),
]


def told(service: str, event: str, data: dict[str, Any]) -> str:
    no_more = " that is no pre-release" if service == "github" else ""
    action = data.get("action", "none")
    return f"The event was {event}, its action {action}; only a published release{no_more} is released."


@pytest.mark.parametrize("core", CORES)
def test_any_other_event_is_named(tmp_path: Path, core: str) -> None:
    results = read_each(tmp_path, core, [(service, brought(data, event)) for service, event, data in OTHERS])
    for other, result in zip(OTHERS, results):
        assert told(*other) in result["msg"]


@pytest.mark.parametrize(("core", "other"), [("2.17", OTHERS[8]), ("2.19", OTHERS[0])])
def test_any_other_event_ends_the_job_before_anything_is_asked(
    tmp_path: Path, core: str, other: tuple[str, str, dict[str, Any]]
) -> None:
    service, event, data = other
    job = run_job(tmp_path, core, "release", inventory(), brought(data, event), template=template(service))
    assert job.status == "failed", job.output
    assert told(service, event, data) in job.problems
    assert {one["host"] for one in job.done} == {"localhost"}
    assert (job.changed, job.artifacts) == ([], {})
