"""The hooks of a service's page: what is read, and what is refused with its key and the way out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._hooks import PHASES
from ansible_collections.sluice.bluegreen.plugins.module_utils._page_hooks import hooks
from ansible_collections.sluice.bluegreen.plugins.module_utils._schema import Problem, Reader

URL = "https://chat.example.com/hush"


def read(given: Any) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    return hooks(Reader({"hooks": given}, "", problems)), problems


def sound(given: Any) -> dict[str, Any]:
    found, problems = read(given)
    assert problems == []
    return found


def test_a_page_without_hooks_has_an_empty_list_for_every_phase() -> None:
    assert sound(None) == {phase: [] for phase in PHASES}


def test_every_kind_is_completed_with_its_defaults() -> None:
    found = sound(
        {
            "before_deploy": [
                {"name": "migrate", "container": ["./manage", "migrate"]},
                {"name": "look", "container": {"command": ["env"], "env": {"PASSWORD": "x", "N": 3}}, "timeout": "10m"},
            ],
            "after_stage": [{"name": "smoke", "tasks": "hooks/smoke.yml", "when_failed": "warn"}],
            "on_rollback": [{"name": "tell the team", "webhook": {"url": URL, "secret": "s", "token": "t"}}],
        }
    )
    common = {"timeout": 300, "when_failed": "fail"}
    assert found["before_deploy"] == [
        {
            "name": "migrate",
            **common,
            "kind": "container",
            "container": {"command": ["./manage", "migrate"], "env": {}},
        },
        {
            "name": "look",
            "timeout": 600,
            "when_failed": "fail",
            "kind": "container",
            "container": {"command": ["env"], "env": {"PASSWORD": "x", "N": "3"}},
        },
    ]
    assert found["after_stage"] == [
        {"name": "smoke", "timeout": 300, "when_failed": "warn", "kind": "tasks", "tasks": "hooks/smoke.yml"}
    ]
    sent = {"url": URL, "retries": 3, "token": "t", "secret": "s"}
    assert found["on_rollback"] == [{"name": "tell the team", **common, "kind": "webhook", "webhook": sent}]


@pytest.mark.parametrize(
    ("given", "key", "wanted"),
    [
        ({"before_deploi": []}, "hooks.before_deploi", "did you mean 'before_deploy'?"),
        ({"before_deploy": {}}, "hooks.before_deploy", "not a list of dictionaries"),
        ({"before_deploy": ["x"]}, "hooks.before_deploy[0]", "'x' is a text, not a dictionary"),
        ({"after_stage": [{"tasks": "a.yml"}]}, "hooks.after_stage[0].name", "is missing"),
        ({"after_stage": [{"name": "a/b", "tasks": "a.yml"}]}, "hooks.after_stage[0].name", "does not fit"),
        (
            {"after_stage": [{"name": "a"}]},
            "hooks.after_stage[0]",
            "give either 'tasks', 'container' or 'webhook', not",
        ),
        (
            {"after_stage": [{"name": "a", "tasks": "a.yml", "container": ["x"]}]},
            "hooks.after_stage[0]",
            "only one of them",
        ),
        ({"after_stage": [{"name": "a", "tasks": "a.sh"}]}, "hooks.after_stage[0].tasks", "such as hooks/smoke.yml"),
        ({"after_stage": [{"name": "a", "container": "x"}]}, "hooks.after_stage[0].container", "is not a list"),
        ({"after_stage": [{"name": "a", "container": {}}]}, "hooks.after_stage[0].container.command", "is missing"),
        (
            {"after_stage": [{"name": "a", "container": {"command": ["x"], "env": {"A": True}}}]},
            "hooks.after_stage[0].container.env.A",
            "is a boolean, not a text",
        ),
        ({"after_stage": [{"name": "a", "webhook": {}}]}, "hooks.after_stage[0].webhook.url", "is missing"),
        (
            {"after_stage": [{"name": "a", "webhook": {"url": URL, "secret": ""}}]},
            "hooks.after_stage[0].webhook.secret",
            "is not a text",
        ),
        ({"after_stage": [{"name": "a", "tasks": "a.yml", "timeout": "7h"}]}, "hooks.after_stage[0].timeout", "range"),
        (
            {"after_stage": [{"name": "a", "tasks": "a.yml", "when_failed": "ignore"}]},
            "hooks.after_stage[0].when_failed",
            "Known values: fail, warn",
        ),
        ({"after_stage": [{"name": "a", "tasks": "a.yml"}] * 2}, "hooks.after_stage", "two are called 'a'"),
    ],
)
def test_what_is_wrong_is_told_with_its_key_and_the_way_out(given: Any, key: str, wanted: str) -> None:
    _found, problems = read(given)
    told = {problem.key: problem.text for problem in problems}
    assert key in told, problems
    assert wanted in told[key]
    assert "hush" not in str(problems)
