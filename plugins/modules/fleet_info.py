#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the action plugin of the same name does the work, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_info
short_description: Read the definition of a fleet, checked and complete
version_added: 0.1.0
description:
  - Reads the definition of a fleet of VMs, checks it, and gives it back with every default filled in and its hosts
    spread out to a flat list. The role P(sluice.bluegreen.provision#role) takes this form.
  - Everything that is wrong is told at once, each with its key, what was given, and the way out.
  - Fails too where the controller lacks a collection or a Python package that the provider needs, with the way to
    get it.
  - Runs on the controller without any connection.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
options:
  definition:
    description: The definition, as it stands in the variable C(bluegreen_fleet).
    type: raw
    required: true
  providers:
    description:
      - By the name of a provider what it says of itself.
      - C(makes) whether it makes hosts; C(takes) the keys of a size that it does something with; C(needs) collections
        and Python packages (C(import=package) where their names differ) on the controller; C(options) the argument
        spec of what only this provider needs.
    type: dict
    required: true
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Read the definition
  sluice.bluegreen.fleet_info:
    definition: "{{ bluegreen_fleet }}"
    providers: {docker: {takes: [cpus, memory, image], options: {subnet: {type: str, required: true}}}}
  register: found
"""

RETURN = r"""
fleet:
  description: The definition, complete.
  returned: success
  type: dict
  contains:
    name: {description: Name of the fleet., type: str}
    provider: {description: Who makes the hosts., type: str}
    makes: {description: Whether that provider makes hosts., type: bool}
    inventory: {description: "Folder of the inventory, or none where no host is made.", type: str}
    user: {description: Login., type: str}
    ssh_public_key: {description: "File of the key that is let in, or none where no host is made.", type: str}
    hosts:
      description: Every host; what is said nowhere is none.
      type: list
      elements: dict
      sample:
        - name: blue1
          machine: shop-prod-blue1
          group: shop_blue
          index: 1
          cpus: 2
          memory_mib: 2048
          disk_gib: 10
          image: debian-12
          network:
    settings: {description: "What only this provider needs, with its defaults.", type: dict}
    ignored:
      description: Keys of a size that are written and that this provider does nothing with.
      type: list
      elements: str
problems:
  description: What is wrong with the definition, by key.
  returned: failure, where it is the definition that is wrong
  type: list
  elements: dict
"""
