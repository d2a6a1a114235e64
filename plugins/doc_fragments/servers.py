# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a service's servers, as modules on a balancer take them."""

from __future__ import annotations


class ModuleDocFragment:
    """The module says itself what its option C(servers) is for."""

    DOCUMENTATION = r"""
options:
  servers:
    description: All servers of the service.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the server in HAProxy, which is its inventory name.
        type: str
        required: true
      color:
        description: Color that it belongs to.
        type: str
        choices: [blue, green]
        required: true
      capacity:
        description: How much it carries beside the others of its color; weights follow it.
        type: float
        default: 1.0
      address:
        description: Not used here; allowed, so that a service's list can be given as it is.
        type: str
      port:
        description: Not used here; allowed, so that a service's list can be given as it is.
        type: int
"""
