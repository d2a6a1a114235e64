"""Argument specs of roles neither set defaults nor refuse unknown variables: they must agree with defaults/main.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).resolve().parents[3] / "roles").iterdir() if path.is_dir())
TYPES = {"str", "path", "int", "float", "bool", "list", "dict", "raw"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def options_of(role: Path) -> dict[str, dict[str, Any]]:
    """The options of all entry points; the same option may not have two defaults."""
    found: dict[str, dict[str, Any]] = {}
    for entry in load(role / "meta" / "argument_specs.yml")["argument_specs"].values():
        for name, option in (entry.get("options") or {}).items():
            known = found.setdefault(name, option)
            assert known.get("default") == option.get("default"), f"{role.name}: {name} has two defaults"
    return found


def each(options: dict[str, dict[str, Any]], path: str = "") -> Any:
    for name, option in options.items():
        yield f"{path}{name}", option
        yield from each(option.get("options") or {}, f"{path}{name}.")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_of_a_role_is_in_its_spec_with_the_same_value(role: Path) -> None:
    options = options_of(role)
    for name, value in load(role / "defaults" / "main.yml").items():
        assert name in options, f"{role.name}: {name} has a default and is in no spec"
        assert not options[name].get("required"), f"{role.name}: {name} is required and yet has a default"
        assert options[name].get("default") == value, f"{role.name}: {name}"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_of_a_spec_is_set_by_the_role(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml")
    for name, option in options_of(role).items():
        if "default" in option:
            assert defaults.get(name) == option["default"], f"{role.name}: the default of {name} is in the spec alone"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_option_has_a_type_a_description_and_the_prefix_of_its_role(role: Path) -> None:
    options = options_of(role)
    assert options, f"{role.name} documents no option"
    for name in options:
        assert name.startswith(f"{role.name}_"), f"{role.name}: {name} lacks the role's prefix"
    for name, option in each(options):
        assert option.get("type") in TYPES, f"{role.name}: {name} has no type"
        assert option.get("description"), f"{role.name}: {name} has no description"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_entry_point_of_a_spec_is_a_task_file(role: Path) -> None:
    for entry in load(role / "meta" / "argument_specs.yml")["argument_specs"]:
        assert (role / "tasks" / f"{entry}.yml").is_file(), f"{role.name}: there is no tasks/{entry}.yml"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_has_a_page_for_its_reader(role: Path) -> None:
    assert (role / "README.md").is_file(), f"{role.name} has no README.md"
