# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the lock of a release alive for as long as the ansible-playbook that it belongs to, in a process beside it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils._keepalive import Process, keep
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._fanout import Pool, module_on

LOCK_MODULE = "sluice.bluegreen.release_lock"
HOOK_MODULE = "sluice.bluegreen.hook_journal"
# Seconds after which a call to a balancer is given up for good.
CALL_LIMIT = 30.0


class ActionModule(ActionBase):
    """Thin: starts the process, which then calls :func:`keep`."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "service": {"type": "str", "required": True},
                "release_id": {"type": "str", "required": True},
                "balancers": {"type": "list", "elements": "str", "required": True},
                "ttl": {"type": "float", "default": 30},
                "hook": {"type": "str"},
                "limit": {"type": "float"},
            },
            required_together=[("hook", "limit")],
        )
        if not self._task.check_mode:
            # This is a worker, which ends with the task; the playbook is its parent.
            playbook = Process(os.getppid())
            if os.fork() == 0:
                _detached(lambda: self._keep(args, task_vars or {}, playbook))
        return {**result, "changed": False}

    def _keep(self, args: Mapping[str, Any], task_vars: Mapping[str, Any], playbook: Process) -> None:
        balancers = [str(name) for name in args["balancers"]]
        ttl = float(args["ttl"])
        step: dict[str, Any] = {"service": str(args["service"]), "release_id": str(args["release_id"]), "ttl": ttl}
        module, own = LOCK_MODULE, dict[str, Any](renew=True)
        until = float("inf")
        if args["hook"]:
            module, own = HOOK_MODULE, {"hook": str(args["hook"]), "state": "running"}
            until = time.monotonic() + float(args["limit"])
        step.update(own)
        with Pool(CALL_LIMIT) as pool:
            for balancer in balancers:
                pool.add(balancer, module_on(self, balancer, task_vars))
            keep(
                lambda seconds: pool.ask(dict.fromkeys(balancers, (module, step)), seconds),
                ttl,
                lambda: playbook.alive and time.monotonic() < until,
                time.monotonic,
                time.sleep,
            )


def _detached(work: Callable[[], None]) -> None:
    """Do ``work`` away from the terminal, the pipes and the signals of the playbook, and end."""
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        # Whoever reads the playbook's output must not wait for this process.
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        work()
    finally:
        os._exit(0)
