"""``playbooks/awx.yml`` with the modules of ``awx.awx``, against a stand-in for the API of AWX."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import real_ansible
from awx_job import CORES, PROJECT, mostly
from fake_awx import TOKEN, FakeAwx
from real_ansible import Run, run
from site_files import inventory

SETTINGS: dict[str, Any] = {
    "awx_project_url": "https://git.example.com/releases.git",
    "awx_execution_environment_image": "registry.example.com/bluegreen-ee:1",
    "awx_execution_environment_pull": "always",
    "awx_execution_environment_credential": "registry",
    "awx_credentials": ["ssh to the fleet"],
    "awx_slices": 3,
    "awx_team": "Releasers",
    "awx_notifications": [
        {
            "name": "chat",
            "type": "webhook",
            "events": ["error", "approval"],
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
# With two templates, so that it takes seconds.
SMALL: dict[str, Any] = {
    "awx_project_url": "https://git.example.com/releases.git",
    "__awx_templates": [
        {"name": "Site", "playbook": "site", "survey": [], "release": False},
        {"name": "Deploy", "playbook": "deploy", "survey": ["service", "reversible"], "release": True},
    ],
    "__awx_workflow": {"name": "Flow", "survey": ["service"], "nodes": []},
}


@dataclass(frozen=True)
class Full:
    """An AWX, and the ansible-core that made what it has."""

    awx: FakeAwx
    core: str


@pytest.fixture
def awx() -> Iterator[FakeAwx]:
    """An AWX with what a person made, and nothing else."""
    playbooks = [f"playbooks/{path.name}" for path in (PROJECT / "playbooks").iterdir()]
    server = FakeAwx(playbooks, {"ssh to the fleet": "ssh", "registry": "registry"})
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=mostly("2.17"))
def full(request: pytest.FixtureRequest, awx: FakeAwx, tmp_path_factory: pytest.TempPathFactory) -> Full:
    """An AWX with all that :data:`SETTINGS` ask for, made with each ansible-core."""
    _make_once(tmp_path_factory, awx, SETTINGS, f"full-{request.param}", request.param)
    return Full(awx, request.param)


@pytest.fixture
def small(awx: FakeAwx, tmp_path_factory: pytest.TempPathFactory) -> FakeAwx:
    """An AWX with what :data:`SMALL` ask for."""
    _make_once(tmp_path_factory, awx, SMALL, "small", "2.19")
    return awx


def _make_once(
    factory: pytest.TempPathFactory, awx: FakeAwx, settings: Mapping[str, Any], name: str, core: str
) -> None:
    """Once for all processes of pytest, since it takes a while."""
    base = factory.getbasetemp()
    state = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"awx-{name}.json"
    with state.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not state.exists():
            done = play(factory.mktemp(name), awx, settings, core=core)
            assert done.status == 0, done.output
            state.write_text(awx.state())
    awx.put_back(state.read_text())


def play(folder: Path, awx: FakeAwx, settings: Mapping[str, Any], *options: str, core: str = "2.19") -> Run:
    """Run it; ``awx.writes`` are then what this run wrote."""
    awx.writes.clear()
    with pytest.MonkeyPatch.context() as patch:
        # Some forty modules one after the other, which on a machine that is busy takes a while.
        patch.setattr(real_ansible, "LIMIT", 600)
        patch.setattr(real_ansible, "BIN", CORES[core])
        patch.setenv("CONTROLLER_HOST", awx.url)
        patch.setenv("CONTROLLER_OAUTH_TOKEN", TOKEN)
        return run(folder, "sluice.bluegreen.awx", inventory(), settings, *options)


def rights(awx: FakeAwx) -> set[tuple[str, str]]:
    """What the team may do: names of things, and of their roles."""
    (team,) = awx.things["teams"]
    roles = {
        role["id"]: (item["name"], name)
        for items in awx.things.values()
        for item in items
        for name, role in item["summary_fields"]["object_roles"].items()
    }
    return {
        roles[int(path.split("/")[1])]
        for path, members in awx.lists.items()
        if path.startswith("roles/") and team["id"] in members
    }
