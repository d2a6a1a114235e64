# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Molecule would pass over in silence: each of its files that is missing, misplaced or empty."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from molecule.constants import DEFAULT_CONFIG
from molecule.util import merge_dicts

ROOT = Path(__file__).resolve().parents[3]
MOLECULE = ROOT / "molecule"
FILES = sorted(MOLECULE.glob("*/molecule.yml"))
SCENARIOS = [path.parent for path in FILES if path.parent.name != "default"]
# Those with hosts of their own make and remove them themselves, and are not run unless asked for.
OWN = [folder for folder in SCENARIOS if (folder / "inventory").is_dir()]
SHARED = [folder for folder in SCENARIOS if folder not in OWN]
# By step the playbook that it runs, by its key in `ansible.playbooks`.
PLAYBOOK_OF = {"check": "converge", "idempotence": "converge", "syntax": "converge"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def config(folder: Path) -> dict[str, Any]:
    """The configuration of a scenario as Molecule puts it together."""
    shared = merge_dicts(DEFAULT_CONFIG, load(MOLECULE / "shared" / "config.yml"))
    return dict(merge_dicts(shared, load(folder / "molecule.yml")))


def steps(folder: Path) -> list[tuple[str, list[str]]]:
    """Each step of the sequence with its arguments."""
    return [(action, words) for action, *words in (step.split() for step in sequence(folder))]


def sequence(folder: Path) -> list[str]:
    found: list[str] = config(folder)["scenario"]["test_sequence"]
    return found


def playbooks(folder: Path) -> Iterator[Path]:
    """Every playbook that the sequence runs, where Molecule looks for it."""
    named = config(folder)["ansible"]["playbooks"]
    for action, words in steps(folder):
        if action == "verify":
            continue
        if action == "side_effect":
            # Without this one, Molecule skips those that are named as well.
            yield folder / named["side_effect"]
            yield from (folder / word for word in words)
        else:
            yield folder / named[PLAYBOOK_OF.get(action, action)]


def test_every_folder_with_a_converge_is_a_scenario() -> None:
    assert len(SCENARIOS) >= 4
    assert {path.parent for path in MOLECULE.glob("*/converge.yml")} == set(SCENARIOS)


def test_the_shared_configuration_is_no_scenario_itself() -> None:
    assert not (MOLECULE / "shared" / "molecule.yml").exists()


def test_shared_state_has_the_scenario_that_creates_and_destroys() -> None:
    assert all(config(folder)["shared_state"] for folder in SHARED)
    assert sequence(MOLECULE / "default") == ["create", "destroy"]


@pytest.mark.parametrize("folder", OWN, ids=lambda folder: folder.name)
def test_hosts_of_its_own_are_created_and_destroyed_and_looked_at_through_its_own_inventory(folder: Path) -> None:
    page = config(folder)
    assert page["shared_state"] is False
    assert all((folder / page["ansible"]["playbooks"][step]).is_file() for step in ("create", "destroy"))
    arguments = page["ansible"]["executor"]["args"]["ansible_playbook"]
    assert f"--inventory=${{MOLECULE_PROJECT_DIRECTORY}}/molecule/{folder.name}/inventory" in arguments
    shared = load(MOLECULE / "shared" / "config.yml")
    assert page["verifier"]["options"]["ansible-inventory"] != shared["verifier"]["options"]["ansible-inventory"]


@pytest.mark.parametrize("folder", [path.parent for path in FILES], ids=lambda folder: folder.name)
def test_every_playbook_of_the_sequence_exists(folder: Path) -> None:
    assert [str(path.relative_to(ROOT)) for path in playbooks(folder) if not path.is_file()] == []


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_no_step_is_used_that_the_runner_or_shared_state_takes_care_of(folder: Path) -> None:
    assert {action for action, _words in steps(folder)} & {"create", "prepare", "destroy", "cleanup"} == set()


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_a_converge_comes_after_the_start_and_is_verified(folder: Path) -> None:
    actions = [action for action, _words in steps(folder)]
    assert sequence(folder)[0] == "side_effect start.yml"
    assert "converge" in actions
    assert actions[-1] == "verify"


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_testinfra_verifies_with_an_inventory(folder: Path) -> None:
    verifier = config(folder)["verifier"]
    assert verifier["name"] == "testinfra"
    assert verifier["enabled"] is True
    assert verifier["options"]["ansible-inventory"]


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_every_verify_names_a_folder_of_tests_and_every_such_folder_is_verified(folder: Path) -> None:
    named = [word for action, words in steps(folder) if action == "verify" for word in words or ["tests"]]
    empty = [word for word in named if not any(counted(file) for file in (folder / word).glob("test_*.py"))]
    assert empty == [], "a file, a folder without tests, or none at all"
    assert {str(file.parent.relative_to(folder)) for file in folder.rglob("*.py")} == set(named)


def counted(file: Path) -> int:
    """How many tests a file has."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return sum(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in tree.body)


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_every_file_of_tests_has_tests_and_hosts_that_exist(folder: Path) -> None:
    known = {f"ansible://{name}" for name in hosts_of(folder)}
    for file in folder.rglob("test_*.py"):
        assert counted(file), f"{file} has no test"
        assert looked_at(file) <= known, f"{file}: hosts that the inventory does not have"


def looked_at(file: Path) -> set[str]:
    """The hosts that the tests of a file look at."""
    hosts = [
        ast.literal_eval(node.value)
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "testinfra_hosts"
    ]
    return {host for entry in hosts for host in entry}


def test_scenarios_that_run_beside_each_other_look_at_hosts_of_their_own() -> None:
    rows = runpy.run_path(str(ROOT / "tests" / "molecule" / "pages.py"))["BESIDE"]
    assert {name for row in rows for name in row} <= {folder.name for folder in SHARED}
    of_rows = [
        {host for name in row for file in (MOLECULE / name).rglob("test_*.py") for host in looked_at(file)}
        for row in rows
    ]
    assert all(of_rows)
    assert len(set.union(*of_rows)) == sum(len(hosts) for hosts in of_rows)


def hosts_of(folder: Path) -> set[str]:
    """Groups and hosts that the tests of a scenario may name."""
    if folder not in OWN:
        return set(names(load(MOLECULE / "inventory" / "hosts.yml")))
    fleet = load(folder / "inventory" / "group_vars" / "all" / "fleet.yml")["bluegreen_fleet"]
    made = {f"{group['name']}{number + 1}" for group in fleet["groups"].values() for number in range(group["count"])}
    return {*names(load(folder / "inventory" / "groups.yml")), *made}


def names(group: dict[str, Any]) -> Iterator[str]:
    """Groups and hosts of an inventory."""
    for name, inner in (group.get("children") or group).items():
        yield name
        yield from (inner or {}).get("hosts") or {}
        if (inner or {}).get("children"):
            yield from names(inner)
