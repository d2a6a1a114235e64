"""Prints the result of each task as one line of JSON with its play, task and host, the same for every ansible-core."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_told
type: stdout
short_description: What happened on each host, as lines of JSON
description: For tests.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "task_told"

    play = ""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.play = play.get_name()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._display.display("skipping: no hosts matched")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._tell({"stats": stats.custom.get("_run", {})})

    def _task(self, result: Any, status: str) -> None:
        # ansible-core 2.19 has the plain names only, 2.17 those with an underscore.
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        found = getattr(result, "result", None) or result._result
        self._tell(
            {
                "play": self.play,
                "task": task.get_name(),
                "action": task.action,
                "host": host.get_name(),
                "status": status,
                "result": found,
            }
        )

    def _tell(self, line: dict[str, Any]) -> None:
        self._display.display("TOLD " + json.dumps(line, default=str))

    def v2_runner_on_ok(self, result: Any) -> None:
        self._task(result, "ok")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._task(result, "skipped")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._task(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._task(result, "unreachable")
