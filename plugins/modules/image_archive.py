#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_archive
short_description: Bring an image from an archive to a Docker Engine, sending only what it lacks
version_added: 0.1.0
description:
  - Brings an image from an archive on the controller, as C(docker save) writes it, to the host's Docker Engine.
    Needs no registry.
  - Does nothing where the engine has the image, known by its id.
  - Of an image that shares its lowest layers with one that the engine has, only the layers above are sent. An engine
    that does not take such a part (one that keeps its images in containerd) gets the whole archive.
  - Runs M(community.docker.docker_image_info) and M(community.docker.docker_image_load) on the host, and needs what
    they need there.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
  - sluice.bluegreen.engine
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - RV(layers_sent) and RV(sent) tell what is sent.
  idempotent:
    support: full
options:
  path:
    description: Path of the archive on the controller.
    type: path
    required: true
  image:
    description: Name and tag of the image, which must be in the archive.
    type: str
    required: true
  images:
    description:
      - Images that the engine has, as M(sluice.bluegreen.engine_info) gives them with their layers. Without them they
        are asked for.
    type: list
    elements: dict
  docker_host:
    description: The engine's address, as in M(community.docker.docker_image_load).
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Bring the image
  sluice.bluegreen.image_archive:
    path: build/shop-2.1.0.tar
    image: registry.example.com/shop:2.1.0
"""

RETURN = r"""
image_id:
  description: Id of the image.
  type: str
  returned: success
  sample: sha256:8d0e1f3c5b7a9d2f4e6a8c0b1d3f5a7c9e0b2d4f6a8c1e3b5d7f9a0c2e4b6d8f
layers:
  description: Number of the image's layers.
  type: int
  returned: success
layers_sent:
  description: Number of layers that were sent, or would be.
  type: int
  returned: success
sent:
  description: Bytes that were sent; 0 in check mode.
  type: int
  returned: success
"""
