"""A login is in the memory of the host while a module runs, and nowhere before or after."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._secrets import SEAL
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._registry_login import logged_in, registry_of

IMAGE = "registry.example.com/shop:2.1.0"
SEALED = {"name": "shop", "deploy": {"login": {"username": "robot", "password": SEAL}}}
WRITTEN = {"bluegreen_services": {"shop": {"deploy": {"login": {"username": "robot", "password": "hunter2"}}}}}


class Action:
    """An action plugin on a host that is this one."""

    def __init__(self, check_mode: bool = False) -> None:
        self._task = SimpleNamespace(check_mode=check_mode, environment=[{"PROXY": "none"}])
        self._templar = SimpleNamespace(template=lambda value: value)

    def _low_level_execute_command(self, script: str, in_data: bytes = b"", sudoable: bool = False) -> dict[str, Any]:
        ran = subprocess.run(["/bin/sh", "-c", script], input=in_data, capture_output=True, check=False)
        return {"rc": ran.returncode, "stdout": ran.stdout.decode(), "stderr": ran.stderr.decode()}


def folder_of(action: Action) -> Path:
    return Path(action._task.environment[-1]["DOCKER_CONFIG"])


def test_the_module_finds_the_login_and_nothing_of_it_is_left_after_a_failure_too() -> None:
    action = Action()
    with pytest.raises(OSError, match="no route"), logged_in(action, IMAGE, SEALED, WRITTEN):
        folder = folder_of(action)
        auth = json.loads((folder / "config.json").read_text())["auths"]["registry.example.com"]["auth"]
        assert base64.b64decode(auth) == b"robot:hunter2"
        assert (folder.stat().st_mode & 0o777, (folder / "config.json").stat().st_mode & 0o777) == (0o700, 0o600)
        raise OSError("no route")
    assert action._task.environment == [{"PROXY": "none"}]
    assert not folder.exists()


@pytest.mark.parametrize(
    ("service", "check_mode"), [({"name": "shop", "deploy": {}}, False), (SEALED, True)], ids=["no login", "check mode"]
)
def test_without_a_login_and_in_check_mode_nothing_is_done(service: dict[str, Any], check_mode: bool) -> None:
    action = Action(check_mode)
    with logged_in(action, IMAGE, service, WRITTEN):
        assert action._task.environment == [{"PROXY": "none"}]


def test_a_login_whose_secret_is_not_on_the_page_here_says_where_it_must_be() -> None:
    with (
        pytest.raises(InputError, match=r"deploy\.login\.password is not to be found on the page bluegreen_services"),
        logged_in(Action(), IMAGE, SEALED, {}),
    ):
        pytest.fail("the module must not run")


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        (IMAGE, "registry.example.com"),
        ("localhost/shop", "localhost"),
        ("127.0.0.1:5000/shop", "127.0.0.1:5000"),
        ("debian", "https://index.docker.io/v1/"),
        ("docker.io/library/debian", "https://index.docker.io/v1/"),
    ],
)
def test_a_registry_is_named_as_a_client_names_it(image: str, registry: str) -> None:
    assert registry_of(image) == registry
