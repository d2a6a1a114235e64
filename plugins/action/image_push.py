# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pushes an image by ``community.docker.docker_image_push``, with a login that is nowhere but in memory."""

from __future__ import annotations

from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_view import of_repository
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._outcome import outcome
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._registry_login import logged_in

SPEC = {
    "service": {"type": "dict", "required": True},
    "name": {"type": "str", "required": True},
    "docker_host": ENGINE,
}


class ActionModule(ActionBase):
    """The login, the module, the login away again, and the digest out of what the module said."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(argument_spec=SPEC)
        task_vars = task_vars or {}
        try:
            with logged_in(self, args["name"], args["service"], task_vars):
                pushed = self._execute_module(
                    module_name="community.docker.docker_image_push",
                    module_args={"docker_host": args["docker_host"], "name": args["name"]},
                    task_vars=task_vars,
                )
                seen = self._execute_module(
                    module_name="community.docker.docker_image_info",
                    module_args={"docker_host": args["docker_host"], "name": [args["name"]]},
                    task_vars=task_vars,
                )
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error)}
        digests = [
            digest.split("@")[1]
            for image in seen.get("images") or []
            for digest in image.get("RepoDigests") or []
            if of_repository(digest, args["service"]["image"])
        ]
        return {**result, **outcome(pushed), "digest": digests[0] if digests else ""}
