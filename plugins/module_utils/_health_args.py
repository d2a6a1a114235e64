# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a ``health`` setting is declared as an option of a module."""

from __future__ import annotations

from typing import Any

HEALTH: dict[str, dict[str, Any]] = {
    "tcp": {"type": "bool", "default": False},
    "path": {"type": "str", "default": "/"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "response_headers": {"type": "dict", "default": {}},
    "version_header": {"type": "str"},
    "version_json": {"type": "str"},
    "contains": {"type": "str"},
    "matches": {"type": "str"},
    "json": {"type": "dict", "default": {}},
    "host_header": {"type": "str"},
    "request_headers": {"type": "dict", "default": {}},
    "tls": {"type": "bool", "default": False},
    "port": {"type": "int"},
    "docker": {"type": "bool", "default": False},
    "consecutive": {"type": "int", "default": 3},
    "stable_for": {"type": "str", "default": "0"},
    "interval": {"type": "str", "default": "2"},
    "backoff": {"type": "str"},
    "probe_timeout": {"type": "str", "default": "5"},
    "timeout": {"type": "str", "default": "60"},
}
