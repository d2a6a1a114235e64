# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host of a fleet is in its network, as a filter; the thinking is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils import _provision
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError

DOCUMENTATION = r"""
name: fleet_address
short_description: The address of a host in the network of its fleet
version_added: 0.1.0
description:
  - Gives the host with the number 1 the address 11 of the network, the next the next, and fails where there is no room.
  - A number stays with its host, and so does the address.
options:
  _input:
    description: The network, such as C(198.18.64.0/24).
    type: str
    required: true
  number:
    description: Number of the host, as P(sluice.bluegreen.fleet_plan#filter) gives it.
    type: int
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Say where the first host is
  ansible.builtin.debug:
    msg: "{{ '198.18.64.0/24' | sluice.bluegreen.fleet_address(1) }}"  # 198.18.64.11
"""

RETURN = r"""
_value:
  description: The address.
  type: str
"""


def fleet_address(network: str, number: int) -> str:
    """The address; see DOCUMENTATION."""
    try:
        return _provision.address(network, int(number))
    except InputError as error:
        raise AnsibleFilterError(f"sluice.bluegreen.fleet_address: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fleet_address": fleet_address}
