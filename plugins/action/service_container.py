# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the container of a version, by ``community.docker.docker_container``, where it still may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils import (
    _container_secrets,
    _container_settings,
    _service_secrets,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import RUN_DIR
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._outcome import outcome
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._page_source import written

LABEL = "sluice.bluegreen."
SPEC = {
    "service": {"type": "dict", "required": True},
    "version": {"type": "str", "required": True},
    "color": {"type": "str", "required": True, "choices": ["blue", "green"]},
    "release_id": {"type": "str", "required": True},
    "expects": {"type": "str"},
    "run_dir": {"type": "str", "default": RUN_DIR},
    "image": {"type": "str", "required": True},
    "digest": {"type": "str", "default": ""},
    "docker_host": ENGINE,
}


def options(args: Mapping[str, Any], secrets: Mapping[str, str], check: bool) -> dict[str, Any]:
    """What the module is given. Pure."""
    service, container = args["service"], args["service"]["container"]
    name = f"{service['name']}-{args['color']}-{args['version']}"
    labels = {
        **(service.get("labels") or {}),
        f"{LABEL}service": service["name"],
        f"{LABEL}version": args["version"],
        f"{LABEL}release_id": args["release_id"],
        f"{LABEL}color": args["color"],
    }
    if args["digest"]:
        labels[f"{LABEL}image"] = args["digest"]
    found = _container_settings.of_version(container, name, bool(secrets))
    if secrets:
        labels[f"{LABEL}secrets"] = _container_secrets.fingerprint(secrets, f"{service['name']} {args['release_id']}")
    if found.get("network_mode") != "host":
        found["published_ports"] = [f"{container['publish'][args['color']]}:{container['port']}"]
    return {
        "restart_policy": "unless-stopped",
        **found,
        "docker_host": args["docker_host"],
        "name": name,
        "image": args["image"],
        "state": "present",
        # It was brought before, except in check mode, which then would not find it.
        "pull": "missing" if check else "never",
        "env": container.get("env") or {},
        "labels": labels,
    }


def claim(args: Mapping[str, Any], container: str) -> dict[str, Any]:
    """What ``container_claim`` is given. Pure."""
    return {
        "service": args["service"]["name"],
        "container": container,
        "docker_socket": args["docker_host"],
        **{key: args[key] for key in ("color", "release_id", "expects", "run_dir") if args[key] is not None},
    }


class ActionModule(ActionBase):
    """Unseals the secrets, runs the module, and keeps to what is worth telling of its answer."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(argument_spec=SPEC)
        task_vars = task_vars or {}
        try:
            page = written(self._templar, task_vars, args["service"]["name"], "container", "secrets")
            secrets = _service_secrets.container_secrets(args["service"], page)
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error)}
        given = options(args, secrets, self._task.check_mode)
        # Not in a task before this one: all other VMs of the batch would come between, and time enough to be overtaken.
        claimed = self._execute_module(
            module_name="sluice.bluegreen.container_claim", module_args=claim(args, given["name"]), task_vars=task_vars
        )
        if "operation" not in claimed:
            return {**result, **outcome(claimed, "fenced")}
        result["operation"] = claimed["operation"]
        made = self._execute_module(
            module_name="community.docker.docker_container", module_args=given, task_vars=task_vars
        )
        image_id = (made.get("container") or {}).get("Image", "")
        return {**result, **outcome(made, "diff"), "container": given["name"], "image_id": image_id}
