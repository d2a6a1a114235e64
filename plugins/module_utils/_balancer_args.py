# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the doc fragment ``sluice.bluegreen.balancer``, and what modules make of them."""

from __future__ import annotations

from typing import Any

from ._paths import CONFIG_DIR, RUN_DIR, STATE_DIR, ServicePaths

SOCKET = "/run/haproxy/admin.sock"


def balancer_args(**more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The argument spec of a module on a balancer, with its own options added."""
    return {
        "service": {"type": "str", "required": True},
        "socket": {"type": "path", "default": SOCKET},
        "config_dir": {"type": "path", "default": CONFIG_DIR},
        "state_dir": {"type": "path", "default": STATE_DIR},
        "run_dir": {"type": "path", "default": RUN_DIR},
        **more,
    }


def service_paths(params: dict[str, Any]) -> ServicePaths:
    return ServicePaths(params["service"], params["state_dir"], params["run_dir"], params["config_dir"])
