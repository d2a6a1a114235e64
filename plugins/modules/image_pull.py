#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
short_description: Pull an image, with a login that leaves nothing on the VM
version_added: 0.1.0
description:
  - Pulls with M(community.docker.docker_image_pull). Where the service's page has a login, that module finds it in a
    folder in memory (C(/dev/shm)), which is removed at once, and never in the home of anybody.
  - An image named by its digest that is there already is not pulled.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.page
  - sluice.bluegreen.engine
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - RV(image_id) tells which image there is.
  idempotent:
    support: full
options:
  name:
    description: Image with its tag or, better, its digest.
    type: str
    required: true
  images:
    description: Images that are there, as M(sluice.bluegreen.engine_info) gives them.
    type: list
    elements: dict
    default: []
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Pull the image
  sluice.bluegreen.image_pull:
    service: "{{ bluegreen_service }}"
    name: registry.example.com/shop@sha256:8d0e1f3c5b7a9d2f4e6a8c0b1d3f5a7c9e0b2d4f6a8c1e3b5d7f9a0c2e4b6d8f
"""

RETURN = r"""
image_id:
  description: Id of the image; empty in check mode where it is not there yet.
  type: str
  returned: success
"""
