# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration is on the balancer's disk, and which of it HAProxy has loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import _journal, _state
from .._errors import BalancerError
from .._paths import ServicePaths
from ._checks import of_file
from ._config import COLORS, MAIN, is_service_file, read_service_file, revision
from ._report import read_disk
from ._socket import RuntimeSocket
from ._stats import INFO_COMMAND, ProcessInfo, parse_info, parse_states, parse_stats, states_command, stats_command
from ._weights import shares_of


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
            "checks": of_file(text, path.stem),
        }
    return Files(revision(main, MAIN) if main else None, services, foreign)


def read_loaded(sock: RuntimeSocket, names: list[str]) -> Loaded:
    """Ask HAProxy which revisions it has loaded; ``BalancerError`` where it does not run."""
    variables = [f"show env sluice_{name}" for name in names]
    services = [name for name in names if name != MAIN]
    info, level, *replies = sock.run(
        [INFO_COMMAND, "show cli level", *variables, *(f"show stat {name} 2 -1" for name in services)]
    )
    found = dict(reply.split("=", 1) for reply in replies[: len(names)] if "=" in reply)
    # Before 3.1 the variable of a file that was taken away stays in the environment of the master process.
    there = {name for name, reply in zip(services, replies[len(names) :]) if f"\n{name},BACKEND," in reply}
    revisions = {name: found.get(f"sluice_{name}") if name == MAIN or name in there else None for name in names}
    return Loaded(parse_info(info, sock.path), level.strip(), revisions)


def committed(paths: ServicePaths, files: Files, sock: RuntimeSocket) -> dict[str, Any] | None:
    """The committed split of a service, ``{"shares": per cent by color, "source": str}``; None where there is none.

    It is what the service's file says. Where that was lost, it is what the journal says was committed last, and where
    that is gone as well, what HAProxy still works with: a file is never written anew with another split than is live.
    """
    service = files.services.get(paths.service)
    if service:
        return {"shares": service["shares"], "source": "disk"}
    state = _state.derive(_journal.read(paths.journal).events)
    if state["generation"]:
        return {"shares": state["shares"], "source": "journal"}
    backends = [paths.service, *(f"{paths.service}_{color}" for color in COLORS)]
    try:
        main, *of_color = (
            parse_states(reply, backend, sock.path)
            for backend, reply in zip(backends, sock.run(list(map(states_command, backends))))
        )
    except BalancerError:
        return None
    weights = {name: server.weight for name, server in main.items()}
    colors = {color: [name for name in found if name in weights] for color, found in zip(COLORS, of_color)}
    shares = shares_of(weights, colors)
    return {"shares": shares, "source": "runtime"} if any(shares.values()) else None


def read_up(sock: RuntimeSocket, services: Sequence[str]) -> dict[str, list[str]]:
    """By service the servers that HAProxy calls up; one that it has not loaded is left out."""
    found = {}
    for service, reply in zip(services, sock.run([stats_command(service) for service in services])):
        with suppress(BalancerError):
            stats = parse_stats(reply, service, sock.path)
            found[service] = [name for name, server in stats.items() if server.up]
    return found


def compare(main_cfg: str, conf_dir: str, sock: RuntimeSocket, services: Sequence[ServicePaths] = ()) -> dict[str, Any]:
    """The result of ``haproxy_config_info``; HAProxy that does not answer is a finding and no error.

    ``services`` are those whose committed split is looked for elsewhere where their file is gone, and of which is told
    which servers are up.
    """
    files = read_files(main_cfg, conf_dir)
    splits = {paths.service: committed(paths, files, sock) for paths in services}
    on_disk = {MAIN: files.main, **{name: service["revision"] for name, service in files.services.items()}}
    result: dict[str, Any] = {
        "main": {"path": main_cfg, "revision": files.main},
        "services": dict(files.services),
        "foreign": files.foreign,
        "committed": {name: split for name, split in splits.items() if split},
    }
    try:
        loaded = read_loaded(sock, list(on_disk))
        result["up"] = read_up(sock, [name for name in splits if name in files.services])
    except BalancerError as error:
        nothing = {"running": False, "outdated": [], "up": {}, "haproxy": None, "level": None}
        return {**result, **nothing, "problem": str(error)}
    outdated = [name for name, wanted in on_disk.items() if wanted and loaded.revisions[name] != wanted]
    haproxy = asdict(loaded.info)
    return {**result, "running": True, "problem": "", "outdated": outdated, "haproxy": haproxy, "level": loaded.level}
