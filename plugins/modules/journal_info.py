#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: journal_info
short_description: Read what a balancer knows of a service
version_added: 0.1.0
description:
  - Reads the journal of a service on this balancer and derives from it which color is stable, which version each color
    runs, the release in progress and the history; adds the lock and the lease.
  - A service without a journal is one that was never released; that is no error.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
  - sluice.bluegreen.balancer
options:
  events:
    description: How many of the last events of the journal's present segment to return as they are.
    type: int
    default: 0
seealso:
  - module: sluice.bluegreen.haproxy_split_info
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: See which color serves
  sluice.bluegreen.journal_info:
    service: shop
  register: journal
"""

RETURN = r"""
state:
  description: What the journal says.
  type: dict
  returned: always
  contains:
    stable: {description: The color that serves; none before the first release., type: str}
    shares: {description: The committed split in per cent by color., type: dict}
    generation: {description: How many splits were committed., type: int}
    colors:
      description: By color the version that it holds, with its release, and whether it is warm and reversible.
      type: dict
    release: {description: The release in progress; none when there is none., type: dict}
    history: {description: The releases that ended, oldest first., type: list, elements: dict}
    operations: {description: Ids of the last releases and rollbacks., type: list, elements: str}
lock:
  description: Who releases now; none when nobody does.
  type: dict
  returned: always
lease:
  description: For how long runtime may still lead what is committed; none when it does not.
  type: dict
  returned: always
no_lease:
  description: Why this balancer cannot hold a lease, for example without systemd; none when it can.
  type: str
  returned: always
damage:
  description: One sentence for each line of the journal that is damaged or out of the chain, in all of its segments.
  type: list
  elements: str
  returned: always
events:
  description: The last events.
  type: list
  elements: dict
  returned: when O(events) is more than 0
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease, _lock, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import balancer_args, service_paths
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_module import finish
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths


def run(paths: ServicePaths, events: int) -> dict[str, Any]:
    """Read; see RETURN."""
    content = _journal.read(paths.journal)
    result: dict[str, Any] = {
        "state": _state.derive(content.events),
        "lock": _lock.current(paths),
        "lease": _lease.current(paths),
        "no_lease": _lease.SystemdTimer().problem,
        "damage": _journal.damage(paths.journal),
    }
    if events > 0:
        result["events"] = content.events[-events:]
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=balancer_args(events={"type": "int", "default": 0}), supports_check_mode=True)
    finish(module, lambda: {"changed": False, **run(service_paths(module.params), module.params["events"])})


if __name__ == "__main__":
    main()
