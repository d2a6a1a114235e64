# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a balancer, with what the role installed there: how a service stands, a line of JSON for each line of input.

Arguments: HAProxy's socket, the service, and the folders of :class:`ServicePaths` where they are others. A line
``whole`` has every segment of the journal looked through; any other the present one only, which is read anyway.
"""

from __future__ import annotations

import json
import re
import sys

from sluice_bluegreen import _journal, _lease, _lock, _state
from sluice_bluegreen._errors import SluiceError
from sluice_bluegreen._haproxy import _stats
from sluice_bluegreen._haproxy._socket import RuntimeSocket
from sluice_bluegreen._paths import ServicePaths

# Keywords that end the section before.
SECTIONS = "global|defaults|frontend|backend|listen|peers|resolvers|userlist|cache"


def servers(text: str, backend: str) -> list[str]:
    """The lines of the servers of a backend. Not with what wrote them, which would be wrong in the same way."""
    section = re.search(
        rf"^backend {re.escape(backend)}\n(.*?)(?=^(?:{SECTIONS})\b|\Z)", text, re.MULTILINE | re.DOTALL
    )
    return re.findall(r"^\s*server (.*)$", section[1], re.MULTILINE) if section else []


def weights_on_disk(text: str, service: str) -> dict[str, int]:
    """By server, what a restart of HAProxy would begin with."""
    found = (re.search(r"^(\S+) .*?\bweight (\d+)", line) for line in servers(text, service))
    return {match[1]: int(match[2]) for match in found if match}


def shares_on_disk(text: str, service: str) -> dict[str, float]:
    """By color, what these weights give it in per cent; 0 for both where nothing has a weight."""
    weights = weights_on_disk(text, service)
    of_color = {
        color: sum(weights.get(line.split()[0], 0) for line in servers(text, f"{service}_{color}"))
        for color in ("blue", "green")
    }
    total = sum(weights.values())
    return {color: 100.0 * weight / total if total else 0.0 for color, weight in of_color.items()}


def look(paths: ServicePaths, socket: str, whole: bool = False) -> dict[str, object]:
    """What is committed, what HAProxy works with (None where it does not answer), lock, lease, journal."""
    text = paths.config.read_text(encoding="utf-8") if paths.config.exists() else ""
    content = _journal.read(paths.journal)
    try:
        runtime = {
            name: state.weight for name, state in _stats.server_states(RuntimeSocket(socket), paths.service).items()
        }
    except SluiceError:
        runtime = None
    return {
        "disk": weights_on_disk(text, paths.service),
        "shares": shares_on_disk(text, paths.service),
        "runtime": runtime,
        "lock": _lock.current(paths),
        "lease": _lease.current(paths),
        "damage": _journal.damage(paths.journal) if whole else content.damage,
        "state": _state.derive(content.events),
    }


if __name__ == "__main__":
    for asked in sys.stdin:
        print(json.dumps(look(ServicePaths(*sys.argv[2:]), sys.argv[1], asked == "whole\n")), flush=True)
