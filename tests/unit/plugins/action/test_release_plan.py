"""Who is named as the owner of a release."""

from __future__ import annotations

import getpass
import socket
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.action.release_plan import owner


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"awx_job_id": 42, "awx_user_name": "alice"}, "alice@awx-job-42"),
        ({"tower_job_id": 42, "tower_user_name": "bob"}, "bob@awx-job-42"),
        ({"awx_job_id": 42}, "schedule@awx-job-42"),
        ({}, f"{getpass.getuser()}@{socket.gethostname()}"),
    ],
)
def test_the_owner_is_a_job_and_its_user_or_a_person_on_a_host(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], expected: str
) -> None:
    monkeypatch.delenv("AWX_HOST", raising=False)
    assert owner(told) == expected


def test_a_job_that_no_variable_tells_of_is_known_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_HOST", "https://awx.example.com")
    monkeypatch.setenv("JOB_ID", "7")
    assert owner({}) == "schedule@awx-job-7"
