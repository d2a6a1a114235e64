# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether ansible-core can read the task files of a service's hooks, before anything depends on them.

A file that it cannot read ends a playbook on the spot, without any rescue.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.playbook.helpers import load_list_of_tasks
from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError


def check(service: Mapping[str, Any], action: ActionBase) -> None:
    """Raises InputError for the first file that is not there, or not a list of tasks."""
    for phase, hooks in service["hooks"].items():
        for hook in hooks:
            if hook["kind"] == "tasks":
                problem = _problem(Path(hook["tasks"]).resolve(), action)
                if problem:
                    raise InputError(
                        f"service {service['name']}: hooks.{phase} {hook['name']}: {problem}. Nothing was changed"
                    )


def _problem(path: Path, action: ActionBase) -> str:
    if not path.is_file():
        return f"the task file {path} is not there; its path begins where the command is started, {Path.cwd()}"
    try:
        tasks = action._loader.load_from_file(str(path))
        if not isinstance(tasks, list):
            return f"{path} is not a list of tasks"
        load_list_of_tasks(
            tasks,
            play=action._task.get_play(),
            variable_manager=action._task.get_variable_manager(),
            loader=action._loader,
        )
    except (AnsibleError, AssertionError) as error:
        return f"{path} cannot be read: {error}"
    return ""
