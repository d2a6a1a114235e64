"""Hooks: their secrets are sealed and opened again, and a container gets what the service's own has."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _hooks
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError

WEBHOOK: dict[str, Any] = {
    "name": "team",
    "kind": "webhook",
    "timeout": 300,
    "webhook": {"url": "https://x/hush1", "retries": 3, "secret": "hush2", "token": "hush3", "headers": {"A": "hush4"}},
}
CONTAINER: dict[str, Any] = {
    "name": "migrate",
    "kind": "container",
    "timeout": 60,
    "container": {"command": ["./manage", "migrate"], "env": {"PASSWORD": "hush5"}},
}
SETTINGS = {
    "name": "shop-green-hook",
    "image": "shop:v2",
    "image_of": "shop-green-v2",
    "docker_host": "unix:///run/docker.sock",
    "env": {"A": "1", "B": "2"},
    "labels": {"x": "y"},
}


@pytest.mark.parametrize("hook", [WEBHOOK, CONTAINER], ids=["webhook", "container"])
def test_a_sealed_hook_has_no_secret_and_opens_to_what_it_was(hook: dict[str, Any]) -> None:
    (sealed,) = _hooks.seal({"on_rollback": [hook]})["on_rollback"]
    assert "hush" not in str(sealed)
    assert _hooks.unseal(sealed, hook, "shop", "on_rollback") == hook
    assert all(secret in str(hook) for secret in _hooks.secrets_in(hook))
    assert "hush" in "".join(_hooks.secrets_in(hook))


def test_the_short_form_of_a_container_has_nothing_to_open() -> None:
    short = {**CONTAINER, "container": {"command": ["x"], "env": {}}}
    written = {"name": "migrate", "container": ["x"]}
    assert _hooks.unseal(_hooks.seal({"p": [short]})["p"][0], written, "shop", "p") == short


@pytest.mark.parametrize("page", [None, {}, {"webhook": {"url": "https://x"}}])
def test_a_secret_that_is_not_on_the_page_is_named(page: Any) -> None:
    (sealed,) = _hooks.seal({"on_rollback": [WEBHOOK]})["on_rollback"]
    with pytest.raises(InputError, match=r"the secret hooks.on_rollback team: webhook\.\w+ is not to be found"):
        _hooks.unseal(sealed, page, "shop", "on_rollback")


def test_a_container_is_the_services_own_with_the_hooks_command_and_removed_names_do_not_matter() -> None:
    told = {"service": "shop", "stage": 2, "split": 25.0, "stable": ""}
    found = _hooks.container_arguments(CONTAINER, told, SETTINGS)
    assert found["env"] == {
        "A": "1",
        "B": "2",
        "PASSWORD": "hush5",
        "SLUICE_SERVICE": "shop",
        "SLUICE_STAGE": "2",
        "SLUICE_SPLIT": "25.0",
    }
    assert (found["image"], found["labels"], found["command"]) == ("shop:v2", {"x": "y"}, ["./manage", "migrate"])
    assert (found["detach"], found["restart_policy"], found["recreate"]) == (False, "no", True)
    assert "image_of" not in found, "the engine's module does not know it"
    assert found["timeout"] > CONTAINER["timeout"], "the engine's answer comes when the command has ended"


def test_a_command_runs_in_the_image_of_the_versions_own_container() -> None:
    listed = [{"name": "shop-green-v1", "image_id": "sha256:1"}, {"name": "shop-green-v2", "image_id": "sha256:2"}]
    assert _hooks.image_of({"containers": listed}, "shop-green-v2") == "sha256:2"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"containers": []}, "there is no container shop-green-v2"),
        ({"failed": True, "msg": "no engine answers"}, "no engine answers"),
    ],
)
def test_a_command_without_an_image_is_told_why(answer: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=f"no image to run in: {why}"):
        _hooks.image_of(answer, "shop-green-v2")


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"changed": True, "status": 0, "container": {"Output": "fine"}}, None),
        (
            {"failed": True, "status": 3, "msg": "no table hush5\n", "container": {"Output": "no table hush5\n"}},
            "ended with exit status 3: no table ***",
        ),
        ({"failed": True, "msg": "No such image"}, "No such image"),
        ({"failed": True, "status": 1, "msg": ""}, "ended with exit status 1: it said nothing"),
        ({"unreachable": True, "msg": "no answer in 60 s"}, "was not over after 60 s, its timeout, and was ended"),
        ({"unreachable": True, "msg": "Connection refused"}, "Connection refused"),
    ],
)
def test_a_command_that_failed_is_told_by_its_status_and_output_without_secrets(answer: Any, wanted: Any) -> None:
    assert _hooks.container_problem(answer, 60, ["hush5"]) == wanted
