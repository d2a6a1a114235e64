# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter for the role that deploys; the thinking is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils._same_image import differences

DOCUMENTATION = r"""
name: image_differences
short_description: Whether all VMs have the same image
version_added: 0.1.0
description:
  - A sentence on the VMs whose image is another one than it should be; empty where there are none.
positional: expected
options:
  _input:
    description: Id of the image by VM; an empty one says nothing.
    type: dict
    required: true
  expected:
    description: Id that it should be; that of most VMs where it is empty.
    type: str
    default: ""
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Stop where the VMs have got different images
  ansible.builtin.assert:
    that: "{{ (images | sluice.bluegreen.image_differences) == '' }}"
    fail_msg: "{{ images | sluice.bluegreen.image_differences }}"
"""

RETURN = r"""
_value:
  description: The sentence.
  type: str
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"image_differences": differences}
