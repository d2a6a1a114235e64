#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_split_info
short_description: Read the split of a service on a balancer
version_added: 0.1.0
description:
  - Reads the committed split from the service's file on disk, the split that HAProxy works with over its Runtime API,
    and the one that its counters show, and names every difference between them.
  - Changes nothing, and needs no lock.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
  - sluice.bluegreen.balancer
  - sluice.bluegreen.servers
options:
  servers:
    description:
      - All servers of the service by the inventory, to compare with.
      - Without it the servers on disk, and their colors, are taken for right.
  runtime:
    description:
      - Whether to ask HAProxy as well. It is a failure then when HAProxy is not installed, does not run, or does not
        have the service's backend.
      - With V(false) only the disk is read, which also works before HAProxy is installed.
    type: bool
    default: true
  observe:
    description:
      - Seconds between two looks at the counters, for RV(observed).
      - With V(0) there is one look, and RV(observed) begins with the last shift.
    type: float
    default: 0
seealso:
  - module: sluice.bluegreen.haproxy_split
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Read the split
  sluice.bluegreen.haproxy_split_info:
    service: shop
    servers: "{{ bluegreen_service.servers }}"
  register: split

- name: Fail on drift
  ansible.builtin.assert:
    that: split.differences | length == 0
    fail_msg: "{{ split.differences | join(' ') }}"
"""

RETURN = r"""
disk:
  description:
    - What is committed. RV(disk.shares) are per cent by color, RV(disk.weights) the weight by server, RV(disk.colors)
      the servers by color.
    - Where RV(disk.exists) is false the service was never configured here, and the rest is empty or 0.
  type: dict
  returned: success
  sample:
    exists: true
    shares: {blue: 100.0, green: 0.0}
    weights: {blue1: 256, green1: 0}
    colors: {blue: [blue1], green: [green1]}
runtime:
  description:
    - What HAProxy works with. RV(runtime.shares) are the per cent by color that RV(runtime.weights) really give; all 0
      before a first release.
  type: dict
  returned: when O(runtime)
  sample:
    shares: {blue: 95.0, green: 5.0}
    weights: {blue1: 247, green1: 13}
observed:
  description:
    - Per cent by color of the RV(observed.requests) that HAProxy has counted (of the sessions in TCP mode).
    - RV(observed.since) says since when; V(shift) since the last shift, V(look) since the first of two looks, V(start)
      since HAProxy started, where that came after the last shift.
  type: dict
  returned: when O(runtime)
  sample: {shares: {blue: 98.9, green: 1.1}, requests: 18042, since: shift}
servers:
  description:
    - By server its color, relative C(capacity), weight, C(admin) state (C(ready), C(drain) or C(maintenance)),
      C(status) by HAProxy's health checks and their last answer, whether it is C(up), its C(sessions) now and in total,
      and the number of C(requests) and of C(bad) ones (5xx responses, connection and response errors) since HAProxy
      started.
  type: dict
  returned: when O(runtime)
  sample:
    green1:
      color: green
      capacity: 1.0
      weight: 13
      admin: ready
      status: UP
      up: true
      sessions: 2
      sessions_total: 4108
      requests: 4100
      bad: 44
      check: L7OK
      check_text: ""
haproxy:
  description: Version, process id, and uptime in seconds of HAProxy; the last two begin anew with a reload.
  type: dict
  returned: when O(runtime)
  sample: {version: 2.6.12-1+deb12u3, pid: 4711, uptime: 86400}
differences:
  description:
    - One sentence for each difference between the inventory, the disk, what HAProxy works with, and what its counters
      show since the last shift.
  type: list
  elements: str
  returned: success
  sample:
    - "Runtime leads the disk: HAProxy works with blue 95 %, green 5 %, committed is blue 100 %, green 0 %."
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import (
    SERVER,
    balancer_args,
    capacities,
    names_by_color,
    service_paths,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._observed import look, recall
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._report import read_disk, read_runtime, report
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Read and compare; see RETURN. SluiceError where there is nothing to read."""
    paths = service_paths(params)
    servers = params["servers"]
    sock = RuntimeSocket(params["socket"])
    mark = runtime = None
    if params["runtime"]:
        mark = look(sock, paths.service, params["observe"]) if params["observe"] > 0 else recall(paths.counters)
        runtime = read_runtime(sock, paths.service)
    return report(
        read_disk(str(paths.config), paths.service),
        runtime,
        None if servers is None else names_by_color(servers),
        None if servers is None else capacities(servers),
        mark,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=balancer_args(
            servers={"type": "list", "elements": "dict", "options": SERVER},
            runtime={"type": "bool", "default": True},
            observe={"type": "float", "default": 0},
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **run(module.params))
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
