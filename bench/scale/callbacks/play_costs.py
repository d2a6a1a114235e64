# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task of each play took and how many hosts had a result of it, into the file that
PLAY_COSTS names, as lines of JSON; ``on_vms`` is whether the play is one on VMs.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: play_costs
type: aggregate
short_description: What each play cost
description: For the benchmark of large fleets.
"""

VMS = {"shop_blue", "shop_green"}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "play_costs"

    def __init__(self) -> None:
        super().__init__()
        self.line: dict[str, Any] = {"play": "", "task": "", "on_vms": False}
        self.results = 0
        # Of the whole process: what went before is a cost of the inventory.
        self.began = time.monotonic()

    def _next(self, play: str, task: str, on_vms: bool) -> None:
        now = time.monotonic()
        line = {**self.line, "seconds": now - self.began, "results": self.results}
        with Path(os.environ["PLAY_COSTS"]).open("a", encoding="utf-8") as costs:
            costs.write(json.dumps(line) + "\n")
        self.line, self.began, self.results = {"play": play, "task": task, "on_vms": on_vms}, now, 0

    def v2_playbook_on_play_start(self, play: Any) -> None:
        hosts = play.get_variable_manager()._inventory.get_hosts(play.hosts)
        vms = any(group.name in VMS for host in hosts for group in host.get_groups())
        self._next(play.get_name(), "", vms)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._next(self.line["play"], task.get_name(), self.line["on_vms"])

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._next("", "", False)

    def _one_more(self, result: Any, *_more: Any, **_named: Any) -> None:
        self.results += 1

    v2_runner_on_ok = v2_runner_on_skipped = v2_runner_on_failed = v2_runner_on_unreachable = _one_more
