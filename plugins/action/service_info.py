# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the pages of services and check them against the inventory; runs on the controller, reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as core_version
from ansible_collections.sluice.bluegreen.plugins.module_utils import _hooks, _scope, _service
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError, SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._service_secrets import seal
from ansible_collections.sluice.bluegreen.plugins.plugin_utils import _hook_files


class ActionModule(ActionBase):
    """Thin: takes pages and inventory from Ansible, calls :mod:`_service`, returns what it gives."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _, args = self.validate_argument_spec(
            argument_spec={
                "service": {"type": "raw"},
                "version": {"type": "raw"},
                "require_version": {"type": "bool", "default": False},
                "strategy": {"type": "raw"},
                "services": {"type": "raw"},
                "needs": {"type": "list", "elements": "str", "choices": ["balancers", "vms"], "default": []},
                "hook_files": {"type": "bool", "default": False},
                "partial": {"type": "bool", "default": False},
            }
        )
        try:
            found = self._read(args, task_vars)
            if args["hook_files"]:
                _hook_files.check(found["service"], self)
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error), **error.details}
        for one in found.get("services", [found.get("service")]):
            one.update(seal(one))
            one["hooks"] = _hooks.seal(one["hooks"])
        return {**result, "changed": False, **found}

    def _read(self, args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if "vms" in args["needs"]:
            _scope.require_core(core_version)
        sliced = _scope.slice_of(task_vars)
        if sliced and args["needs"]:
            _scope.require_whole(str(args["service"]), [], None, None, sliced)
        inventory = _inventory(task_vars, partial=bool(sliced) or args["partial"])
        only = args["service"]
        pages = self._pages(args["services"], task_vars, only)
        if only is None:
            for other in ("version", "strategy"):
                if args[other] is not None:
                    raise InputError(
                        f"a {other} was given, but no service that it is for; say which, e.g. -e service=shop"
                    )
            if not args["require_version"]:
                return {"services": _service.services(pages, inventory), "slice": sliced}
        found = _service.service(
            pages,
            only,
            inventory,
            version=args["version"],
            raw_version=task_vars.get("version", _service.NOT_GIVEN),
            require_version=args["require_version"],
            strategy=args["strategy"],
        )
        _require_whole(found, args["needs"], inventory, task_vars)
        return {"service": found}

    def _pages(self, given: Any, task_vars: Mapping[str, Any], only: Any) -> Any:
        """All pages, templated; where one service is asked for, the other pages are not looked into."""
        if given is not None:
            return given
        raw = task_vars.get(_service.VARIABLE)
        if isinstance(only, str) and isinstance(raw, Mapping) and only in raw:
            return {**raw, only: self._template(raw[only], f"{_service.VARIABLE}.{only}")}
        return self._template(raw, _service.VARIABLE)

    def _template(self, raw: Any, what: str) -> Any:
        try:
            return self._templar.template(raw)
        except AnsibleError as error:
            raise InputError(f"{what} cannot be read: {error}") from error


def _require_whole(
    found: Mapping[str, Any], needs: list[str], inventory: _service.Inventory, task_vars: Mapping[str, Any]
) -> None:
    limit = task_vars.get("ansible_limit")
    if not needs or limit is None:
        return
    groups = [found["loadbalancers"]] if "balancers" in needs else []
    groups += found["hosts"].values() if "vms" in needs else []
    # What `groups` lists is the whole inventory, whatever the limit.
    reached = {host.name for host in task_vars["hostvars"]._inventory.get_hosts("all")}
    needed = [str(host) for group in groups for host in inventory.groups[group]]
    _scope.require_whole(found["name"], needed, reached, limit, None)


def _inventory(task_vars: Mapping[str, Any], partial: bool) -> _service.Inventory:
    hostvars = task_vars.get("hostvars") or {}
    sources = [str(source) for source in task_vars.get("ansible_inventory_sources") or []]

    # One look at hostvars[host] costs as much as all of the host's variables, so the last host is kept.
    last: dict[str, Any] = {}

    def variable(host: str, name: str) -> Any:
        try:
            if host not in last:
                last.clear()
                last[host] = hostvars[host]
            return last[host].get(name)
        except AnsibleError as error:
            raise InputError(f"host {host}: its variable {name} cannot be read: {error}") from error

    source = ", ".join(sources) or "the inventory"
    return _service.Inventory(task_vars.get("groups") or {}, variable, source, partial)
