# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of all are enough, as a number or in per cent. Pure."""

from __future__ import annotations

import re
from math import ceil
from typing import Any

from ._errors import InputError
from ._units import percent, shown

QUORUM_HELP = "write how many must be healthy, such as 3, or how many per cent, such as 80%"


def needed(quorum: Any, total: int, what: str = "quorum") -> int:
    """How many of ``total`` a quorum of ``3`` or ``80%`` (rounded up) means. Raises InputError."""
    text = str(quorum).strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        if not 0 < int(text) <= total:
            raise InputError(f"{what}: {shown(quorum)} of {total} cannot be; {QUORUM_HELP}")
        return int(text)
    if not text.endswith("%"):
        raise InputError(f"{what}: {shown(quorum)} is neither; {QUORUM_HELP}")
    share = percent(text, what)
    if not 0 < share <= 100:
        raise InputError(f"{what}: {shown(quorum)} must be more than 0 % and at most 100 %; {QUORUM_HELP}")
    # What is a whole number but for the way that floats are kept must not be rounded up.
    return max(1, ceil(round(share * total / 100.0, 9)))
