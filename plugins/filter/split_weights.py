# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for the templates of the balancer's role; the arithmetic is in ``module_utils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import capacities
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._config import COLORS

DOCUMENTATION = r"""
name: split_weights
short_description: Weights of servers for a split between two colors
version_added: 0.1.0
description:
  - Gives every server an integer weight from 0 to 256, so that the two colors get shares of the requests that come as
    close to the wanted ones as integer weights can.
  - A share above 0 never gets no weight at all, and a share below 100 never all of it.
positional: shares, by
options:
  _input:
    description: The servers, each a dictionary with C(name), C(color) and, where not 1, its relative C(capacity).
    type: list
    elements: dict
    required: true
  shares:
    description: Per cent by color, adding up to 100; or 0 for both, before a first release.
    type: dict
    required: true
  by:
    description:
      - The way to split. With V(vm) a weight is 256 or 0, and the number of servers makes the share.
    type: str
    choices: [requests, user, vm]
    default: requests
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Show the weights of a canary with 5 %
  ansible.builtin.debug:
    msg: "{{ bluegreen_service.servers | sluice.bluegreen.split_weights({'blue': 95, 'green': 5}) }}"
    # {'blue1': 247, 'blue2': 247, 'green1': 13, 'green2': 13}
"""

RETURN = r"""
_value:
  description: Weight by server.
  type: dict
"""


def split_weights(
    servers: Sequence[Mapping[str, Any]], shares: Mapping[str, Any], by: str = _weights.WAYS[0]
) -> dict[str, int]:
    """Weight by server for ``shares``, per cent by color; see DOCUMENTATION."""
    try:
        by_color = {color: [str(server["name"]) for server in servers if server["color"] == color] for color in COLORS}
        percent = {str(color): float(share) for color, share in shares.items()}
        return _weights.weights_by(by, by_color, percent, capacities(servers))
    except SluiceError as error:
        raise AnsibleFilterError(f"sluice.bluegreen.split_weights: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(
            "sluice.bluegreen.split_weights: wants a list of servers with name and color, and per cent by color; "
            f"{type(error).__name__}: {error}"
        ) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"split_weights": split_weights}
