#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_plan
short_description: Decide what an operation on a service does
version_added: 0.1.0
description:
  - Takes what every balancer of a service says and decides which color is the candidate, which release is meant, or
    where traffic goes back to. Fails with the reason and the way out when the operation is not possible now.
  - Runs on the controller, reads only what it is given, and changes nothing.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
options:
  operation:
    description: What is to be done.
    type: str
    required: true
    choices: [deploy, rollout, promote, rollback, abort, retire]
  service:
    description: Name of the service.
    type: str
    required: true
  version:
    description: The version; needed for V(deploy), and for V(rollout) a check that it is the deployed one.
    type: str
  journals:
    description: Result of M(sluice.bluegreen.journal_info) by balancer.
    type: dict
    required: true
  splits:
    description: Result of M(sluice.bluegreen.haproxy_split_info) by balancer.
    type: dict
    required: true
  servers:
    description: All servers of the service, with O(servers[].name) and O(servers[].color).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the server.
        type: str
        required: true
      color:
        description: Its color.
        type: str
        required: true
  takeover:
    description: Whether a rollback or an abort may take over from a release that is alive.
    type: bool
    default: false
  force:
    description:
      - Whether a rollback may go to a version that was itself rolled back, or whose servers are not up, over a release
        that is marked O(reversible=false), or although the journals of two balancers tell different stories.
    type: bool
    default: false
  resume:
    description: Whether a release that died in its rollout is gone on with, after the last stage that it passed.
    type: bool
    default: false
  reversible:
    description: Whether the version before can still serve after this one did; for V(deploy).
    type: bool
    default: true
  max_load:
    description:
      - How many times what a server of the other color gets at 100 %, by its capacity, a server of the color that the
        traffic is meant for may get. Where those that are up would get more, the operation is refused.
      - For V(deploy) all servers of the candidate are taken for up. Without it there is no limit.
    type: float
  keep_warm:
    description: Seconds that a color keeps running after it lost its traffic; for V(retire).
    type: float
    default: 0
  keep:
    description: On how many VMs, the first of its group, it goes on running when it is retired.
    type: int
    default: 0
  at_once:
    description: Whether O(keep_warm) is not waited for.
    type: bool
    default: false
  meant:
    description:
      - With O(operation=abort) the id of the release that may be given up, with O(operation=rollout) of the one that
        may be rolled out, or of the one that it resumes. Fails where another one is in progress.
    type: str
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Decide where the next version goes
  sluice.bluegreen.release_plan:
    operation: deploy
    service: shop
    version: 2.1.0
    servers: "{{ bluegreen_service.servers }}"
    journals: "{{ dict(balancers | zip(balancers | map('extract', hostvars, 'haproxy_journal'))) }}"
    splits: "{{ dict(balancers | zip(balancers | map('extract', hostvars, 'haproxy_split'))) }}"
  vars:
    balancers: "{{ ansible_play_hosts_all }}"
  run_once: true
  register: decision
"""

RETURN = r"""
plan:
  description:
    - The release id, the owner and what the operation needs. For V(deploy) and V(rollout) these are C(candidate),
      C(stable), C(previous) and C(first); for V(rollback) they are C(kind), C(to), C(from), their versions and
      C(gives_up), C(retired), and C(start), whether containers have to be started again first. For V(retire) they are
      C(from), C(version), C(due), C(kept), C(noted) and C(message).
    - Every plan has C(expects), what each balancer's journal must still say when the lock is taken, and C(catch_up),
      the balancers that missed something, which one knows, and its state.
  type: dict
  returned: success
state:
  description: The state of the service, as RV(sluice.bluegreen.journal_info#module:state).
  type: dict
  returned: success
behind:
  description: Balancers whose journal says something else than the newest.
  type: list
  elements: str
  returned: success
"""
