# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration is on the balancer's disk, and which of it HAProxy has loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._errors import BalancerError
from ._config import MAIN, is_service_file, read_service_file, revision
from ._report import read_disk
from ._socket import RuntimeSocket
from ._stats import INFO_COMMAND, ProcessInfo, parse_info


@dataclass(frozen=True)
class Files:
    """What is on disk: the main file's revision (none: not written by the role), services by name, other files."""

    main: str | None
    services: Mapping[str, Mapping[str, Any]]
    foreign: list[str]


@dataclass(frozen=True)
class Loaded:
    """What HAProxy runs with: the revision by name (a service's, or ``MAIN``; None where it never loaded one).

    ``level`` is what the socket may do: admin, operator or user.
    """

    info: ProcessInfo
    level: str
    revisions: Mapping[str, str | None]


def read_files(main_cfg: str, conf_dir: str) -> Files:
    """Read every file that HAProxy would; ``BalancerError`` where one of ours cannot be understood."""
    main = read_service_file(main_cfg)
    services = {}
    foreign = []
    for path in sorted(Path(conf_dir).glob("[!.]*.cfg")):
        text = read_service_file(str(path)) or ""
        if not is_service_file(text):
            foreign.append(str(path))
            continue
        disk = read_disk(str(path), path.stem)
        services[path.stem] = {
            "path": str(path),
            "revision": revision(text, path.stem),
            "shares": dict(disk.shares),
            "weights": dict(disk.weights),
            "colors": {color: list(names) for color, names in disk.colors.items()},
        }
    return Files(revision(main, MAIN) if main else None, services, foreign)


def read_loaded(sock: RuntimeSocket, names: list[str]) -> Loaded:
    """Ask HAProxy which revisions it has loaded; ``BalancerError`` where it does not run."""
    info, level, *replies = sock.run([INFO_COMMAND, "show cli level", *(f"show env sluice_{name}" for name in names)])
    found = dict(reply.split("=", 1) for reply in replies if "=" in reply)
    return Loaded(parse_info(info, sock.path), level.strip(), {name: found.get(f"sluice_{name}") for name in names})


def compare(main_cfg: str, conf_dir: str, sock: RuntimeSocket) -> dict[str, Any]:
    """The result of ``haproxy_config_info``; HAProxy that does not answer is a finding and no error."""
    files = read_files(main_cfg, conf_dir)
    on_disk = {MAIN: files.main, **{name: service["revision"] for name, service in files.services.items()}}
    result: dict[str, Any] = {
        "main": {"path": main_cfg, "revision": files.main},
        "services": dict(files.services),
        "foreign": files.foreign,
    }
    try:
        loaded = read_loaded(sock, list(on_disk))
    except BalancerError as error:
        return {**result, "running": False, "problem": str(error), "outdated": [], "haproxy": None, "level": None}
    outdated = [name for name, wanted in on_disk.items() if wanted and loaded.revisions[name] != wanted]
    haproxy = asdict(loaded.info)
    return {**result, "running": True, "problem": "", "outdated": outdated, "haproxy": haproxy, "level": loaded.level}
