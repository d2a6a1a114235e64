# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the definition of a fleet and check it; runs on the controller, reads only."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils import _provision
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError


class ActionModule(ActionBase):
    """Thin: takes definition and inventory from Ansible, calls :mod:`_provision`, returns what it gives."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _, args = self.validate_argument_spec(
            argument_spec={
                "definition": {"type": "raw", "required": True},
                "providers": {"type": "dict", "required": True},
            }
        )
        try:
            found = _provision.fleet(
                args["definition"], args["providers"], task_vars.get("groups") or {}, _folder(task_vars)
            )
            _provision.refuse_without(found["provider"], args["providers"][found["provider"]], _installed)
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error), **error.details}
        return {**result, "changed": False, "fleet": found}


def _folder(task_vars: Mapping[str, Any]) -> Optional[str]:
    """Where the first inventory lies that is on this machine's disk."""
    for source in task_vars.get("ansible_inventory_sources") or []:
        path = Path(str(source))
        if path.exists():
            return str(path if path.is_dir() else path.parent)
    return None


def _installed(package: str) -> bool:
    """Whether Python can import ``package``, which may be a collection too."""
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False
