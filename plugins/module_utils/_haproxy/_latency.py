# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each server took to answer, counted by HAProxy itself in buckets of a stick table. Read only.

What the template of a service does for it, in one lookup and one count a response: the microseconds from a request's
header to its response's are taken for an IPv4 address, a map of networks finds their bucket, and the table counts the
pair of server and bucket. It counts for the server that answered. Requests that were tried more than once are left out,
since most of their time belongs to a server that did not answer, and so are requests that no server answered. Where
there are many requests, one of some is timed: a response that is not costs next to nothing. Which one
is left to chance, so the parts of slow and quick responses stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .._errors import BalancerError
from ._socket import RuntimeSocket, first_line
from ._stats import SPARE, states_command

_FIRST, _LAST = 7, 25
# Sixteenths of an octave: each next one is at most 15 % more (23 / 20).
_STEPS = (16, 18, 20, 23, 26, 29)
_EDGES = (*((step << octave) >> 4 for octave in range(_FIRST, _LAST) for step in _STEPS), 1 << _LAST)
# A clock that is set back gives negative times, the upper half of all addresses: those are not counted.
_END = 1 << 31

BOUNDS: tuple[float, ...] = (*(edge / 1e6 for edge in _EDGES), float("inf"))
"""Upper bounds of the buckets in seconds, rising. Between 1 ms and 30 s each is at most 15 % above the one before."""

PLACES = 256
"""A key of the table is the server's id times this, plus the number of the bucket."""

_ENTRY = re.compile(r"\bkey=(\d+) .*\bconn_cnt=(\d+)")


def table(service: str) -> str:
    """The name of the stick table of a service."""
    return f"{service}_latency"


def histograms(sock: RuntimeSocket, service: str) -> dict[str, list[int]] | None:
    """Running total of responses in each bucket of ``BOUNDS``, by server; None where HAProxy counts none.

    Counting starts anew with each reload. Raises ``BalancerError`` where HAProxy does not answer, or what it says
    cannot be read.
    """
    command = f"show table {table(service)}"
    entries, states = sock.run([command, states_command(service)])
    if not entries.lstrip().startswith("# table:"):
        return None
    names = _names(states)
    found = {name: [0] * len(BOUNDS) for name in names.values()}
    for line in entries.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = _ENTRY.search(line)
        server, bucket = divmod(int(entry[1]), PLACES) if entry else (0, 0)
        if not entry or server not in names or bucket >= len(BOUNDS):
            raise BalancerError(
                f"HAProxy at {sock.path} answered `{command}` with what cannot be read: {line.strip()[:120]}.",
                socket=sock.path,
                command=command,
            )
        found[names[server]][bucket] += int(entry[2])
    return found


def map_lines() -> Iterator[str]:
    """The map from microseconds, written as IPv4 networks, to the number of their bucket."""
    start = 0
    for bucket, end in enumerate((*_EDGES, _END)):
        for address, length in _networks(start, end):
            octets = ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))
            yield f"{octets}/{length} {bucket}"
        start = end


def _networks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The fewest networks (address and length of the prefix) that together are ``start`` up to ``end``."""
    while start < end:
        size = start & -start or _END
        while start + size > end:
            size >>= 1
        yield start, 33 - size.bit_length()
        start += size


def _names(states: str) -> Mapping[int, str]:
    lines = states.splitlines()
    if len(lines) < 2 or not lines[1].startswith("# be_id "):
        raise BalancerError(f"HAProxy does not tell its servers: {first_line(states) or 'nothing'}.")
    columns = lines[1][2:].split()
    rows = [dict(zip(columns, line.split(" "))) for line in lines[2:] if line and not line.startswith("#")]
    return {int(row["srv_id"]): row["srv_name"] for row in rows if row["srv_name"] != SPARE}
