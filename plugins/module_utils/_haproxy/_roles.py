# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which color is stable and which is the candidate, for pins and previews: HAProxy follows the journal by a map.

The map's file is written as well, so that a reload keeps it. It says nothing of the split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import _journal, _state
from .._errors import BalancerError
from .._paths import ServicePaths
from ._socket import RuntimeSocket
from ._users import map_entries

ROLES = ("stable", "candidate")
# A color that is being deployed to is not to be seen yet.
_SEEN = ("deployed", "rolling", "paused")


def roles(state: Mapping[str, Any]) -> dict[str, str]:
    """The color of each role that there is, from the state that the journal gives."""
    release = state["release"]
    found = {"stable": state["stable"], "candidate": None}
    if release and release["phase"] in _SEEN:
        found["candidate"] = release["color"]
    return {role: color for role, color in found.items() if color}


def follow(paths: ServicePaths, sock: RuntimeSocket, unwritten: Sequence[_state.Event] = ()) -> bool:
    """Let pins and previews go where the journal says, and say whether that changed anything.

    ``unwritten`` are events that the journal did not take. Nothing is done where HAProxy has none for the service.
    Raises ``BalancerError`` where it does not take it, and OSError where the journal or the map's file cannot be used.
    """
    reply = sock.run([f"show env sluice_Roles_{paths.service}"])[0]
    if "=" not in reply:
        return False
    path = reply.split("=", 1)[1].strip()
    wanted = roles(_state.derive([*_journal.read(paths.journal).events, *unwritten]))
    commands = _commands(path, map_entries(sock.run([f"show map {path}"])[0]), wanted)
    if commands:
        sock.act(commands)
        found = map_entries(sock.run([f"show map {path}"])[0])
        if {role: found[role] for role in ROLES if role in found} != wanted:
            raise BalancerError(f"HAProxy at {sock.path} took {commands} and yet has {found} in {path}.", path=path)
    return _write(Path(path), wanted) or bool(commands)


def map_text(wanted: Mapping[str, str]) -> str:
    """The map's file."""
    lines = [f"{role} {wanted[role]}" for role in ROLES if role in wanted]
    return "\n".join(["# Follows the journal of the service; written by sluice.bluegreen.", *lines]) + "\n"


def _commands(path: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    commands = []
    for role in ROLES:
        if role in wanted and found.get(role) != wanted[role]:
            commands.append(f"{'set' if role in found else 'add'} map {path} {role} {wanted[role]}")
        elif role in found and role not in wanted:
            commands.append(f"del map {path} {role}")
    return commands


def _write(path: Path, wanted: Mapping[str, str]) -> bool:
    text = map_text(wanted)
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") == text:
        return False
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    temporary.replace(path)
    return True
