# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter for the playbooks that move traffic; the thinking is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils._same_image import refusal

DOCUMENTATION = r"""
name: deployed_differences
short_description: Whether all VMs run what was deployed
version_added: 0.1.0
description:
  - A message on the VMs that do not run the version, of the image that was deployed, and nothing beside it; empty
    where all do. Where it is not known which image was deployed, there is a message too.
positional: service, version, image_id
options:
  _input:
    description: >-
      By VM what M(sluice.bluegreen.engine_info) found as its containers of the color, or nothing where it could not be
      asked.
    type: dict
    required: true
  service:
    description: Name of the service.
    type: str
    required: true
  version:
    description: The version.
    type: str
    required: true
  image_id:
    description: Id of the image that was deployed; empty where the journal does not have it.
    type: str
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Stop where a VM runs something else
  ansible.builtin.assert:
    that: "{{ message == '' }}"
    fail_msg: "{{ message }}"
  vars:
    message: "{{ containers | sluice.bluegreen.deployed_differences('shop', '2.1.0', image.id) }}"
"""

RETURN = r"""
_value:
  description: The message.
  type: str
"""


def deployed_differences(containers: Mapping[str, Any], service: str, version: str, image_id: str) -> str:
    """See DOCUMENTATION."""
    return refusal(containers, service, version, image_id)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"deployed_differences": deployed_differences}
