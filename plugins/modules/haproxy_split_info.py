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
options:
  servers:
    description:
      - All servers of the service by the inventory, to compare with.
      - Without it the servers on disk, and their colors, are taken for right.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the server in HAProxy, which is its inventory name.
        type: str
        required: true
      color:
        description: Color that it belongs to.
        type: str
        choices: [blue, green]
        required: true
      address:
        description: Not used here; allowed, so that a service's list can be given as it is.
        type: str
      port:
        description: Not used here; allowed, so that a service's list can be given as it is.
        type: int
  runtime:
    description:
      - Whether to ask HAProxy as well. It is a failure then when HAProxy is not installed, does not run, or does not
        have the service's backend.
      - With V(false) only the disk is read, which also works before HAProxy is installed.
    type: bool
    default: true
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
  description: Per cent by color of the RV(observed.requests) that HAProxy has counted since it started.
  type: dict
  returned: when O(runtime)
  sample: {shares: {blue: 98.9, green: 1.1}, requests: 18042}
servers:
  description:
    - By server its color, weight, C(admin) state (C(ready), C(drain) or C(maintenance)), C(status) by HAProxy's health
      checks and their last answer, whether it is C(up), its C(sessions) now and in total, and the number of
      C(requests) and of C(bad) ones (5xx responses, connection and response errors) since HAProxy started.
  type: dict
  returned: when O(runtime)
  sample:
    green1:
      color: green
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
  description: One sentence for each difference between the inventory, the disk and what HAProxy works with.
  type: list
  elements: str
  returned: success
  sample:
    - "Runtime leads the disk: HAProxy works with blue 95 %, green 5 %, committed is blue 100 %, green 0 %."
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import balancer_args, service_paths
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._config import COLORS
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._report import read_disk, read_runtime, report
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Read and compare; see RETURN. SluiceError where there is nothing to read."""
    paths = service_paths(params)
    servers = params["servers"]
    declared = None
    if servers is not None:
        declared = {color: [server["name"] for server in servers if server["color"] == color] for color in COLORS}
    runtime = read_runtime(RuntimeSocket(params["socket"]), paths.service) if params["runtime"] else None
    return report(read_disk(str(paths.config), paths.service), runtime, declared)


def main() -> None:
    server = {
        "name": {"type": "str", "required": True},
        "color": {"type": "str", "choices": list(COLORS), "required": True},
        "address": {"type": "str"},
        "port": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec=balancer_args(
            servers={"type": "list", "elements": "dict", "options": server},
            runtime={"type": "bool", "default": True},
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **run(module.params))
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
