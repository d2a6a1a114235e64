# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The split by user: each user has a place from 0 to 9999, and those below a threshold get green, the others blue.

The threshold always is what the weights of the service's backend give, so that one split has one truth. It is a number
in the service's file, for whatever starts HAProxy, and an entry of a map at runtime, which comes first. Since the file
of the map never has that entry, a reload goes back to what is committed. Raising a color's share never takes a user
away from it, whichever color it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._errors import BalancerError
from ._socket import RuntimeSocket
from ._stats import INFO_COMMAND, parse_info, states_command
from ._weights import WAYS

PLACES = 10000
NOBODY = -1
"""The threshold of a service without a release: no color gets anybody."""
FIRST_COLOR = "green"
"""The color that the places below the threshold belong to."""
ENTRY = "users"


@dataclass(frozen=True)
class Users:
    """What HAProxy works with: the threshold, whether the map at ``path`` says so, and the servers of green."""

    path: str
    threshold: int
    is_entry: bool
    first: Sequence[str]

    def wanted(self, weights: Mapping[str, int]) -> int:
        """The threshold that belongs to ``weights``."""
        return threshold(weights, self.first)

    def commands(self, wanted: int) -> list[str]:
        """What sets the threshold to ``wanted``; nothing where HAProxy works with that already."""
        if wanted == self.threshold:
            return []
        return [f"{'set' if self.is_entry else 'add'} map {self.path} {ENTRY} {wanted}"]


def threshold(weights: Mapping[str, int], first: Sequence[str]) -> int:
    """How many of all places are green's; a color with any weight never has none of them."""
    total, part = sum(weights.values()), sum(weights.get(name, 0) for name in first)
    if total == 0:
        return NOBODY
    if part in (0, total):
        return PLACES if part else 0
    return min(max((2 * PLACES * part + total) // (2 * total), 1), PLACES - 1)


def variables(service: str) -> tuple[str, str]:
    """The variables of HAProxy's environment that tell the map of a service and the threshold that it started with.

    No service's own variable is called so: their names have no capitals.
    """
    return f"sluice_Map_{service}", f"sluice_Users_{service}"


def map_of(sock: RuntimeSocket, service: str) -> str | None:
    """The map that HAProxy reads the service's runtime state from; None where it needs none."""
    return _value(sock.run([f"show env {variables(service)[0]}"])[0])


def way(sock: RuntimeSocket, service: str) -> str:
    """The way of splitting that HAProxy has loaded, one of ``_weights.WAYS``."""
    return _value(sock.run([f"show env sluice_By_{service}"])[0]) or WAYS[0]


def read(sock: RuntimeSocket, service: str, pid: int) -> Users | None:
    """The split by user that process ``pid`` works with; None where the service is not split so."""
    path, started = (_value(reply) for reply in sock.run([f"show env {name}" for name in variables(service)]))
    if path is None or started is None:
        return None
    info, states, entries = sock.run([INFO_COMMAND, states_command(f"{service}_{FIRST_COLOR}"), f"show map {path}"])
    if parse_info(info, sock.path).pid != pid:
        raise BalancerError(f"HAProxy at {sock.path} was reloaded meanwhile; do it again.", socket=sock.path)
    found = map_entries(entries).get(ENTRY)
    rows = [line.split(" ") for line in states.splitlines()[2:]]
    first = [row[3] for row in rows if len(row) > 3 and not row[0].startswith("#")]
    try:
        return Users(path, int(started if found is None else found), found is not None, first)
    except ValueError as error:
        raise BalancerError(
            f"HAProxy at {sock.path} has {found or started!r} as the threshold of service {service} in {path}, which "
            f"is not a number. Run `clear map {path}` on its socket, or reload HAProxy.",
            socket=sock.path,
        ) from error


def map_entries(reply: str) -> dict[str, str]:
    """The entries that `show map` tells, by key; the first of several, as HAProxy looks them up."""
    found: dict[str, str] = {}
    for line in reply.splitlines():
        parts = line.split(None, 2)
        if len(parts) == 3 and parts[0].startswith("0x"):
            found.setdefault(parts[1], parts[2])
    return found


def _value(reply: str) -> str | None:
    return reply.split("=", 1)[1].strip() if "=" in reply else None
