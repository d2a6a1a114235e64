#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_lock
short_description: Take, prolong or give back the lock of a service on a balancer
version_added: 0.1.0
description:
  - One release of a service at a time. The lock has an owner and a time limit, lives on every balancer in a folder that
    does not survive a reboot, and is the fence of every later step, which does nothing when another release holds it.
  - Times are counted by the clock since boot, so a wrong wall clock does not matter.
  - Events given in O(events) are written to the service's journal in the same step.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.balancer
  - sluice.bluegreen.events
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - A lock is no configuration.
  idempotent:
    support: full
    details:
      - Prolonging one's own lock is no change; an event in O(events) is.
options:
  release_id:
    description: The release that the lock is for.
    type: str
    required: true
  state:
    description:
      - V(present) takes or prolongs the lock.
      - V(absent) gives it back; nothing happens when another release holds it.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description: Who releases, for the message that a second release gets, for example C(alice@ci-4) or an AWX job.
    type: str
    default: ""
  operation:
    description: What the lock is for, which a later rollback wants to know of one that died.
    type: str
    choices: [release, rollback, retire]
    default: release
  holder:
    description:
      - Tells two processes with the same O(release_id) apart, such as two that roll out what was deployed. The second
        is refused as one of another release is, and gives back only what it has taken itself.
    type: str
    default: ""
  ttl:
    description:
      - Seconds until the release counts as dead and the lock may be taken by another one, although it was not given
        back. M(sluice.bluegreen.release_keepalive) and every tick of a gate prolong it.
    type: float
    default: 30
  expects:
    description:
      - What the journal must still say, so that a plan is not acted upon that something else has overtaken. Otherwise
        the lock is not taken.
    type: dict
    suboptions:
      stable:
        description: The color that serves; left out before the first release.
        type: str
      release_id:
        description: The release in progress; left out when there is none.
        type: str
      operation:
        description: The operation that wrote to the journal last; left out when there is none.
        type: str
  takeover:
    description: Take the lock from a release that is alive. Its later steps then change nothing.
    type: bool
    default: false
  renew:
    description:
      - Only prolong; fail when the lock is not this release's any more.
      - With O(events) the lease of a stage is renewed too, without them it never is.
    type: bool
    default: false
  events:
    description:
      - Events to write to the journal, in order, before the lock is given back or after it was taken.
      - Where they cannot be written, the step fails; a lock is then not taken, or given back all the same.
seealso:
  - module: sluice.bluegreen.haproxy_split
  - module: sluice.bluegreen.journal_info
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Begin a release
  sluice.bluegreen.release_lock:
    service: shop
    release_id: 20260131T120000Z-2.1.0-4f2a
    owner: alice@ci-4
    events:
      - event: release_started
        data: {version: 2.1.0, color: green, owner: alice@ci-4}

- name: Give the lock back
  sluice.bluegreen.release_lock:
    service: shop
    release_id: 20260131T120000Z-2.1.0-4f2a
    state: absent
"""

RETURN = r"""
holder:
  description: The lock after this step; none when there is none.
  type: dict
  returned: always
  contains:
    release_id: {description: The release., type: str}
    owner: {description: Who releases., type: str}
    since: {description: When it was taken (UTC)., type: str}
    remaining: {description: Seconds until it runs out., type: float}
    live: {description: Whether it has not run out yet., type: bool}
    operation: {description: What it is for., type: str}
fenced:
  description: True on failure because another release holds the lock.
  type: bool
  returned: on failure
"""

from collections.abc import Callable
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease, _lock, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import (
    EVENTS,
    balancer_args,
    service_paths,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_module import finish
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError, StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import mutex, read_json
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _roles
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths


def run(paths: ServicePaths, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what is asked under the service's mutex; LockedError or FencedError where another release is in the way."""
    release_id = params["release_id"]
    if check_mode:
        held = _lock.current(paths)
        ours = held is not None and held["release_id"] == release_id
        if params["state"] == "absent":
            return {"changed": ours, "holder": None if ours else held}
        ours = held is not None and ours and held.get("holder", "") == params["holder"]
        if held and not ours and held["live"] and not params["takeover"]:
            raise _lock.locked_error(paths, held)
        _require_expected(paths, params["expects"])
        return {"changed": not ours or bool(params["events"]), "holder": held}
    with mutex(paths.mutex):
        changed = _take(paths, params) if params["state"] == "present" else _give_back(paths, params)
        return {"changed": changed, "holder": _lock.current(paths)}


def _take(paths: ServicePaths, params: dict[str, Any]) -> bool:
    release_id, events = params["release_id"], params["events"]
    if params["renew"]:
        _lock.renew(paths, release_id, params["ttl"])
        if params["events"]:
            # Between the last tick of a stage and the shift of the next nobody else does. Whoever only keeps the lock
            # has nothing to say, and must not keep a stage either that nobody judges any more.
            _lease.renew(paths, release_id, _lease.SystemdTimer())
        _write(paths, params, "the lock was prolonged")
        return bool(events)
    before = read_json(paths.lock)
    # First the lock: who holds it is the better answer, where another release has both it and the journal.
    kind = {"operation": params["operation"], "holder": params["holder"]}
    taken = _lock.acquire(paths, release_id, params["owner"], params["ttl"], params["takeover"], **kind)
    try:
        if taken:
            _require_expected(paths, params["expects"])
        _write(paths, params, "the lock was not taken")
    except StateError:
        _lock.restore(paths, before)
        raise
    return taken or bool(events)


def _require_expected(paths: ServicePaths, expects: Optional[dict[str, Any]]) -> None:
    if expects is None:
        return
    state = _state.derive(_journal.read(paths.journal).events)
    release = state["release"]
    operation = state["operations"][-1] if state["operations"] else None
    found = {
        "stable": state["stable"],
        "release_id": release["release_id"] if release else None,
        "operation": operation,
    }
    if found != expects:
        last = f"release {operation} at {state['updated']}" if operation else "nothing"
        raise StateError(
            f"service {paths.service}: something happened on this balancer since it was looked at (last: {last}), so "
            "the plan does not hold any more. Nothing was changed; do it again",
            overtaken=True,
        )


def _give_back(paths: ServicePaths, params: dict[str, Any]) -> bool:
    held = read_json(paths.lock)
    if held is None or held["release_id"] != params["release_id"]:
        return False
    if params["holder"] and held.get("holder", "") != params["holder"]:
        return False
    try:
        _write(paths, params, "the lock was given back")
    finally:
        # A release that cannot say that it has ended has ended all the same.
        _lock.drop(paths, params["release_id"])
    return True


def _write(paths: ServicePaths, params: dict[str, Any], done: str) -> None:
    try:
        for event in params["events"]:
            _journal.append(paths.journal, event["event"], params["release_id"], event["data"] or {})
    except OSError as error:
        raise StateError(
            f"service {paths.service}: {paths.journal} cannot be written: {error.strerror or error}; {done}"
        ) from error


def follow(paths: ServicePaths, socket: str, warn: Callable[[str], None]) -> None:
    """Let pins and previews follow what was written; the lock does not depend on a HAProxy that runs."""
    try:
        with mutex(paths.mutex):
            _roles.follow(paths, RuntimeSocket(socket))
    except (SluiceError, OSError) as error:
        warn(f"pins and previews of {paths.service} were not changed: {error}")


def main() -> None:
    expects = {"stable": {"type": "str"}, "release_id": {"type": "str"}, "operation": {"type": "str"}}
    module = AnsibleModule(
        argument_spec=balancer_args(
            release_id={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            owner={"type": "str", "default": ""},
            operation={"type": "str", "choices": list(_lock.OPERATIONS), "default": "release"},
            holder={"type": "str", "default": ""},
            ttl={"type": "float", "default": 30},
            expects={"type": "dict", "options": expects},
            takeover={"type": "bool", "default": False},
            renew={"type": "bool", "default": False},
            events=EVENTS,
        ),
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        result = run(service_paths(module.params), module.params, module.check_mode)
        if module.params["events"] and not module.check_mode:
            follow(service_paths(module.params), module.params["socket"], module.warn)
        return result

    finish(module, work)


if __name__ == "__main__":
    main()
