# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there of a fleet and what is not, as a filter; the thinking is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils import _provision
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError

DOCUMENTATION = r"""
name: fleet_plan
short_description: What is there of a fleet, and what has to be made
version_added: 0.1.0
description:
  - Compares the hosts of a fleet with the machines that carry its label.
  - Every host gets a number that it keeps. One that is there has it already; the others get the smallest that are free.
    A provider may make addresses and ports of it.
options:
  _input:
    description: The hosts, as M(sluice.bluegreen.fleet_info) lists them.
    type: list
    elements: dict
    required: true
  there:
    description: What carries the label of the fleet, each with C(name), C(number), and what else the provider tells.
    type: list
    elements: dict
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Plan
  ansible.builtin.set_fact:
    plan: "{{ fleet.hosts | sluice.bluegreen.fleet_plan(there=[{'name': 'blue1', 'number': 1}]) }}"
"""

RETURN = r"""
_value:
  description:
    - C(kept), C(missing) and C(surplus) hosts, and C(differ), one sentence for everything in which a host that is there
      is not what the definition says.
  type: dict
"""


def fleet_plan(hosts: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The plan; see DOCUMENTATION."""
    try:
        return _provision.plan(hosts, there)
    except InputError as error:
        raise AnsibleFilterError(f"sluice.bluegreen.fleet_plan: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fleet_plan": fleet_plan}
