# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter for the playbook that deploys; the arithmetic is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils._page_deploy import budget

DOCUMENTATION = r"""
name: failure_budget
short_description: How many VMs may fail before no further batch begins
version_added: 0.1.0
description:
  - A number of VMs stays what it is; per cent of them are rounded down.
positional: vms
options:
  _input:
    description: What the page has as C(deploy.max_failures).
    type: raw
    required: true
  vms:
    description: How many VMs there are.
    type: int
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Show how many of eight may fail
  ansible.builtin.debug:
    msg: "{{ '25%' | sluice.bluegreen.failure_budget(8) }}"
    # 2
"""

RETURN = r"""
_value:
  description: The number.
  type: int
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failure_budget": budget}
