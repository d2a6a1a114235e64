"""What a job that a webhook launches makes of the payload, which AWX hands over as it came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from awx_job import CORES, LONG, run_job
from real_ansible import ROOT
from site_files import inventory


class _Loader(yaml.SafeLoader):
    """Takes ``!unsafe`` for the text that it marks."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
# test_awx_playbook.py sees that AWX gets them as they are.
VERSIONS: dict[str, str] = yaml.load((ROOT / "roles/awx/vars/main.yml").read_text(), _Loader)["__awx_payload_versions"]
PROBE = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Read",
                "sluice.bluegreen.service_info": {
                    "service": "{{ service }}",
                    "version": "{{ version | default('') }}",
                    "require_version": True,
                },
            }
        ],
    }
]


MORE_TAGS = ("007", "2026-01-01", "null", "on", "1_000")


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


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("service", "action"), [("github", "published"), ("gitlab", "create")])
@pytest.mark.parametrize("tag", ["v2.1.0", "1.20", *(pytest.param(tag, marks=LONG) for tag in MORE_TAGS)])
def test_the_tag_of_a_published_release_is_the_version_to_the_letter(
    tmp_path: Path, core: str, service: str, action: str, tag: str
) -> None:
    extra = brought(payload(service, action, tag))
    job = run_job(tmp_path, core, "probe", inventory(), extra, plays=PROBE, template=template(service))
    assert job.status == "successful", job.output
    (read,) = (data["res"]["service"]["version"] for data in job.done if data["task"] == "Read")
    assert read == tag


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(
    "tag", ["{{lookup('pipe','id')}}", *(pytest.param(tag, marks=LONG) for tag in ("{{1+1}}", '1.0"'))]
)
def test_a_tag_that_is_no_version_is_refused_and_never_a_template(tmp_path: Path, core: str, tag: str) -> None:
    extra = brought(payload("github", "published", tag))
    job = run_job(tmp_path, core, "probe", inventory(), extra, plays=PROBE, template=template("github"))
    assert job.status == "failed", job.output
    assert tag in job.problems


EARLY = payload("github", "published", "1.20")
EARLY["release"]["prerelease"] = True
OTHERS = [
    ("github", "release", EARLY),
    ("github", "release", payload("github", "edited", "1.20")),
    ("github", "ping", {"zen": "Design for failure.", "hook_id": 1}),
    ("gitlab", "Release Hook", payload("gitlab", "delete", "1.20")),
    *(
        pytest.param(*other, marks=LONG)
        for other in (
            ("github", "release", payload("github", "created", "1.20")),
            ("github", "release", payload("github", "deleted", "1.20")),
            ("github", "package", {"action": "published", "package": {"name": "shop"}}),
            ("gitlab", "Release Hook", payload("gitlab", "update", "1.20")),
            ("gitlab", "Tag Push Hook", {"object_kind": "tag_push", "ref": "refs/tags/1.20"}),
        )
    ),
]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("service", "event", "data"), OTHERS)
def test_any_other_event_is_named_and_ends_the_job_before_anything_is_asked(
    tmp_path: Path, core: str, service: str, event: str, data: dict[str, Any]
) -> None:
    extra = brought(data, event)
    job = run_job(tmp_path, core, "release", inventory(), extra, template=template(service))
    assert job.status == "failed", job.output
    no_more = " that is no pre-release" if service == "github" else ""
    action = data.get("action", "none")
    told = f"The event was {event}, its action {action}; only a published release{no_more} is released."
    assert told in job.problems
    hosts = {one["host"] for one in job.done}
    assert hosts == {"localhost"}
    assert (job.changed, job.artifacts) == ([], {})
