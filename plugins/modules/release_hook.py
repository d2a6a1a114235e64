#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the action plugin of the same name does the work, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_hook
short_description: Run a hook of a release, a command in a container of its own or a webhook
version_added: 0.1.0
description:
  - Runs from the controller, once for all balancers; use C(run_once). A container is made on O(host) over that host's
    own connection, with M(community.docker.docker_container), and run and removed by
    M(sluice.bluegreen.container_run).
  - Ends when the hook's C(timeout) is over, whatever hangs.
  - Takes the secrets that a page that was read does not show from the variable C(bluegreen_services), and shows them
    nowhere; what a container or a server says of them is struck out.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
attributes:
  check_mode:
    support: full
    details:
      - Runs nothing.
  diff_mode:
    support: N/A
    details:
      - What a hook changes is not known.
  idempotent:
    support: none
    details:
      - Runs the hook each time. A hook that was cut off runs again, so it has to be repeatable.
options:
  hook:
    description: The hook, an entry of C(hooks) of M(sluice.bluegreen.service_info).
    type: dict
    required: true
  told:
    description:
      - What the hook is told of the release, at least its C(service) and C(phase). The body of a webhook, and the
        environment of a command as C(SLUICE_SERVICE) and so on.
    type: dict
    required: true
  identity:
    description: Key by which a receiver knows a webhook that it has had already, in the header C(Idempotency-Key).
    type: str
    required: true
  host:
    description: Inventory name of the VM that a container is started on.
    type: str
  container:
    description:
      - Its C(name), C(labels) and C(docker_host), and C(page), the C(container) of M(sluice.bluegreen.service_info),
        which it follows but for what is that container's alone.
      - Its C(image); where that is empty, that of the container C(image_of).
    type: dict
seealso:
  - module: sluice.bluegreen.hook_journal
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Tell the team
  sluice.bluegreen.release_hook:
    hook: "{{ page.service.hooks.after_promote[0] }}"
    told: {service: shop, phase: after_promote, version: 2.1.0}
    identity: 20260131T120000Z-2.1.0-4f2a/after_promote/0/tell the team
  run_once: true
"""

RETURN = r"""
msg:
  description: Why the hook failed.
  type: str
  returned: failure
"""
