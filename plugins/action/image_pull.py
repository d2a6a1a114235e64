# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls an image by ``community.docker.docker_image_pull``, with a login that is nowhere but in memory."""

from __future__ import annotations

import base64
import json
import shlex
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils import _service_secrets
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._page_source import written

SPEC = {
    "service": {"type": "dict", "required": True},
    "name": {"type": "str", "required": True},
    "images": {"type": "list", "elements": "dict", "default": []},
    "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
}
# Docker's own registry is known to its clients by this name.
DOCKER_IO = "https://index.docker.io/v1/"


def registry_of(image: str) -> str:
    """The registry of an image, as a client's configuration names it. Pure."""
    first = image.split("/", 1)[0]
    named = "/" in image and ("." in first or ":" in first or first == "localhost")
    return first if named and first not in ("docker.io", "index.docker.io") else DOCKER_IO


class ActionModule(ActionBase):
    """Nothing where the image is there; else the login, the module, and the login away again."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(argument_spec=SPEC)
        task_vars = task_vars or {}
        there = [image["id"] for image in args["images"] if args["name"] in image["names"]]
        if "@" in args["name"] and there:
            return {**result, "changed": False, "image_id": there[0]}
        folder = ""
        try:
            page = written(self._templar, task_vars, args["service"]["name"], "deploy", "login")
            login = _service_secrets.login(args["service"], page)
            if login and not self._task.check_mode:
                folder = self._log_in(args["name"], login)
            pulled = self._pull(args, folder, task_vars)
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error)}
        finally:
            if folder:
                self._low_level_execute_command(f"rm -rf {shlex.quote(folder)}", sudoable=True)
        kept: dict[str, Any] = {
            key: pulled[key] for key in ("changed", "failed", "msg", "warnings", "unreachable") if key in pulled
        }
        return {**result, **kept, "image_id": (pulled.get("image") or {}).get("Id", "")}

    def _log_in(self, image: str, login: dict[str, str]) -> str:
        """A folder in the VM's memory with the login, for this user alone."""
        token = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
        config = json.dumps({"auths": {registry_of(image): {"auth": token}}})
        script = "umask 077; d=$(mktemp -d /dev/shm/sluice.XXXXXXXX) && cat > $d/config.json && echo folder=$d"
        said = self._low_level_execute_command(script, in_data=config.encode(), sudoable=True)
        lines = [line for line in said.get("stdout", "").splitlines() if line.startswith("folder=/dev/shm/")]
        if said.get("rc") or not lines:
            raise SluiceError(f"no place in memory for the registry's login: {said.get('stderr', '')}".strip())
        return str(lines[0][len("folder=") :])

    def _pull(self, args: dict[str, Any], folder: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        if folder:
            self._task.environment = [*(self._task.environment or []), {"DOCKER_CONFIG": folder}]
        result: dict[str, Any] = self._execute_module(
            module_name="community.docker.docker_image_pull",
            module_args={"docker_host": args["docker_host"], "name": args["name"], "pull": "always"},
            task_vars=task_vars,
        )
        return result
