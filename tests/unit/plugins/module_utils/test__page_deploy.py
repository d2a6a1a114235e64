"""What a page says of the image and of its way to the VMs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._page_deploy import budget, read_build, read_deploy
from ansible_collections.sluice.bluegreen.plugins.module_utils._schema import Problem, Reader


def deploy(**page: Any) -> tuple[dict[str, Any], list[str]]:
    problems: list[Problem] = []
    found = read_deploy(Reader({"deploy": page}, "", problems), "shop", "v2")
    return found, [": ".join(problem) for problem in problems]


def build(page: Any) -> tuple[Any, list[str]]:
    problems: list[Problem] = []
    return read_build(Reader({"build": page}, "", problems)), [": ".join(problem) for problem in problems]


def test_a_page_that_says_nothing_takes_the_registry_all_vms_at_once_and_three_images() -> None:
    assert deploy()[0] == {
        "source": "registry",
        "archive": "",
        "sha256": None,
        "login": None,
        "verify": None,
        "serial": "100%",
        "max_failures": 0,
        "keep_images": 3,
    }


def test_numbers_and_per_cent_of_vms_are_taken_as_ansible_takes_them() -> None:
    found, problems = deploy(serial="25%", max_failures=2)
    assert (found["serial"], found["max_failures"], problems) == ("25%", 2, [])
    assert deploy(serial=5)[0]["serial"] == 5


@pytest.mark.parametrize(
    ("max_failures", "vms", "allowed"), [(0, 8, 0), (2, 8, 2), ("25%", 8, 2), ("25%", 7, 1), ("10%", 8, 0)]
)
def test_a_budget_in_per_cent_is_rounded_down(max_failures: Any, vms: int, allowed: int) -> None:
    assert budget(max_failures, vms) == allowed


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"serial": 0}, "deploy.serial: 0 is out of range; write a number of VMs such as 2, or per cent"),
        ({"serial": "half"}, "deploy.serial: 'half' is not a whole number"),
        ({"max_failures": "150%"}, "deploy.max_failures: 150 is out of range"),
        ({"keep_images": 0}, "deploy.keep_images: 0 is out of range"),
        ({"login": {"username": "ci"}}, "deploy.login.password: is missing or no text"),
        ({"login": {"username": "ci", "password": 4.5}}, "deploy.login.password: is missing or no text"),
        ({"login": {"password": "x"}}, "deploy.login.username: is missing; write who logs in"),
        (
            {"archive": "{version}.tar", "login": {"username": "a", "password": "b"}},
            "deploy.login: belongs to a registry",
        ),
        ({"sha256": "a" * 64}, "deploy.sha256: is that of an archive"),
        ({"archive": "{version}.tar", "sha256": "xyz"}, "deploy.sha256: 'xyz' does not fit; write the 64 hex digits"),
        ({"verify": {}}, "deploy.verify.command: is missing; write the command as a list of words"),
        ({"verify": {"command": "cosign verify"}}, "deploy.verify.command: 'cosign verify' does not fit"),
        ({"verify": {"command": ["true"], "on": "moon"}}, "deploy.verify.on: 'moon' is not known"),
    ],
)
def test_a_way_of_deploying_is_refused_with_its_key_and_the_way_out(page: dict[str, Any], message: str) -> None:
    _found, problems = deploy(**page)
    assert any(problem.startswith(message) for problem in problems), problems


def test_the_password_is_in_no_message() -> None:
    _found, problems = deploy(login={"password": "hunter2"})
    assert problems and "hunter2" not in str(problems)


def test_a_page_without_build_is_not_built_and_one_with_it_is_completed() -> None:
    assert build(None) == (None, [])
    assert build({"args": {"TZ": "UTC"}})[0] == {
        "context": ".",
        "dockerfile": "Dockerfile",
        "args": {"TZ": "UTC"},
        "target": None,
        "host": "localhost",
        "network": None,
        "pull": True,
    }
    assert build({"host": "builder"})[1] == ["build.context: '.' is a folder on builder; write its whole path, from /"]
    assert build({"arguments": {}})[1][0].startswith("build.arguments: unknown key")
