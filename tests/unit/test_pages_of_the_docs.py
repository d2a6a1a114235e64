"""What the docs show to be copied is read without a problem."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.sluice.bluegreen.plugins.module_utils import _page
from ansible_collections.sluice.bluegreen.plugins.module_utils._hooks import KINDS, PHASES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REST = {
    "image": "registry.example.com/shop",
    "hosts": {"blue": "shop_blue", "green": "shop_green"},
    "container": {"port": 8080},
    "health": {"path": "/healthz"},
    "listen": {"bind": "*:80"},
}


def pages(name: str) -> list[dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(bluegreen_services:.*?)```", (DOCS / name).read_text(), re.DOTALL)
    return [yaml.safe_load(block)["bluegreen_services"]["shop"] for block in blocks]


@pytest.mark.parametrize("name", ["hooks.md", "retire.md", "data.md"])
def test_a_page_of_the_docs_is_sound(name: str) -> None:
    shown = pages(name)
    assert shown
    for page in shown:
        _found, problems = _page.read("shop", {**REST, **page})
        assert problems == []


def test_the_docs_have_an_example_of_every_phase_and_kind() -> None:
    (page,) = pages("hooks.md")
    found, _problems = _page.read("shop", {**REST, **page})
    assert all(found["hooks"][phase] for phase in PHASES)
    assert {hook["kind"] for hooks in found["hooks"].values() for hook in hooks} == set(KINDS)
    told = (DOCS / "hooks.md").read_text()
    assert all(f"| `{phase}` |" in told for phase in PHASES)


def test_the_variables_for_awx_are_those_of_its_role() -> None:
    (block,) = re.findall(r"```yaml\n# releases/awx\.yml\n(.*?)```", (DOCS / "awx.md").read_text(), re.DOTALL)
    specs = yaml.safe_load((ROOT / "roles/awx/meta/argument_specs.yml").read_text())
    found = ArgumentSpecValidator(specs["argument_specs"]["main"]["options"]).validate(yaml.safe_load(block))
    assert found.error_messages == []


def test_the_navigator_of_the_example_project_runs_the_image_that_is_built() -> None:
    settings = yaml.safe_load((ROOT / "examples/project/ansible-navigator.yml").read_text())
    image = settings["ansible-navigator"]["execution-environment"]["image"]
    name, _, tag = image.partition(":")
    assert (f"-t {name}\n" in (DOCS / "awx.md").read_text(), tag) == (True, "latest")
