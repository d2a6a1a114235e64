# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one hook of a release, a command in a container of its own or a webhook; from the controller, with a limit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.bluegreen.plugins.module_utils import (
    _hooks,
    _service,
    _service_secrets,
    _webhook,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError, SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._secrets import scrub
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._fanout import Pool, module_on
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._page_source import written
from ansible_collections.sluice.bluegreen.plugins.plugin_utils._plain import plain

CONTAINER_MODULE = "community.docker.docker_container"
ENGINE_MODULE = "sluice.bluegreen.engine_info"
RUN_MODULE = "sluice.bluegreen.container_run"
# Seconds for the engine to remove a container.
REMOVE_LIMIT = 60.0
# Seconds beyond a hook's timeout in which the VM, which keeps it, says so itself.
SPARE = 30.0


class ActionModule(ActionBase):
    """Thin: finds the secrets, runs the hook, returns what came of it."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, validated = self.validate_argument_spec(
            argument_spec={
                "hook": {"type": "dict", "required": True},
                "told": {"type": "dict", "required": True},
                "identity": {"type": "str", "required": True},
                "host": {"type": "str"},
                "container": {"type": "dict"},
            }
        )
        args = plain(validated)
        if self._task.check_mode:
            return {**result, "changed": True, "msg": f"hook {args['hook']['name']} would run"}
        secrets: list[str] = []
        try:
            hook = self._with_secrets(args, task_vars or {})
            files = self._files(hook, args, task_vars or {})
            secrets = _hooks.secrets_in(hook, files)
            problem = self._run(hook, args, task_vars or {}, files, secrets)
        except SluiceError as error:
            problem = str(error)
        if problem is None:
            return {**result, "changed": True}
        return {**result, "changed": True, "failed": True, "msg": scrub(problem, secrets)}

    def _with_secrets(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        hook, told = args["hook"], args["told"]
        found: Any = task_vars.get(_service.VARIABLE)
        for key in (told["service"], "hooks", told["phase"]):
            # Each of them may be a template; the other services' secrets are none of this one's business.
            found = found if isinstance(found, Mapping) else self._templar.template(found)
            found = found.get(key) if isinstance(found, Mapping) else None
        # Read from the list as it is written: a template in another hook is none of this one's business either.
        listed = found if isinstance(found, list) else self._templar.template(found)
        entry = next((one for one in listed or [] if self._templar.template(one["name"]) == hook["name"]), None)
        return _hooks.unseal(hook, plain(self._templar.template(entry)), told["service"], told["phase"])

    def _files(self, hook: Mapping[str, Any], args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, str]:
        """The secrets of the service's container, which that of the hook gets too."""
        if hook["kind"] != "container":
            return {}
        service = {"name": args["told"]["service"], "container": args["container"]["page"]}
        page = written(self._templar, task_vars, service["name"], "container", "secrets")
        return _service_secrets.container_secrets(service, page)

    def _run(
        self,
        hook: Mapping[str, Any],
        args: Mapping[str, Any],
        task_vars: Mapping[str, Any],
        files: Mapping[str, str],
        secrets: list[str],
    ) -> Optional[str]:
        if hook["kind"] == "webhook":
            return _webhook.send(
                hook["webhook"],
                args["told"],
                args["identity"],
                float(hook["timeout"]),
                now=time.time,
                clock=time.monotonic,
                sleep=time.sleep,
            )
        if args["host"] not in task_vars["hostvars"]:
            raise InputError(f"hook {hook['name']}: the host {args['host']} is not in the inventory")
        return self._in_container(hook, args, task_vars, files, secrets)

    def _in_container(
        self,
        hook: Mapping[str, Any],
        args: Mapping[str, Any],
        task_vars: Mapping[str, Any],
        files: Mapping[str, str],
        secrets: list[str],
    ) -> Optional[str]:
        host, settings, limit = args["host"], args["container"], float(hook["timeout"])
        until = time.monotonic() + limit
        known = {"name": settings["name"], "docker_socket": settings["docker_host"]}
        with Pool(limit + SPARE) as pool:
            pool.add(host, module_on(self, host, task_vars))
            image = settings["image"] or _hooks.image_of(
                pool.ask({host: (ENGINE_MODULE, _hooks.engine_question(args["told"], settings))}, limit)[host],
                settings["image_of"],
            )
            arguments = _hooks.container_arguments(hook, args["told"], settings, image, bool(files))
            answer = pool.ask({host: (CONTAINER_MODULE, arguments)}, limit)[host]
            if not answer.get("failed") and not answer.get("unreachable"):
                left = max(1.0, until - time.monotonic())
                question = {**known, "secrets": dict(files), "timeout": left}
                answer = pool.ask({host: (RUN_MODULE, question)}, left + SPARE)[host]
        if answer.get("left") != "":
            self._remove(host, {**known, "state": "absent"}, task_vars)
        problem = _hooks.container_problem(answer, limit, secrets)
        return None if problem is None else f"{host}: {problem}"

    def _remove(self, host: str, question: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
        """Where it is not certain that the VM did it already."""
        with Pool(REMOVE_LIMIT) as pool:
            pool.add(host, module_on(self, host, task_vars))
            removed = pool.ask({host: (RUN_MODULE, dict(question))}, REMOVE_LIMIT)[host]
        if removed.get("failed") or removed.get("unreachable"):
            why = removed.get("msg")
            self._display.warning(f"{host}: container {question['name']} may be there until the next deployment: {why}")
