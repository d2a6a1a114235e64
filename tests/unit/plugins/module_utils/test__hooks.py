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
    "image": "",
    "image_of": "shop-green-v2",
    "docker_host": "unix:///run/docker.sock",
    "page": {"port": 8080, "env": {"A": "1", "B": "2"}, "memory": "64m", "entrypoint": ["/serve"]},
    "labels": {"x": "y"},
}


@pytest.mark.parametrize("hook", [WEBHOOK, CONTAINER], ids=["webhook", "container"])
def test_a_sealed_hook_has_no_secret_and_opens_to_what_it_was(hook: dict[str, Any]) -> None:
    (sealed,) = _hooks.seal({"on_rollback": [hook]})["on_rollback"]
    assert "hush" not in str(sealed)
    assert _hooks.unseal(sealed, hook, "shop", "on_rollback") == hook
    assert all(secret in str(hook) for secret in _hooks.secrets_in(hook, {}))
    assert "hush" in "".join(_hooks.secrets_in(hook, {}))


def test_a_file_is_a_secret_as_a_whole_and_so_is_each_of_its_lines() -> None:
    found = _hooks.secrets_in(CONTAINER, {"pem": "BEGIN\nhush6\nEND\n", "key": "hush7\n"})
    assert found[0] == "BEGIN\nhush6\nEND", "the longest first"
    assert set(found[1:]) == {"BEGIN", "hush5", "hush6", "hush7"}


def test_the_short_form_of_a_container_has_nothing_to_open() -> None:
    short = {**CONTAINER, "container": {"command": ["x"], "env": {}}}
    written = {"name": "migrate", "container": ["x"]}
    assert _hooks.unseal(_hooks.seal({"p": [short]})["p"][0], written, "shop", "p") == short


@pytest.mark.parametrize("page", [None, {}, {"webhook": {"url": "https://x"}}])
def test_a_secret_that_is_not_on_the_page_is_named(page: Any) -> None:
    (sealed,) = _hooks.seal({"on_rollback": [WEBHOOK]})["on_rollback"]
    with pytest.raises(InputError, match=r"the secret hooks.on_rollback team: webhook\.\w+ is not to be found"):
        _hooks.unseal(sealed, page, "shop", "on_rollback")


def test_a_container_is_the_services_own_with_the_hooks_command_and_environment() -> None:
    told = {"service": "shop", "stage": 2, "split": 25.0, "stable": ""}
    found = _hooks.container_arguments(CONTAINER, told, SETTINGS, "shop:v2", True)
    assert found["env"] == {
        "A": "1",
        "B": "2",
        "PASSWORD": "hush5",
        "SLUICE_SERVICE": "shop",
        "SLUICE_STAGE": "2",
        "SLUICE_SPLIT": "25.0",
    }
    assert (found["image"], found["labels"], found["command"]) == ("shop:v2", {"x": "y"}, ["./manage", "migrate"])
    assert (found["state"], found["restart_policy"], found["recreate"]) == ("present", "no", True)
    assert (found["memory"], found["volumes"]) == ("64m", ["/var/lib/sluice/secrets/shop-green-hook:/run/secrets:ro"])
    assert {"image_of", "page", "port", "entrypoint", "published_ports"}.isdisjoint(found)


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
        ({"changed": True, "status": 0, "output": "fine"}, None),
        (
            {"failed": True, "status": 3, "msg": "the command ended", "output": "no table hush5\n"},
            "ended with exit status 3: no table ***",
        ),
        (
            {"failed": True, "timed_out": True, "status": None, "msg": "the command was", "output": "waiting\n"},
            "was not over after 60 s, its timeout, and was ended: waiting",
        ),
        (
            {"failed": True, "timed_out": True, "status": None, "msg": "the command was", "output": ""},
            "was not over after 60 s, its timeout, and was ended",
        ),
        ({"failed": True, "status": None, "msg": "no such file: hush5", "output": ""}, "no such file: ***"),
        ({"failed": True, "msg": "No such image"}, "No such image"),
        (
            {"failed": True, "status": 1, "msg": "the command ended", "output": ""},
            "ended with exit status 1: it said nothing",
        ),
        ({"unreachable": True, "msg": "no answer in 60 s"}, "was not over after 60 s, its timeout, and was ended"),
        ({"unreachable": True, "msg": "Connection refused"}, "Connection refused"),
    ],
)
def test_a_command_that_failed_is_told_by_its_status_and_output_without_secrets(answer: Any, wanted: Any) -> None:
    assert _hooks.container_problem(answer, 60, ["hush5"]) == wanted


def test_a_secret_at_the_place_where_a_long_output_is_cut_does_not_show_in_part() -> None:
    output = "hush5-and-more" + "x" * (_hooks.OUTPUT_LIMIT - 4)
    told = _hooks.container_problem({"failed": True, "status": 1, "output": output}, 60, ["hush5-and-more"])
    assert told and "more" not in told
