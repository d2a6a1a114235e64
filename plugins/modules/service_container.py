#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_container
short_description: Make the container of a version of a service, and do not start it yet
version_added: 0.1.0
description:
  - Makes the container as the service's page says, with everything under C(container) of the page handed to
    M(community.docker.docker_container), which does the work. What the engine does not take of it is told before
    anything that runs was stopped. M(sluice.bluegreen.container_switch) starts it.
  - Before that M(sluice.bluegreen.container_claim) is run on the VM, so that no container is replaced where another
    operation has taken over, nor one of another service that has the same name.
  - Secrets become files, see there. Here only a fingerprint of them is made, a label, so that a secret that changed
    makes a new container.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.page
  - sluice.bluegreen.engine
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  version:
    description: The version.
    type: str
    required: true
  color:
    description: Color of the VM.
    type: str
    required: true
    choices: [blue, green]
  release_id:
    description: Release that the container belongs to.
    type: str
    required: true
  expects:
    description: As in M(sluice.bluegreen.container_switch).
    type: str
  run_dir:
    description: As in M(sluice.bluegreen.container_switch).
    type: str
    default: /run/sluice
  image:
    description: Image to make it from, with its tag or digest. It must be on the VM.
    type: str
    required: true
  digest:
    description: What tells the image from others, its digest or id; becomes a label.
    type: str
    default: ""
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Make the container of 2.1.0
  sluice.bluegreen.service_container:
    service: "{{ bluegreen_service }}"
    version: 2.1.0
    color: green
    release_id: 20260131T120000Z-2.1.0-4f2a
    expects: "{{ engine.operation }}"
    image: registry.example.com/shop:2.1.0
"""

RETURN = r"""
operation:
  description:
    - The operation that may work on the color here now, which is O(release_id), or in check mode the one before.
  type: str
  returned: where it may
container:
  description: Its name.
  type: str
  returned: success
image_id:
  description: Id of the image that it was made from; empty in check mode where there is none yet.
  type: str
  returned: success
"""
