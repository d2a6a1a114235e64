"""What a person answers in a survey, and what AWX and each ansible-core make of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from awx_job import CORES, run_job, survey
from site_files import inventory

# What YAML takes for a text, however it is written.
TEXTS = ["v1.20", "1.20.0", "2.1.0-rc.1", "20260101-1", '"1.20"', "'007'", '"null"', '"2026-01-01"', '"on"']
# What it takes for something else where nothing marks it as a text.
OTHERS = ["1.20", "007", "null", "2026-01-01", "on", "1_000", "0x1f", "12345678", "No"]


@pytest.mark.parametrize("core", CORES)
def test_a_version_never_becomes_another_one(tmp_path: Path, core: str) -> None:
    for number, answer in enumerate(TEXTS + OTHERS):
        (tmp_path / f"{number}.yml").write_text(survey({"version": answer}))
    one = [
        {"ansible.builtin.include_vars": "{{ file }}"},
        {
            "name": "Read",
            "sluice.bluegreen.service_info": {
                "service": "shop",
                "version": "{{ version | default('') }}",
                "require_version": True,
            },
            "ignore_errors": True,
        },
    ]
    (tmp_path / "one.yml").write_text(yaml.safe_dump(one))
    files = [str(tmp_path / f"{number}.yml") for number in range(len(TEXTS + OTHERS))]
    each = {
        "ansible.builtin.include_tasks": str(tmp_path / "one.yml"),
        "loop": files,
        "loop_control": {"loop_var": "file"},
    }
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [each]}]
    job = run_job(tmp_path, core, "probe", inventory(), {}, plays=plays)
    results = [
        event["event_data"]["res"]
        for event in job.events
        if event["event"] in ("runner_on_ok", "runner_on_failed") and event["event_data"]["task"] == "Read"
    ]
    assert len(results) == len(files), job.output
    got = dict(zip(TEXTS + OTHERS, results, strict=True))
    for answer, result in got.items():
        if "service" in result:
            assert result["service"]["version"] == answer.strip("\"'"), f"{answer} became another version"
        else:
            assert "quotes around the answer too" in result["msg"], f"{answer}: {result['msg']}"
    assert all("service" in got[answer] for answer in TEXTS), "the way out is one"
    refused = [answer for answer in OTHERS if "service" not in got[answer]]
    assert refused == ([] if core == "2.17" else OTHERS)


def test_an_answer_that_is_another_version_stops_a_release_before_anything_else(tmp_path: Path) -> None:
    job = run_job(tmp_path, "2.19", "release", inventory(), {"service": "shop", "version": "1.20"})
    assert (job.status, job.changed) == ("failed", [])
    assert "service shop: the version came as a number, 1.2, and not as a text." in job.problems
    assert job.artifacts == {}
