"""What AWX is told against the playbooks that its jobs run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"


class _Loader(yaml.SafeLoader):
    """Takes ``!unsafe`` for the text that it marks."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
VARS: dict[str, Any] = yaml.load((ROOT / "roles/awx/vars/main.yml").read_text(), _Loader)
QUESTIONS: dict[str, Any] = VARS["__awx_questions"]
TEMPLATES = VARS["__awx_templates"] + VARS["__awx_sliced_templates"]
# Written by hand, as what a person at the command line may give.
TAKEN = ("service", "version", "rollout_strategy", "reversible", "resume", "takeover", "force", "at_once")


def sources(name: str) -> str:
    """The text of a playbook and of all that it imports and includes."""
    text = (PLAYBOOKS / name).read_text()
    for other in re.findall(r"(?:import_playbook|import_tasks|include_tasks): ([\w/]+\.yml)", text):
        text += sources(other)
    return text


def variable(question: str) -> str:
    return str(QUESTIONS[question]["variable"])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
def test_every_question_of_a_survey_is_one_that_its_playbook_reads(template: dict[str, Any]) -> None:
    if not template["survey"]:
        return
    text = sources(f"{template['playbook']}.yml")
    for question in template["survey"]:
        name = variable(question)
        assert name in TAKEN
        assert re.search(rf"{{{{.*\b{name}\b", text), f"{template['name']} asks for {name}, which nothing reads"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
def test_every_job_template_has_its_playbook_in_the_project_and_in_the_collection(template: dict[str, Any]) -> None:
    name = template["playbook"]
    (play,) = yaml.safe_load((ROOT / f"examples/project/playbooks/{name}.yml").read_text())
    assert play["ansible.builtin.import_playbook"] == f"sluice.bluegreen.{name}"
    assert (PLAYBOOKS / f"{name}.yml").is_file()


def test_the_project_has_a_wrapper_for_every_template_and_no_other() -> None:
    wrappers = {path.stem for path in (ROOT / "examples/project/playbooks").glob("*.yml")}
    assert wrappers == {template["playbook"] for template in TEMPLATES}


def test_only_what_works_on_a_part_of_the_fleet_is_sliced_or_limited() -> None:
    for template in TEMPLATES:
        options = template.get("options", {})
        parts = {"job_slice_count", "ask_limit_on_launch"} & set(options)
        assert not parts or template["playbook"] in ("site", "fetch"), template["name"]
        assert "bluegreen_needs: [" not in sources(f"{template['playbook']}.yml") or not parts


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_that_need_not_be_answered_has_an_empty_default(name: str) -> None:
    question = QUESTIONS[name]
    if not question["required"]:
        assert question["default"] == ""
    if question["type"] == "multiplechoice" and isinstance(question["choices"], list):
        assert question["default"] == question["choices"][0], "nothing is switched on by itself"
        assert all(isinstance(choice, str) for choice in question["choices"]), "AWX hands over texts"


def test_the_nodes_of_the_workflow_are_templates_and_lead_to_nodes() -> None:
    nodes = VARS["__awx_workflow"]["nodes"]
    names = {node["identifier"] for node in nodes}
    known = {template["name"] for template in TEMPLATES}
    for node in nodes:
        assert node.get("template", "Deploy") in known
        assert set(node.get("success", []) + node.get("failure", [])) <= names
    asked = {variable(question) for question in VARS["__awx_workflow"]["survey"]}
    for node in nodes:
        for template in TEMPLATES:
            if template["name"] == node.get("template"):
                needed = {
                    variable(q) for q in template["survey"] if QUESTIONS[q]["required"] and not QUESTIONS[q]["default"]
                }
                assert needed <= asked, f"{node['identifier']} would wait for {needed - asked}"


def test_no_play_ever_asks_a_person() -> None:
    for path in [*PLAYBOOKS.rglob("*.yml"), *(ROOT / "roles").rglob("tasks/**/*.yml")]:
        text = path.read_text()
        assert "vars_prompt" not in text, path
        assert not re.search(r"^\s*(- )?(ansible\.builtin\.)?pause:", text, re.MULTILINE), path
