# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what an operation on a service does, from what its balancers said; runs on the controller, reads only."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._deploy import deploy_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._retire import retire_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollback import rollback_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollout import rollout_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._state import COLORS

OPERATIONS = ("deploy", "rollout", "promote", "rollback", "abort", "retire")


def new_release_id(version: Optional[str]) -> str:
    """UTC time, version and four random hex digits: sortable, readable, and never the same twice."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return "-".join(part for part in (stamp, version, secrets.token_hex(2)) if part)


def owner(task_vars: dict[str, Any]) -> str:
    """Who releases: ``user@host``, or the AWX job and the user who started it."""
    job = task_vars.get("awx_job_id") or task_vars.get("tower_job_id")
    if not job and os.environ.get("AWX_HOST"):
        job = os.environ.get("JOB_ID")
    if job:
        user = task_vars.get("awx_user_name") or task_vars.get("tower_user_name") or "schedule"
        return f"{user}@awx-job-{job}"
    return f"{getpass.getuser()}@{socket.gethostname()}"


class ActionModule(ActionBase):
    """Thin: reads its arguments, calls :mod:`_fleet`, returns the plan."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _, args = self.validate_argument_spec(
            argument_spec={
                "operation": {"type": "str", "required": True, "choices": list(OPERATIONS)},
                "service": {"type": "str", "required": True},
                "version": {"type": "str"},
                "journals": {"type": "dict", "required": True},
                "splits": {"type": "dict", "required": True},
                "servers": {"type": "list", "elements": "dict", "required": True},
                "takeover": {"type": "bool", "default": False},
                "force": {"type": "bool", "default": False},
                "resume": {"type": "bool", "default": False},
                "reversible": {"type": "bool", "default": True},
                "max_load": {"type": "float"},
                "keep_warm": {"type": "float", "default": 0},
                "keep": {"type": "int", "default": 0},
                "at_once": {"type": "bool", "default": False},
                "meant": {"type": "str"},
            }
        )
        try:
            fleet = Fleet(args["service"], args["journals"], args["splits"])
            plan = {**self._plan(fleet, args), **fleet.common}
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error), **error.details}
        if not plan.get("release_id"):
            plan["release_id"] = new_release_id(plan.get("version"))
        plan["owner"] = owner(task_vars)
        return {**result, "changed": False, "plan": plan, "state": fleet.state, "behind": fleet.behind}

    @staticmethod
    def _plan(fleet: Fleet, args: dict[str, Any]) -> dict[str, Any]:
        operation = args["operation"]
        servers = {color: [s["name"] for s in args["servers"] if s["color"] == color] for color in COLORS}
        load = args["max_load"]
        fleet.require_memory()
        if operation in ("rollback", "abort"):
            abort = operation == "abort"
            options = {"max_load": load, "abort": abort, "only": args["meant"], "version": args["version"]}
            return rollback_plan(fleet, servers, args["takeover"], args["force"], **options)
        fleet.require_servers(servers)
        if operation == "retire":
            keep = {"keep_warm": args["keep_warm"], "keep": args["keep"], "at_once": args["at_once"]}
            return retire_plan(fleet, servers, **keep, moment=time.time())
        if operation == "deploy":
            resume, reversible = args["resume"], args["reversible"]
            return deploy_plan(fleet, args["version"], load, resume=resume, reversible=reversible)
        only = args["meant"]
        return rollout_plan(fleet, args["version"], operation == "promote", load, resume=args["resume"], only=only)
