#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_split
short_description: Set the split of a service on a balancer
version_added: 0.1.0
description:
  - Sets the weights of all servers of a service over HAProxy's Runtime API in one step, without a reload, and reads
    them back. A weight that is refused or differs is a failure, and what was there before is put back.
  - The weights are those integers that come closest to O(shares); the share that they really give is returned.
  - Unless O(commit) is true, the new split only leads the disk under a lease. A timer on the balancer takes it back to
    the committed one when nobody renews it.
  - With O(commit) the weights are written to the service's file as well, after the whole configuration was
    validated, in one rename and without a reload, and the lease ends. A stage in progress is only committed when
    HAProxy still works with the split that it set, and when each server of the candidate, of those that HAProxy
    calls up, takes a connection from this balancer within three seconds. HAProxy's own checks take longer to find out.
  - Nothing is done when O(release_id) does not hold the lock of the service (see M(sluice.bluegreen.release_lock)).
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.balancer
  - sluice.bluegreen.servers
  - sluice.bluegreen.events
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Renewing the lease is no change; an event in O(events) is.
options:
  release_id:
    description: The release that this step belongs to.
    type: str
    required: true
  servers:
    description: All servers of the service. One that HAProxy lacks, or one more there, is a failure.
    required: true
  shares:
    description:
      - Per cent of the traffic by color, adding up to 100.
      - Without it the split that is committed on this balancer's disk is set, and the lease ends.
    type: dict
  max_load:
    description:
      - How many times what a server of the other color gets now, by its capacity, a server of the color that gains may
        get. Where those that are up would get more, the step is refused before anything is changed.
      - Without it, and in a step back to safety, the split is set whatever is up.
    type: float
  lease:
    description: Seconds after which the balancer falls back to the committed split by itself.
    type: float
    default: 30
  commit:
    description: Make the split durable and end the lease.
    type: bool
    default: false
  config:
    description: HAProxy's main configuration file, for the validation.
    type: path
    default: /etc/haproxy/haproxy.cfg
  haproxy:
    description: The HAProxy program, for the validation.
    type: str
    default: /usr/sbin/haproxy
  stage:
    description: Number of the stage, for the journal.
    type: int
  reason:
    description: Why, for the journal.
    type: str
    default: ""
  events:
    description: Events to write to the journal after the step.
  journal:
    description:
      - What happens when the journal cannot be written, for example because the disk is full.
      - V(required) fails before anything is shifted, also where HAProxy refuses the configuration with O(commit), or
        where no lease can be held. When such a step fails, weights and disk are as they were.
      - V(best_effort) is for a step back to safety. It warns, and takes the traffic away whatever happens to the
        journal and the lease. Where the disk takes no O(commit), it fails after that, since a reload would undo it.
    type: str
    choices: [required, best_effort]
    default: required
seealso:
  - module: sluice.bluegreen.haproxy_split_info
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Give the candidate 5 % for 30 seconds at most
  sluice.bluegreen.haproxy_split:
    service: shop
    release_id: "{{ release_id }}"
    servers: "{{ bluegreen_service.servers }}"
    shares: {blue: 95, green: 5}
    stage: 1

- name: Back to blue, durably
  sluice.bluegreen.haproxy_split:
    service: shop
    release_id: "{{ release_id }}"
    servers: "{{ bluegreen_service.servers }}"
    shares: {blue: 100, green: 0}
    commit: true
    journal: best_effort
"""

RETURN = r"""
weights:
  description: Weight by server, as set.
  type: dict
  returned: success
weights_before:
  description: Weight by server, as found.
  type: dict
  returned: success
shares:
  description: Per cent by color that the weights give.
  type: dict
  returned: success
  sample: {blue: 95.0, green: 5.0}
shares_before:
  description: Per cent by color that the weights gave before.
  type: dict
  returned: success
commands:
  description: The commands of the Runtime API that differed and were sent, or would be.
  type: list
  elements: str
  returned: success
committed:
  description: Whether this split is on the disk.
  type: bool
  returned: success
fenced:
  description: True on failure because another release holds the lock.
  type: bool
  returned: on failure
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils import _split
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import (
    EVENTS,
    SERVER,
    balancer_args,
    capacities,
    names_by_color,
    service_paths,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_module import finish
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._lease import SystemdTimer


def run(params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Take the step on this machine; SluiceError or OSError where it cannot be taken."""
    paths = service_paths(params)

    def commit(weights: Mapping[str, int], shares: Mapping[str, float], dry_run: bool) -> bool:
        return _config.commit(
            str(paths.config), paths.service, weights, shares, params["haproxy"], params["config"], dry_run
        ).changed

    step = _split.Step(
        release_id=params["release_id"],
        servers=names_by_color(params["servers"]),
        capacities=capacities(params["servers"]),
        max_load=params["max_load"],
        shares=params["shares"],
        lease=params["lease"],
        commit=params["commit"],
        stage=params["stage"],
        reason=params["reason"],
        events=params["events"],
        journal_required=params["journal"] == "required",
    )
    balancer = _split.Balancer(paths, RuntimeSocket(params["socket"]), params["socket"], SystemdTimer(), commit)
    outcome = _split.take_step(step, balancer, check_mode)
    for warning in outcome.warnings:
        warn(warning)
    return {
        "changed": outcome.changed,
        "weights": outcome.weights,
        "weights_before": outcome.weights_before,
        "shares": outcome.shares,
        "shares_before": outcome.shares_before,
        "commands": outcome.commands,
        "committed": outcome.committed,
        "diff": {
            "before": {
                "shares": outcome.shares_before,
                "weights": outcome.weights_before,
                "committed": outcome.committed_before,
            },
            "after": {"shares": outcome.shares, "weights": outcome.weights, "committed": outcome.committed_after},
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=balancer_args(
            release_id={"type": "str", "required": True},
            servers={"type": "list", "elements": "dict", "required": True, "options": SERVER},
            shares={"type": "dict"},
            max_load={"type": "float"},
            lease={"type": "float", "default": 30},
            commit={"type": "bool", "default": False},
            config={"type": "path", "default": "/etc/haproxy/haproxy.cfg"},
            haproxy={"type": "str", "default": "/usr/sbin/haproxy"},
            stage={"type": "int"},
            reason={"type": "str", "default": ""},
            events=EVENTS,
            journal={"type": "str", "choices": ["required", "best_effort"], "default": "required"},
        ),
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        result = run(module.params, module.check_mode, module.warn)
        # With thousands of servers Ansible is busier with what is returned than HAProxy is with the shift.
        if not module._diff:
            del result["diff"]
        names = [server["name"] for server in module.params["servers"]]
        return {**result, "invocation": {"module_args": {**module.params, "servers": names}}}

    finish(module, work)


if __name__ == "__main__":
    main()
