#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hook_journal
short_description: Note on a balancer that a hook of a release begins, runs or has ended
version_added: 0.1.0
description:
  - Every step asks for the lock of its release first, and prolongs it. Where a stage leads, its lease is renewed too.
  - A hook that the journal says was done by the same release is not begun again.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.balancer
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details:
      - A note is no configuration.
  idempotent:
    support: partial
    details:
      - A hook that was done is not begun again; each end that is told is written.
options:
  release_id:
    description: The release that the hook belongs to.
    type: str
    required: true
  hook:
    description: What tells it from the other hooks of the release, such as C(after_stage/2/smoke).
    type: str
    required: true
  state:
    description:
      - V(started) writes that it begins, unless it was done already.
      - V(running) writes nothing, and keeps lock and lease for as long as the journal says that this hook runs.
      - V(ended) writes how it ended.
    type: str
    choices: [started, running, ended]
    required: true
  outcome:
    description: How it ended.
    type: str
    choices: [done, failed]
    default: done
  message:
    description: Why it failed.
    type: str
    default: ""
  seconds:
    description: How long it took.
    type: float
    default: 0
  leads:
    description: Whether the stage led when the hook began, so that it must lead still; for O(state=ended).
    type: bool
    default: false
  ttl:
    description: Seconds that the lock is prolonged to.
    type: float
    default: 30
  journal:
    description: Whether a journal that cannot be written is a failure, or only a warning.
    type: str
    choices: [required, best_effort]
    default: required
seealso:
  - module: sluice.bluegreen.release_hook
  - module: sluice.bluegreen.release_lock
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Note that a hook begins
  sluice.bluegreen.hook_journal:
    service: shop
    release_id: 20260131T120000Z-2.1.0-4f2a
    hook: before_deploy/0/migrate
    state: started
  register: begun
"""

RETURN = r"""
done:
  description: Whether the journal says that the hook was done, so that it is not to run again.
  type: bool
  returned: with O(state=started)
leading:
  description: Whether the balancer works with a split that only the lease of this release keeps.
  type: bool
  returned: success
origin:
  description: The release that was begun, where O(release_id) goes on with it; else O(release_id).
  type: str
  returned: success
running:
  description: Whether the journal says that this hook runs.
  type: bool
  returned: with O(state=running)
fenced:
  description: True on failure because another release holds the lock.
  type: bool
  returned: on failure
"""

from collections.abc import Callable
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease, _lock, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import balancer_args, service_paths
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_module import finish
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import mutex
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths


def run(paths: ServicePaths, params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Take the step under the service's mutex; FencedError where another release is current."""
    if check_mode:
        release = _release(paths, params["release_id"])
        return {**_told(release, params), "leading": False, "changed": params["state"] != "running"}
    with mutex(paths.mutex):
        _lock.renew(paths, params["release_id"], params["ttl"])
        release = _release(paths, params["release_id"])
        told = _told(release, params)
        if params["state"] == "running" and not told["running"]:
            return {**told, "leading": False, "changed": False}
        leading = _lease.renew(paths, params["release_id"], _lease.SystemdTimer())
        written = params["state"] == "ended" or (params["state"] == "started" and not told["done"])
        if written:
            _write(paths, params, warn)
        if params["leads"] and not leading:
            raise StateError(
                f"service {paths.service}: the lease of the stage ran out while hook {params['hook']} ran, and traffic "
                "fell back to what is committed. Give the hook a shorter timeout, or the service a longer lease",
            )
        return {**told, "leading": leading, "changed": written}


def _release(paths: ServicePaths, release_id: str) -> Optional[dict[str, Any]]:
    """The release in progress, if it is this one."""
    release: Optional[dict[str, Any]] = _state.derive(_journal.read(paths.journal).events)["release"]
    return release if release and release["release_id"] == release_id else None


def _told(release: Optional[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
    found = release or {}
    told: dict[str, Any] = {"origin": found.get("origin", params["release_id"])}
    if params["state"] == "started":
        told["done"] = params["hook"] in found.get("hooks", [])
    elif params["state"] == "running":
        told["running"] = found.get("hook") == params["hook"]
    return told


def _write(paths: ServicePaths, params: dict[str, Any], warn: Callable[[str], None]) -> None:
    event, data = "hook_started", {"hook": params["hook"]}
    if params["state"] == "ended":
        event = "hook"
        data.update({name: params[name] for name in ("outcome", "seconds", "message")})
    phase, stage, name = params["hook"].split("/", 2)
    data.update(phase=phase, stage=int(stage), name=name)
    _journal.note(paths, event, params["release_id"], data, params["journal"] == "required", warn)


def main() -> None:
    module = AnsibleModule(
        argument_spec=balancer_args(
            release_id={"type": "str", "required": True},
            hook={"type": "str", "required": True},
            state={"type": "str", "required": True, "choices": ["started", "running", "ended"]},
            outcome={"type": "str", "choices": ["done", "failed"], "default": "done"},
            message={"type": "str", "default": ""},
            seconds={"type": "float", "default": 0},
            leads={"type": "bool", "default": False},
            ttl={"type": "float", "default": 30},
            journal={"type": "str", "choices": ["required", "best_effort"], "default": "required"},
        ),
        supports_check_mode=True,
    )
    finish(module, lambda: run(service_paths(module.params), module.params, module.check_mode, module.warn))


if __name__ == "__main__":
    main()
