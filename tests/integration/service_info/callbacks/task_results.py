"""Prints the result of each task as one line of JSON, the same for every ansible-core."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_results
type: stdout
short_description: The result of each task as a line of JSON
description: For tests.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "task_results"

    def _print(self, result: Any, failed: bool) -> None:
        found = {**result._result, "failed": failed}
        self._display.display("RESULT " + json.dumps(found, default=str))

    def v2_runner_on_ok(self, result: Any) -> None:
        self._print(result, False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._print(result, True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._print(result, True)
