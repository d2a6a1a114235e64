# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes which module ran on which host, as a line of JSON in the file that MODULE_RUNS names.

An action plugin may run several modules in one task, which no callback is told; so what starts them is wrapped, before
Ansible forks its workers.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: module_runs
type: aggregate
short_description: Which modules ran on which hosts
description: For the benchmark of deployments, and for the test that counts.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "module_runs"

    def __init__(self) -> None:
        super().__init__()
        run_module = ActionBase._execute_module

        def counted(action: Any, module_name: Any = None, *args: Any, **more: Any) -> Any:
            task = action._task
            variables = more.get("task_vars") or {}
            line = {
                "host": task.delegate_to or variables.get("inventory_hostname"),
                "module": module_name or task.action,
            }
            with Path(os.environ["MODULE_RUNS"]).open("a", encoding="utf-8") as runs:
                runs.write(json.dumps(line) + "\n")
            return run_module(action, module_name, *args, **more)

        ActionBase._execute_module = counted
