# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by the modules that run on a balancer."""

from __future__ import annotations


class ModuleDocFragment:
    """Where HAProxy and the records of the services are; the role C(haproxy) sets the same defaults."""

    DOCUMENTATION = r"""
options:
  service:
    description: Name of the service, which is the name of its backend and of its file in O(config_dir).
    type: str
    required: true
  socket:
    description: Path of HAProxy's Runtime API socket, of level C(admin).
    type: path
    default: /run/haproxy/admin.sock
  config_dir:
    description: Folder with one HAProxy file per service.
    type: path
    default: /etc/haproxy/conf.d
  state_dir:
    description: Folder of the journals, which survive a reboot.
    type: path
    default: /var/lib/sluice
  run_dir:
    description: Folder of the locks and leases, which must not survive a reboot.
    type: path
    default: /run/sluice
"""
