# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations and percentages as people write them, read into plain numbers. Pure."""

from __future__ import annotations

import re
from typing import Any

from ._errors import InputError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_DURATION = re.compile(rf"(?:(?:{_NUMBER})\s*(?:ms|s|m|h|d)\s*)+")
_DURATION_PART = re.compile(rf"({_NUMBER})\s*(ms|s|m|h|d)")
_PLAIN = re.compile(rf"[+-]?(?:{_NUMBER})")
_PERCENT = re.compile(rf"([+-]?(?:{_NUMBER}))\s*(%|pp)?")

_SIZE = re.compile(rf"({_NUMBER})\s*(MiB|GiB|TiB)")
_MEBIBYTES = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}

_TOO_MUCH = 1e300  # also keeps inf and nan out, and integers that no float can hold

DURATION_HELP = "write seconds as a number, or a duration such as 90s, 2m, 1h30m or 500ms"
PERCENT_HELP = "write a per cent figure such as 5 or 5%"
SIZE_HELP = "write a size with its unit, such as 512 MiB or 2 GiB"
POINTS_HELP = "write percentage points such as 0.2 or 0.2pp"


def shown(value: Any) -> str:
    """What was given, quoted and short enough for a message."""
    text = repr(str(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def named(what: str) -> str:
    """The start of a message: the name of what it is about, if it has one."""
    return f"{what}: " if what else ""


def tidy(number: float) -> float:
    """Rounded to 9 decimals, and an ``int`` where it is whole, so that 60 is not shown (or rendered) as 60.0."""
    number = round(number, 9)
    return int(number) if number == int(number) else number


def is_number(value: Any) -> bool:
    """A finite int or float; a boolean is not a number here, although Python says so."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _TOO_MUCH


def seconds(value: Any, what: str = "duration") -> float:
    """A duration in seconds, never negative.

    ``value`` is a number (seconds), or a string: a number, or numbers with a unit (``ms``, ``s``, ``m``, ``h``,
    ``d``), which may be put together: ``1h30m``. Whole seconds come back as an ``int``.

    Raises InputError, which calls the value ``what`` (nothing where empty).
    """
    number: float | None = None
    if is_number(value):
        number = float(value)
    elif isinstance(value, str):
        text = value.strip().lower()
        if _PLAIN.fullmatch(text):
            number = float(text)
        elif _DURATION.fullmatch(text):
            number = sum(float(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(text))
    if number is None or not is_number(number):
        raise InputError(f"{named(what)}{shown(value)} is not a duration; {DURATION_HELP}")
    if number < 0:
        raise InputError(f"{named(what)}{shown(value)} is negative; {DURATION_HELP}")
    return tidy(number)


def mebibytes(value: Any, what: str = "size") -> int:
    """A size in whole MiB: ``512 MiB``, ``1.5 GiB``, ``2TiB``.

    A number without a unit is refused: bytes, MB and MiB are all usual. Raises InputError, which calls the value
    ``what``.
    """
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise InputError(f"{named(what)}{shown(value)} is not a size; {SIZE_HELP}")
    mib = float(found.group(1)) * _MEBIBYTES[found.group(2)]
    if mib != int(mib):
        raise InputError(f"{named(what)}{shown(value)} is not a whole number of MiB; {SIZE_HELP}")
    return int(mib)


def percent(value: Any, what: str = "percentage") -> float:
    """A percentage in per cent: ``5``, ``'5'`` and ``'5%'`` are 5.0. Any finite number: the range is the caller's.

    Raises InputError, which calls the value ``what``.
    """
    return _per_cent(value, what, "%", "a percentage", PERCENT_HELP)


def points(value: Any, what: str = "margin") -> float:
    """A difference of percentages in percentage points: ``0.2``, ``'0.2'`` and ``'0.2pp'`` are 0.2.

    A per cent sign is refused: 5 % of what would have to be guessed. Raises InputError, which calls the value ``what``.
    """
    return _per_cent(value, what, "pp", "a number of percentage points", POINTS_HELP)


def _per_cent(value: Any, what: str, unit: str, kind: str, way_out: str) -> float:
    if is_number(value):
        return float(value)
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value.strip())
        if found and found.group(2) in (None, unit) and is_number(float(found.group(1))):
            return float(found.group(1))
    raise InputError(f"{named(what)}{shown(value)} is not {kind}; {way_out}")
