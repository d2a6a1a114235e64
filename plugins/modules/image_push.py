#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_push
short_description: Push an image, with a login that leaves nothing on the host
version_added: 0.1.0
description:
  - Pushes with M(community.docker.docker_image_push). Where the service's page has a login, that module finds it in a
    folder in memory (C(/dev/shm)), which is removed at once, and never in the home of anybody.
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
      - RV(digest) tells which image it is.
  idempotent:
    support: full
options:
  name:
    description: Image with its tag.
    type: str
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Push the image
  sluice.bluegreen.image_push:
    service: "{{ bluegreen_service }}"
    name: registry.example.com/shop:2.1.0
"""

RETURN = r"""
digest:
  description: Digest that the registry knows it by; empty in check mode where it is not there yet.
  type: str
  returned: success
"""
