# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tape: recorded evidence, one JSON object a line, from which a gate can be judged again without any traffic.

    {"t": 5, "colors": {"candidate": {"green1": {"errors": [n, k], "latency": {"p50": [n, k_promote, k_rollback]}}},
                        "stable": {"blue1": {"errors": [n, k]}}}}

``t`` is in seconds since the stage began; counts are increases since the line before. ``{"t": 35, "source_down": why}``
is a tick without data. What else a verdict rests on is on the line too, where there is any:

- ``down``: by balancer the servers that are not up, with their status;
- ``missed``: balancers that did not answer, with the reason;
- ``split_lost``: how the split read back differs from the one that was set;
- ``missing``: by gate (``errors``, ``latency``) what of a source of its own is missing: ``{"source_down": reason}`` or
  ``{"no_data": reason}``, or ``{"awaited": reason}`` where it may still come and nobody is to act;
- ``before``: ``[requests, bad]`` of the stable color before a stage in which it does not serve, once it is known;
- ``warmup``: by server for how many seconds its container has run, where that is too short to be counted;
- ``reference``: the stable color's quantiles that latencies are compared with, ``{"beta": {"p50": seconds, ...}}``, or
  while they are taken ``{"responses": so many so far, "needed": so many more}``, both in the tick that completes
  them; a tick with ``needed`` has no latencies;
- ``thresholds``: by name a number, null (no data), ``{"candidate": number, "stable": number}``, ``{"verdict": ...,
  "message": ...}`` of a check, or ``{"source_down": reason}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional, Union

from .._errors import InputError
from ._evidence import QUANTILES, Count
from ._policy import CAUSES, Trouble

Line = dict[str, Any]
COLORS = ("candidate", "stable")


def error_counts(servers: Mapping[str, Any]) -> dict[str, Count]:
    """Requests and bad ones by server of one color of a line."""
    return {name: (entry["errors"][0], entry["errors"][1]) for name, entry in servers.items() if "errors" in entry}


def slow_counts(servers: Mapping[str, Any], quantile: str, column: int) -> dict[str, Count]:
    """Responses and slow ones by server; ``column`` 1 is the (first) slow count, 2 the candidate's for a rollback."""
    found = {}
    for name, entry in servers.items():
        counts = entry.get("latency", {}).get(quantile)
        if counts:
            found[name] = (counts[0], counts[column])
    return found


def has_latency(servers: Mapping[str, Any], quantile: str) -> bool:
    return any(quantile in entry.get("latency", {}) for entry in servers.values())


def total(counts: Mapping[str, Count]) -> Count:
    return sum([n for n, _ in counts.values()]), sum([k for _, k in counts.values()])


def unanswered(line: Mapping[str, Any]) -> Optional[str]:
    """Why the balancers' data of a tick are not all there, or None."""
    if "source_down" in line:
        return str(line["source_down"])
    missed = line.get("missed", {})
    return "; ".join(f"{balancer} did not answer: {why}" for balancer, why in sorted(missed.items())) or None


def missing(line: Mapping[str, Any], gate: str) -> Optional[Trouble]:
    """What the line says is missing of a gate's own source, or None."""
    found = line.get("missing", {}).get(gate, {})
    return next((Trouble(gate, cause, str(found[cause])) for cause in CAUSES if cause in found), None)


def awaited(line: Mapping[str, Any]) -> Optional[str]:
    """What of a gate's own source may still come, or None: a reason to hold, and none for a policy to act."""
    texts = [str(found["awaited"]) for _, found in sorted(line.get("missing", {}).items()) if "awaited" in found]
    return texts[0] if texts else None


def measuring(line: Mapping[str, Any]) -> Optional[int]:
    """How many more responses of the stable color are needed before latencies are compared, or None."""
    needed = line.get("reference", {}).get("needed")
    return None if needed is None else int(needed)


def dump(line: Mapping[str, Any]) -> str:
    """A line as text, without its end."""
    return json.dumps(line, sort_keys=True, allow_nan=False)


def append(path: Union[str, Path], line: Mapping[str, Any]) -> None:
    """Add a line to a tape."""
    with Path(path).open("a", encoding="utf-8") as tape:
        tape.write(dump(line) + "\n")


def read(path: Union[str, Path]) -> Iterator[Line]:
    """The checked lines of a tape; raises InputError with the number of the line that is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"tape {path}: cannot be read: {error}") from error
    before = -1.0
    found = False
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip():
            continue
        found = True
        where = f"tape {path}, line {number}"
        try:
            line = json.loads(raw)
        except ValueError as error:
            raise InputError(f"{where}: not JSON: {error}") from error
        check(line, where)
        if line["t"] <= before:
            raise InputError(f"{where}: t is {line['t']:g} after {before:g}; it must rise from line to line")
        before = line["t"]
        yield line
    if not found:
        raise InputError(f"tape {path}: it is empty")


def check(line: Any, where: str) -> None:
    """Refuse a line of another form; ``where`` begins the message."""
    if not isinstance(line, dict) or not _is_time(line.get("t")):
        raise InputError(f"{where}: an object with the number t (seconds since the stage began) is needed")
    if "source_down" in line:
        return
    colors = line.get("colors")
    if not isinstance(colors, dict) or set(colors) - set(COLORS):
        raise InputError(f"{where}: either source_down or colors with candidate and stable is needed")
    for color, servers in colors.items():
        if not isinstance(servers, dict):
            raise InputError(f"{where}: {color} must be an object with one entry a server")
        for server, entry in servers.items():
            _check_server(color, entry, f"{where}: {color} server {server}")
    if "before" in line:
        _check_counts(line["before"], 2, f"{where}: before")
    for name in ("down", "missed", "thresholds", "missing", "warmup", "reference"):
        if not isinstance(line.get(name, {}), dict):
            raise InputError(f"{where}: {name} must be an object")


def _check_server(color: str, entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be an object with errors, latency or both")
    if "errors" in entry:
        _check_counts(entry["errors"], 2, f"{where}: errors")
    latency = entry.get("latency", {})
    if not isinstance(latency, dict):
        raise InputError(f"{where}: latency must be an object with one entry a quantile")
    for quantile, counts in latency.items():
        if quantile not in QUANTILES:
            raise InputError(f"{where}: latency {quantile!r} is not one of {', '.join(QUANTILES)}")
        _check_counts(counts, 3 if color == "candidate" else 2, f"{where}: latency {quantile}")


def _check_counts(counts: Any, size: int, where: str) -> None:
    columns = "[requests, bad]" if size == 2 else "[responses, slow for promotion, slow for rollback]"
    if (
        not isinstance(counts, list)
        or len(counts) != size
        or not all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)
    ):
        raise InputError(f"{where}: {counts!r} must be whole numbers {columns}")
    if any(count > counts[0] for count in counts[1:]):
        raise InputError(f"{where}: {counts!r} counts more than there were requests")


def _is_time(t: Any) -> bool:
    return isinstance(t, (int, float)) and not isinstance(t, bool) and t >= 0
