# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter ``sluice.bluegreen.status_report``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._status import report

DOCUMENTATION = r"""
name: status_report
short_description: Say how a service stands, in lines for a person
version_added: 0.1.0
description:
  - Turns what the balancers of a service say into lines, the most important first.
positional: journals, splits
options:
  _input:
    description: Name of the service.
    type: str
    required: true
  journals:
    description: Result of M(sluice.bluegreen.journal_info) by balancer.
    type: dict
    required: true
  splits:
    description: Result of M(sluice.bluegreen.haproxy_split_info) by balancer.
    type: dict
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Say how the service stands
  ansible.builtin.debug:
    msg: "{{ 'shop' | sluice.bluegreen.status_report(journals, splits) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def status_report(service: str, journals: dict[str, Any], splits: dict[str, Any]) -> list[str]:
    """The lines of ``status``; AnsibleFilterError where nothing was observed."""
    try:
        return report(service, journals, splits)
    except SluiceError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Names the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"status_report": status_report}
