# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tapes on a balancer: what its gates saw, a file a stage, a JSON line a tick.

They share a disk with the journal, so they are bounded: before a new one begins, the oldest go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._errors import InputError

LIMIT = 64 * 1024 * 1024
"""Bytes that the tapes of a service may take before a new one begins."""


def append(folder: Path, name: str, line: Mapping[str, Any], limit: int = LIMIT) -> None:
    """Add a line to the tape of that name; InputError for a name that is no file name, OSError where it fails."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise InputError(f"tape name {name!r}: use letters, digits, '.', '_' and '-'")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    if not path.exists():
        _make_room(folder, limit)
    with path.open("a", encoding="utf-8") as tape:
        tape.write(json.dumps(line, sort_keys=True) + "\n")


def _make_room(folder: Path, limit: int) -> None:
    found = sorted((tape.stat().st_mtime, tape, tape.stat().st_size) for tape in folder.glob("*.jsonl"))
    taken = sum(size for _, _, size in found)
    for _, tape, size in found:
        if taken <= limit:
            break
        tape.unlink()
        taken -= size
