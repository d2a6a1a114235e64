# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight of the balancer's role as a filter; what it knows is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._limits import service_problems

DOCUMENTATION = r"""
name: haproxy_problems
short_description: What HAProxy could not do with services
version_added: 0.1.0
description:
  - Looks at services before anything is written for them, and says in one sentence each what HAProxy would refuse or
    get wrong, such as a balance algorithm that does not change weights at runtime, more servers than C(roundrobin)
    holds, names and addresses that are none, or a port that the statistics have.
options:
  _input:
    description: The services, normalised.
    type: list
    elements: dict
    required: true
  stats_bind:
    description: Address and port of the statistics; none where they are not served.
    type: str
  here:
    description:
      - The services as they are on this balancer, RV(sluice.bluegreen.haproxy_config_info#module:services). With them a
        server is refused that would come to a color that has a share of the traffic.
    type: dict
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Refuse what HAProxy cannot do
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('; ') }}"
  vars:
    problems: "{{ haproxy_services | sluice.bluegreen.haproxy_problems }}"
"""

RETURN = r"""
_value:
  description: The problems; empty where there are none.
  type: list
  elements: str
"""


def haproxy_problems(
    services: Sequence[Mapping[str, Any]],
    stats_bind: Optional[str] = None,
    here: Optional[Mapping[str, Mapping[str, Any]]] = None,
) -> list[str]:
    """One sentence a problem; see DOCUMENTATION."""
    if isinstance(services, (str, Mapping)) or not all(isinstance(service, Mapping) for service in services):
        raise AnsibleFilterError("sluice.bluegreen.haproxy_problems: wants a list of services")
    return service_problems(services, stats_bind or None, here)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"haproxy_problems": haproxy_problems}
