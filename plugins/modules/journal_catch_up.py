#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: journal_catch_up
short_description: Tell a balancer's journal what it missed
version_added: 0.1.0
description:
  - Writes one event C(caught_up) to the journal of a service, which holds the state that another balancer knows, and
    the events of that balancer that this one has not. Nothing in the journal is rewritten.
  - Operations that only this balancer knows of are named in the event. Whether to go on with the other's state all the
    same is decided before, by M(sluice.bluegreen.release_plan).
  - Nothing is done when O(release_id) does not hold the lock of the service.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.balancer
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - A journal is no configuration.
  idempotent:
    support: none
    details:
      - Every run writes an event; M(sluice.bluegreen.release_plan) tells who has missed something.
options:
  release_id:
    description: The operation that this step belongs to.
    type: str
    required: true
  source:
    description: Name of the balancer that the state is from.
    type: str
    required: true
  state:
    description: What that balancer's journal says, as RV(sluice.bluegreen.journal_info#module:state).
    type: dict
    required: true
  events:
    description: The last events of that balancer, as RV(sluice.bluegreen.journal_info#module:events).
    type: list
    elements: dict
    default: []
  journal:
    description: With V(best_effort) a journal that cannot be written, as on a full disk, is a warning and no failure.
    type: str
    choices: [required, best_effort]
    default: required
seealso:
  - module: sluice.bluegreen.journal_info
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Tell lb2 what it missed
  sluice.bluegreen.journal_catch_up:
    service: shop
    release_id: "{{ release_id }}"
    source: lb1
    state: "{{ hostvars['lb1'].haproxy_journal.state }}"
    events: "{{ hostvars['lb1'].haproxy_journal.events }}"
  when: inventory_hostname == 'lb2'
"""

RETURN = r"""
missed:
  description: The events that this balancer did not have.
  type: list
  elements: dict
  returned: success
unknown:
  description: Operations that only this balancer knows of.
  type: list
  elements: str
  returned: success
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lock, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import balancer_args, service_paths
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_module import finish
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import mutex
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths


def run(paths: ServicePaths, params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Catch up; FencedError where another release is the current one, StateError where the disk takes it not."""
    if check_mode:
        return _caught_up(paths, params)
    with mutex(paths.mutex):
        _lock.require(paths, params["release_id"])
        found = _caught_up(paths, params)
        data = {"from": params["source"], "state": params["state"], "missed": found["missed"]}
        data["unknown"] = found["unknown"]
        _journal.note(paths, "caught_up", params["release_id"], data, params["journal"] == "required", warn)
        return found


def _caught_up(paths: ServicePaths, params: dict[str, Any]) -> dict[str, Any]:
    events = _journal.read(paths.journal).events
    # What it was told before does not count as missed again.
    known = [_what(told) for event in events for told in (event, *event["data"].get("missed", []))]
    mine = _state.derive(events)["operations"]
    theirs = params["state"]["operations"]
    return {
        "changed": True,
        "missed": [event for event in params["events"] if _state.counts(event) and _what(event) not in known],
        "unknown": _state.unknown_to(theirs, mine),
    }


def _what(event: dict[str, Any]) -> tuple[Any, ...]:
    """Without times, numbers and the split from before, which are each balancer's own: one of them was reloaded."""
    return event["event"], event["release_id"], {key: said for key, said in event["data"].items() if key != "before"}


def main() -> None:
    module = AnsibleModule(
        argument_spec=balancer_args(
            release_id={"type": "str", "required": True},
            source={"type": "str", "required": True},
            state={"type": "dict", "required": True},
            events={"type": "list", "elements": "dict", "default": []},
            journal={"type": "str", "choices": ["required", "best_effort"], "default": "required"},
        ),
        supports_check_mode=True,
    )
    finish(module, lambda: run(service_paths(module.params), module.params, module.check_mode, module.warn))


if __name__ == "__main__":
    main()
