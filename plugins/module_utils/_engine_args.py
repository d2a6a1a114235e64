# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the doc fragments ``sluice.bluegreen.engine`` and ``sluice.bluegreen.engine.socket``."""

from __future__ import annotations

from typing import Any

SOCKET = "unix:///var/run/docker.sock"
ENGINE: dict[str, Any] = {"type": "str", "default": SOCKET}
"""The spec of ``docker_host`` and of ``docker_socket``."""
