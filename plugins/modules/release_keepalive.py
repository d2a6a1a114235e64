#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_keepalive
short_description: Keep the lock of a release for as long as its playbook runs
version_added: 0.1.0
description:
  - Starts a process on the controller that prolongs the lock of a release on every balancer, three times in O(ttl)
    seconds, and returns at once. It ends when the C(ansible-playbook) that started it is gone, however that ended, or
    when the lock was given back or taken by another release.
  - So a release may take its time, for example to pull an image, and one that was killed counts as dead after O(ttl)
    seconds at most, whatever it was doing.
  - With O(hook) the lease of the stage is kept as well, while the journal says that this hook runs, and for O(limit)
    seconds at most. What hangs longer than that therefore ends with traffic where it is committed to be.
  - A lock that is not kept alive, as on a controller where the process was killed too, lasts for its time and is the
    release's own until another one takes it.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
attributes:
  check_mode:
    support: full
    details:
      - Starts nothing.
  diff_mode:
    support: N/A
    details:
      - Nothing that is configured changes.
  idempotent:
    support: N/A
    details:
      - A lock is prolonged at every renewal; that is not reported as a change.
options:
  service:
    description: Name of the service.
    type: str
    required: true
  release_id:
    description: The release, which holds the lock.
    type: str
    required: true
  balancers:
    description: Inventory names of the balancers.
    type: list
    elements: str
    required: true
  ttl:
    description: Seconds that each renewal gives the lock.
    type: float
    default: 30
  hook:
    description: The hook during which lock and lease are kept, as M(sluice.bluegreen.hook_journal) names it.
    type: str
  limit:
    description: Seconds after which nothing is kept any more, although the hook is not over; together with O(hook).
    type: float
seealso:
  - module: sluice.bluegreen.release_lock
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Keep the lock
  sluice.bluegreen.release_keepalive:
    service: shop
    release_id: "{{ release_id }}"
    balancers: "{{ groups['loadbalancers'] }}"
  run_once: true
"""

RETURN = r""" # """
