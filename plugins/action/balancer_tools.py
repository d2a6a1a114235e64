# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands the collection's own utilities to the module of the same name, in one step instead of one a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

PACKAGE = Path(__file__).resolve().parent.parent / "module_utils"


def package_files(root: Path = PACKAGE) -> dict[str, str]:
    """Every Python file of the package, its path in it to its text."""
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}


class ActionModule(ActionBase):
    """Runs the module with ``files`` filled in."""

    _VALID_ARGS = frozenset({"path"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "files": package_files()}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        # The texts would fill the screen at -vvv.
        result.get("invocation", {}).get("module_args", {}).pop("files", None)
        return result
