# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers that serve will be asked for anew, as a filter; what it knows is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._checks import new_checks

DOCUMENTATION = r"""
name: haproxy_new_checks
short_description: What servers that serve now will be asked for, and have not been until now
version_added: 0.1.0
description:
  - Compares what HAProxy asks the servers of services for with what their pages say now. A version that serves may not
    answer at another path, port or address, and HAProxy would call it down.
  - Gives nothing where nothing of this changes, for colors without a share, and for servers that are not up.
positional: here, up
options:
  _input:
    description: The services, normalised.
    type: list
    elements: dict
    required: true
  here:
    description: RV(sluice.bluegreen.haproxy_config_info#module:services).
    type: dict
    required: true
  up:
    description: RV(sluice.bluegreen.haproxy_config_info#module:up).
    type: dict
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Ask them once before HAProxy does
  sluice.bluegreen.health_gate:
    endpoints: "{{ item.endpoints }}"
    health: "{{ item.health }}"
  loop: "{{ haproxy_services | sluice.bluegreen.haproxy_new_checks(config.services, config.up) }}"
"""

RETURN = r"""
_value:
  description: >-
    What to ask, each with C(service), and C(endpoints) and C(health) as M(sluice.bluegreen.health_gate) takes them.
  type: list
  elements: dict
"""


def haproxy_new_checks(
    services: Sequence[Mapping[str, Any]], here: Mapping[str, Mapping[str, Any]], up: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """What to ask; see DOCUMENTATION."""
    return new_checks(services, here, up)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"haproxy_new_checks": haproxy_new_checks}
