# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers the tasks of a playbook, tells each as it begins, and holds the playbook before one of them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_point
type: aggregate
short_description: Announces every task, and holds the playbook before one
description:
  - Writes a line of JSON to C(tasks.jsonl) before each task (C(number), C(play), C(task), C(at)).
  - Before task C(SLUICE_CHAOS_HOLD) it writes C(held), and goes on when there is a file C(go), or never.
requirements:
  - The environment says the folder in C(SLUICE_CHAOS_FOLDER).
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_point"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.folder = Path(os.environ["SLUICE_CHAOS_FOLDER"])
        self.hold = int(os.environ.get("SLUICE_CHAOS_HOLD", "0"))
        self.number = 0
        self.play = ""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.play = play.get_name()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._tell(task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._tell(task.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._tell("")

    def _tell(self, task: str) -> None:
        """Announce the task of that name; an empty one is the end of the playbook."""
        self.number += 1
        line = {"number": self.number, "play": self.play, "task": task, "at": time.time()}
        with (self.folder / "tasks.jsonl").open("a", encoding="utf-8") as tasks:
            tasks.write(json.dumps(line) + "\n")
        if self.number == self.hold:
            (self.folder / "held").touch()
            while not (self.folder / "go").exists():
                time.sleep(0.005)
