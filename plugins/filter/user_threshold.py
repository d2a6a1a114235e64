# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threshold of a split by user for the templates of the balancer's role; its arithmetic is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._users import FIRST_COLOR, threshold

DOCUMENTATION = r"""
name: user_threshold
short_description: How many of 10000 places of users belong to green
version_added: 0.1.0
description:
  - A user has a place from 0 to 9999. Those below the threshold get green, the others blue.
  - The threshold is what the weights of the servers give; V(-1) where every weight is 0, before a first release.
positional: servers
options:
  _input:
    description: Weight by server, as P(sluice.bluegreen.split_weights#filter) gives them.
    type: dict
    required: true
  servers:
    description: The servers, each a dictionary with C(name) and C(color).
    type: list
    elements: dict
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Show the threshold of a canary with 5 %
  ansible.builtin.debug:
    msg: "{{ weights | sluice.bluegreen.user_threshold(servers) }}"  # 500
  vars:
    weights: "{{ servers | sluice.bluegreen.split_weights({'blue': 95, 'green': 5}) }}"
"""

RETURN = r"""
_value:
  description: The threshold.
  type: int
"""


def user_threshold(weights: Mapping[str, int], servers: Sequence[Mapping[str, Any]]) -> int:
    """The threshold that belongs to ``weights``; see DOCUMENTATION."""
    try:
        return threshold(weights, [str(server["name"]) for server in servers if server["color"] == FIRST_COLOR])
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "sluice.bluegreen.user_threshold: wants weights by server and a list of servers with name and color; "
            f"{type(error).__name__}: {error}"
        ) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"user_threshold": user_threshold}
