# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No role gives one name to two things: what a task registers hides the role's variable for the rest of the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).resolve().parents[3] / "roles").iterdir() if path.is_dir())


class Loader(yaml.SafeLoader):
    """Takes a tag of Ansible's, such as ``!unsafe``, for what it stands before."""


Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def tasks(page: Any) -> Iterator[dict[str, Any]]:
    """Each task of a page, also those in blocks."""
    for task in page or []:
        yield task
        for section in ("block", "rescue", "always"):
            yield from tasks(task.get(section))


def remembered(role: Path) -> set[str]:
    """What the tasks of a role register, or set as facts."""
    names: set[str] = set()
    for path in [*role.glob("tasks/**/*.yml"), *role.glob("handlers/*.yml")]:
        for task in tasks(load(path)):
            names |= {task["register"]} if "register" in task else set()
            names |= set(task.get("ansible.builtin.set_fact", {}))
    return names


def variables(role: Path) -> set[str]:
    pages = [*role.glob("defaults/*.yml"), *role.glob("vars/*.yml")]
    return {name for path in pages for name in load(path) or {}}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_task_writes_over_a_variable_of_its_role(role: Path) -> None:
    assert variables(role) & remembered(role) == set()


def test_it_sees_what_is_registered_and_set_as_a_fact_in_blocks() -> None:
    provision = next(role for role in ROLES if role.name == "provision")
    assert {"__provision_clock", "provision_troubles", "provision_failed"} <= remembered(provision)
    assert "__provision_backing" in variables(provision)
