# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the secrets of a service's page out of what anybody may read: containers' and registries'. Pure.

As for gates: a seal stands in a page that was read, and who needs the secret takes it from the variable itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ._gate._secrets import SEAL, opened
from ._gate._secrets import seal as seal_gates


def seal(service: Mapping[str, Any]) -> dict[str, Any]:
    """The same service, with a seal in the place of every secret."""
    sealed = {**service, "gates": seal_gates(service["gates"])}
    if service["container"].get("secrets"):
        sealed["container"] = {**service["container"], "secrets": dict.fromkeys(service["container"]["secrets"], SEAL)}
    if service["deploy"].get("login"):
        sealed["deploy"] = {**service["deploy"], "login": {**service["deploy"]["login"], "password": SEAL}}
    return sealed


def container_secrets(service: Mapping[str, Any], page: Optional[Mapping[str, Any]]) -> dict[str, str]:
    """Names and contents of the container's secrets; ``page`` is the service's, as written. Raises InputError."""
    given = (page or {}).get("container") or {}
    return {
        name: _opened(value, (given.get("secrets") or {}).get(name), f"container.secrets.{name}", service["name"])
        for name, value in (service["container"].get("secrets") or {}).items()
    }


def login(service: Mapping[str, Any], page: Optional[Mapping[str, Any]]) -> Optional[dict[str, str]]:
    """Name and password for the registry, or ``None``. Raises InputError."""
    found = (service.get("deploy") or {}).get("login")
    if not found:
        return None
    given = ((page or {}).get("deploy") or {}).get("login") or {}
    password = _opened(found["password"], given.get("password"), "deploy.login.password", service["name"])
    return {"username": found["username"], "password": password}


def _opened(sealed: Any, secret: Any, key: str, service: str) -> str:
    return str(opened(sealed, secret, where=f"service {service}", key=key, service=service, hosts="VMs"))
