# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task took, as a line of JSON in the file that TASK_TIMES names."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: How long tasks took
description: For the benchmark of the traffic.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    began = 0.0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.began = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        # ansible-core 2.19 has the plain name only, 2.17 the one with an underscore.
        task = getattr(result, "task", None) or result._task
        line = {"task": task.get_name(), "seconds": time.monotonic() - self.began}
        with Path(os.environ["TASK_TIMES"]).open("a", encoding="utf-8") as times:
            times.write(json.dumps(line) + "\n")
