# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page says of the container: what ``community.docker.docker_container`` takes, checked by type. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ._errors import InputError
from ._schema import Reader, is_list, kind, plain, whole
from ._state import COLORS
from ._units import is_number, shown

SECRETS_FOLDER = "/run/secrets"

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_A_PORT = "write a port from 1 to 65535"
_SECRET = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SIZE = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[kmgtKMGT]i?)?[bB]?")
_RESTARTS = ("unless-stopped", "no")
# Docker remembers for none of them that a container was stopped on purpose.
_RESTARTS_ALL = ("always", "on-failure")
# Those by which the balancers could not reach the published port.
_NO_NETWORK = ("none", "container:")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{shown(value)} is {kind(value)}, not a text; put it in quotes if it is meant so")
    return plain(value)


def _id(value: Any) -> str:
    """A text, or a number such as a user's."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{shown(value)} is {kind(value)}; write true or false")
    return value


def _count(low: int, high: int) -> Callable[[Any], int]:
    return lambda value: whole(value, low, high, f"write a whole number from {low} to {high}")


def _cpus(value: Any) -> float:
    if not is_number(value) or not 0 < float(value) <= 4096:
        raise InputError(f"{shown(value)} is not a number of processors; write one such as 1.5")
    return float(value)


def _size(value: Any) -> str:
    size = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(size, str) or not _SIZE.fullmatch(size):
        raise InputError(f"{shown(value)} is not a size; write one such as 256m or 1g")
    return plain(size)


def _swap(value: Any) -> str:
    return "-1" if value in (-1, "-1") else _size(value)


def _signal(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"SIG[A-Z0-9+-]+|[0-9]{1,2}", value):
        raise InputError(f"{shown(value)} is not a signal; write one such as SIGTERM, or its number in quotes")
    return plain(value)


def _restart(value: Any) -> str:
    if value is False:
        raise InputError("it came as false, which YAML makes of no; put it in quotes: 'no'")
    if value in _RESTARTS_ALL:
        raise InputError(
            f"write unless-stopped; with {value}, Docker starts after a reboot of the VM what was stopped on purpose, "
            "an old version beside the one that serves, and both want one port"
        )
    if value not in _RESTARTS:
        raise InputError(f"{shown(value)} is not known; write one of {', '.join(_RESTARTS)}")
    return plain(str(value))


def _texts(value: Any) -> list[str]:
    if not is_list(value):
        raise InputError(f"{shown(value)} is {kind(value)}, not a list of texts; write it as a list, [a, b]")
    for entry in value:
        if not isinstance(entry, str) or not entry:
            raise InputError(f"{shown(entry)} in the list is {kind(entry)}, not a text; put it in quotes")
    return [plain(entry) for entry in value]


def _line(value: Any) -> Any:
    """A command: a text, or a list of words."""
    return plain(value) if isinstance(value, str) and value else _texts(value)


def _mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise InputError(f"{shown(value)} is {kind(value)}, not a dictionary of names and texts")
    found = {}
    for name, item in value.items():
        if not isinstance(item, (str, int)) or isinstance(item, bool):
            raise InputError(f"{name} is {shown(item)}, {kind(item)}, not a text; put it in quotes")
        found[plain(str(name))] = plain(str(item))
    return found


def _entries(needed: str) -> Callable[[Any], list[dict[str, Any]]]:
    """A list of dictionaries, each with a text ``needed``; what else is in them is for the module to judge."""

    def read(value: Any) -> list[dict[str, Any]]:
        if not is_list(value):
            raise InputError(f"{shown(value)} is {kind(value)}, not a list of dictionaries")
        found: list[dict[str, Any]] = []
        for number, entry in enumerate(value):
            if not isinstance(entry, Mapping) or not isinstance(entry.get(needed), str):
                raise InputError(f"entry {number} must be a dictionary with a text '{needed}'")
            found.append({plain(str(key)): _plain(item) for key, item in entry.items()})
        return found

    return read


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {plain(str(key)): _plain(item) for key, item in value.items()}
    if is_list(value):
        return [_plain(item) for item in value]
    return plain(value) if isinstance(value, str) else value


# By their names in community.docker.docker_container, which is given them as they are.
PASSED: dict[str, Callable[[Any], Any]] = {
    "capabilities": _texts,
    "cap_drop": _texts,
    "cgroup_parent": _text,
    "command": _line,
    "cpus": _cpus,
    "cpuset_cpus": _id,
    "cpu_shares": _count(2, 262144),
    "devices": _texts,
    "dns_opts": _texts,
    "dns_search_domains": _texts,
    "dns_servers": _texts,
    "entrypoint": _texts,
    "etc_hosts": _mapping,
    "groups": _texts,
    "hostname": _text,
    "init": _boolean,
    "ipc_mode": _text,
    "log_driver": _text,
    "log_options": _mapping,
    "memory": _size,
    "memory_reservation": _size,
    "memory_swap": _swap,
    "mounts": _entries("target"),
    "network_mode": _text,
    "networks": _entries("name"),
    "oom_score_adj": _count(-1000, 1000),
    "pids_limit": _count(-1, 4194304),
    "privileged": _boolean,
    "read_only": _boolean,
    "restart_policy": _restart,
    "runtime": _text,
    "security_opts": _texts,
    "shm_size": _size,
    "stop_signal": _signal,
    "sysctls": _mapping,
    "tmpfs": _texts,
    "ulimits": _texts,
    "user": _id,
    "userns_mode": _text,
    "volumes": _texts,
    "working_dir": _text,
}


def read_container(top: Reader, topology: str = "paired") -> dict[str, Any]:
    """``port``, ``publish`` and ``env``; what else the page has under ``container`` as the module takes it."""
    container = top.section("container", required="say at least on which port the app listens: container: {port: 8080}")
    port = container.integer("port", low=1, high=65535, wanted=_A_PORT)
    found: dict[str, Any] = {
        "port": port,
        "publish": _publish(container, port, topology),
        "env": container.texts("env", pattern=_NAME, wanted="use letters, digits and '_'", secret=True),
    }
    if container.take("stop_timeout") is not None:
        # Docker takes whole seconds only.
        found["stop_timeout"] = round(container.duration("stop_timeout", 10, low=1, high=3600))
    secrets = container.texts(
        "secrets",
        pattern=_SECRET,
        wanted="it becomes the name of a file: use letters, digits, '.', '_', '-'",
        secret=True,
    )
    if secrets:
        found["secrets"] = secrets
    for key, read in PASSED.items():
        value = _passed(container, key, read)
        if value is not None:
            found[key] = value
    _check_together(container, found)
    container.done()
    return found


def _publish(container: Reader, port: int, topology: str) -> dict[str, int]:
    """The port of a VM by color: two where both colors share it."""
    if topology == "paired":
        return dict.fromkeys(COLORS, container.integer("publish", port, low=1, high=65535, wanted=_A_PORT))
    two = "name two ports of the VM: publish: {blue: 8080, green: 8081}"
    if isinstance(container.take("publish"), int):
        container.note("publish", f"{container.take('publish')} is one port for both colors, which share the VM; {two}")
        return dict.fromkeys(COLORS, port)
    ports = container.section("publish", required=two)
    found = {color: ports.integer(color, low=1, high=65535, wanted=_A_PORT) for color in COLORS}
    ports.done()
    if found["blue"] and found["blue"] == found["green"]:
        ports.note("green", f"is the same port as blue, {found['blue']}, on the same VM; write another one")
    return found


def _passed(container: Reader, key: str, read: Callable[[Any], Any]) -> Optional[Any]:
    value = container.take(key)
    if value is None:
        return None
    try:
        return read(value)
    except InputError as error:
        container.note(key, str(error))
        return None


def _check_together(container: Reader, found: Mapping[str, Any]) -> None:
    mode = found.get("network_mode", "")
    if mode.startswith(_NO_NETWORK):
        container.note("network_mode", f"{shown(mode)} publishes no port that the balancers could reach; leave it out")
    others = sorted({port for port in found["publish"].values() if port != found["port"]})
    if mode == "host" and others:
        container.note(
            "publish",
            f"{others[0]} is not the port {found['port']} that the app has on the VM with network_mode host; make them "
            "the same",
        )
    if "log_options" in found and "log_driver" not in found:
        container.note("log_options", "belongs to a log_driver; name that too, such as json-file")
    if found.get("secrets"):
        for key in ("volumes", "tmpfs", "mounts"):
            for place in found.get(key, []):
                if _target(key, place).rstrip("/") == SECRETS_FOLDER:
                    container.note(
                        key, f"{SECRETS_FOLDER} is where the secrets go; choose another place, or write no secrets"
                    )


def _target(key: str, place: Any) -> str:
    """Where in the container a volume, a tmpfs or a mount lands."""
    if key == "mounts":
        return str(place["target"])
    parts = str(place).split(":")
    return parts[0] if key == "tmpfs" or len(parts) == 1 else parts[1]
