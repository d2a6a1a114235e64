# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a host from being used, as a filter; the thinking is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils._host_troubles import troubles

DOCUMENTATION = r"""
name: host_troubles
short_description: What a host lacks that its fleet or the roles need
version_added: 0.1.0
description:
  - Judges what was read on a host, and says in one sentence each what keeps it from being used.
options:
  _input:
    description:
      - What was read, C(distribution), C(release), C(cpus), C(memory_mib), C(disk_mib), C(disk_free_mib), C(root),
        C(root_error), and C(clock) with C(before) and C(after) on the controller and C(there) on the host.
    type: dict
    required: true
  least:
    description:
      - What is wanted, C(cpus), C(memory_mib), C(disk_gib), C(disk_free_gib), C(clock) (seconds that it may differ) and
        C(distributions), their releases by name.
    type: dict
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Judge a host
  ansible.builtin.debug:
    msg: "{{ seen | sluice.bluegreen.host_troubles(least=wanted) }}"
"""

RETURN = r"""
_value:
  description: The troubles; empty where there are none.
  type: list
  elements: str
"""


def host_troubles(seen: Mapping[str, Any], least: Mapping[str, Any]) -> list[str]:
    """One sentence a trouble; see DOCUMENTATION."""
    try:
        return troubles(seen, least)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"sluice.bluegreen.host_troubles: {error!r} in what was read") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_troubles": host_troubles}
