# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that says where a host's Docker Engine is."""

from __future__ import annotations


class ModuleDocFragment:
    """``sluice.bluegreen.engine`` where community.docker asks it.

    ``sluice.bluegreen.engine.socket`` is for modules that ask it themselves, on its own host.
    """

    DOCUMENTATION = r"""
options:
  docker_host:
    description: The engine's address.
    type: str
    default: unix:///var/run/docker.sock
"""

    SOCKET = r"""
options:
  docker_socket:
    description: Unix socket of the engine.
    type: str
    default: unix:///var/run/docker.sock
"""
