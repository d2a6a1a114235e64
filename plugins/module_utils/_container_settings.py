# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``community.docker.docker_container`` is given of a page's ``container``, for a version and for a hook. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._container_secrets import folder_of
from ._page_container import PASSED, SECRETS_FOLDER

# A command of its own has neither those of the version nor a second life.
_VERSIONS_OWN = ("command", "entrypoint", "restart_policy")
# Two containers of one network cannot share these, and whoever asks for an alias wants the service.
_ADDRESSES = ("aliases", "ipv4_address", "ipv6_address", "mac_address")


def of_version(container: Mapping[str, Any], name: str, secrets: bool) -> dict[str, Any]:
    """``name``: that of the container; ``secrets``: whether it finds any at ``/run/secrets``."""
    found = {key: container[key] for key in (*PASSED, "stop_timeout") if container.get(key) is not None}
    if secrets:
        found["volumes"] = [*found.get("volumes", []), f"{folder_of(name)}:{SECRETS_FOLDER}:ro"]
    return found


def of_command(container: Mapping[str, Any], name: str, secrets: bool) -> dict[str, Any]:
    """The same for a command beside the version's container: all that is not that container's alone."""
    found = {key: value for key, value in of_version(container, name, secrets).items() if key not in _VERSIONS_OWN}
    if "networks" in found:
        found["networks"] = [
            {key: value for key, value in network.items() if key not in _ADDRESSES} for network in found["networks"]
        ]
    return found
