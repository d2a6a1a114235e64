#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_image
short_description: Say which image a release is of
version_added: 0.1.0
description:
  - For a registry, the image by the digest that its tag has when the release begins, so that every VM gets the same
    also when the tag moves meanwhile.
  - For an archive, the image in it by its id. Where the page has C(deploy.sha256), or a file beside the archive is
    called like it with C(.sha256) at the end, as C(sha256sum) writes it, the archive must have that sum.
  - Runs on the controller and changes nothing.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
options:
  service:
    description: The service's page, as M(sluice.bluegreen.service_info) gives it for the version.
    type: dict
    required: true
  version:
    description: The version.
    type: str
    required: true
  digest:
    description: What RV(sluice.bluegreen.engine_info#module:digest) the registry has for the tag.
    type: str
    default: ""
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: See which image 2.1.0 is
  sluice.bluegreen.release_image:
    service: "{{ bluegreen_service }}"
    version: 2.1.0
    digest: "{{ engine.digest }}"
  register: found
"""

RETURN = r"""
image:
  description:
    - What containers are made from (C(reference)), and the C(digest) in the registry or the C(id) and the C(sha256) of
      the archive.
  type: dict
  returned: success
verify:
  description: The command of C(deploy.verify) with the image in it, or nothing.
  type: list
  elements: str
  returned: success
"""
