# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands the module the password that a page that was read does not show."""

from __future__ import annotations

from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils import _service_secrets
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._page_source import written


class ActionModule(ActionBase):
    """Thin: unseals, and runs the module of the same name."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = dict(self._task.args)
        if args.get("password"):
            name = str(args.get("service"))
            page = written(self._templar, task_vars, name, "deploy", "login")
            try:
                args.update(_service_secrets.login({"name": name, "deploy": {"login": args}}, page) or {})
            except SluiceError as error:
                return {**result, "failed": True, "msg": str(error)}
        result.update(
            self._execute_module(module_name="sluice.bluegreen.engine_info", module_args=args, task_vars=task_vars)
        )
        return result
