# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls an image by ``community.docker.docker_image_pull``, with a login that is nowhere but in memory."""

from __future__ import annotations

from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._outcome import outcome
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._registry_login import logged_in

SPEC = {
    "service": {"type": "dict", "required": True},
    "name": {"type": "str", "required": True},
    "images": {"type": "list", "elements": "dict", "default": []},
    "docker_host": ENGINE,
}


class ActionModule(ActionBase):
    """Nothing where the image is there; else the login, the module, and the login away again."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(argument_spec=SPEC)
        task_vars = task_vars or {}
        there = [image["id"] for image in args["images"] if args["name"] in image["names"]]
        if "@" in args["name"] and there:
            return {**result, "changed": False, "image_id": there[0]}
        try:
            with logged_in(self, args["name"], args["service"], task_vars):
                pulled = self._execute_module(
                    module_name="community.docker.docker_image_pull",
                    module_args={"docker_host": args["docker_host"], "name": args["name"], "pull": "always"},
                    task_vars=task_vars,
                )
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error)}
        return {**result, **outcome(pulled), "image_id": (pulled.get("image") or {}).get("Id", "")}
