# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every provider keeps the contract, and every example of a fleet that a person may copy is one that is accepted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sluice.bluegreen.plugins.module_utils._provision import SIZE, fleet

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "provision"
PROVIDERS: dict[str, Any] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROLE / "vars" / "providers").glob("*.yml"))
}
EXAMPLES = [
    found["bluegreen_fleet"]
    for text in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "provision.md").read_text(encoding="utf-8"), re.S)
    if "bluegreen_fleet" in (found := yaml.safe_load(text))
]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_has_its_three_entry_points(name: str) -> None:
    for entry in ("check", "create", "destroy"):
        assert (ROLE / "tasks" / name / f"{entry}.yml").is_file(), f"{name} has no {entry}.yml"


def test_every_folder_of_tasks_is_a_provider() -> None:
    assert {path.name for path in (ROLE / "tasks").iterdir() if path.is_dir()} == set(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_a_provider_says_of_itself_is_what_the_contract_knows(name: str) -> None:
    about = PROVIDERS[name]
    assert set(about) <= {"makes", "takes", "host_keys", "needs", "options"}
    assert set(about["takes"]) <= set(SIZE.values())
    assert set(about.get("needs", {})) <= {"collections", "python"}
    for key, option in about["options"].items():
        assert option.get("description"), f"{name}: {key} has no description"


def test_the_docs_have_an_example_for_every_provider() -> None:
    assert {example.get("provider") for example in EXAMPLES} >= set(PROVIDERS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["provider"])
def test_every_example_of_the_docs_is_accepted(example: dict[str, Any]) -> None:
    groups = {
        name: [f"{name}{number}" for number in range(group.get("count", 1))]
        for name, group in example["groups"].items()
    }
    found = fleet(example, PROVIDERS, groups, "inventories/prod")
    assert len(found["hosts"]) == sum(len(hosts) for hosts in groups.values())
