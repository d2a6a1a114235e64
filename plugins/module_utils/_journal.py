# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a service on a balancer: one JSON object a line, each carrying the hash of the line before.

An event is ``{"seq": int, "at": "2026-01-31T12:00:00.000Z", "event": str, "release_id": str or null, "data": object,
"prev": hex}``; ``prev`` is the SHA-256 of the previous line without its line feed (64 zeros for the first).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from ._files import sync_directory

Event = dict[str, Any]
NO_HASH = "0" * 64


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def timestamp(moment: datetime) -> str:
    """``2026-01-31T12:00:00.000Z``"""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8")).hexdigest()


def _is_event(value: Any) -> bool:
    types = {"seq": int, "at": str, "event": str, "data": dict}
    return isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in types.items())


@dataclass
class JournalContent:
    """The readable events in order, and one sentence for every line that is damaged or breaks the chain."""

    events: list[Event] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    last_hash: str = NO_HASH
    ends_clean: bool = True


def read(path: Path) -> JournalContent:
    """Read what can be read. A torn last line (power loss, full disk) costs that line only."""
    content = JournalContent()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return content
    content.ends_clean = text == "" or text.endswith("\n")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        try:
            event = json.loads(line)
            if not _is_event(event):
                raise ValueError
        except ValueError:
            content.damage.append(f"{path} line {number} is not a journal line (torn or edited)")
            continue
        if event.get("prev") != content.last_hash:
            content.damage.append(f"{path} line {number} does not follow from the line before (edited or lost)")
        content.events.append(event)
        content.last_hash = _hash(line)
    return content


def append(
    path: Path,
    event: str,
    release_id: Optional[str],
    data: dict[str, Any],
    now: Callable[[], datetime] = utc_now,
) -> Event:
    """Write one event and flush it to the disk; OSError where the disk takes it not, with the journal as it was."""
    content = read(path)
    entry: Event = {
        "seq": content.events[-1]["seq"] + 1 if content.events else 1,
        "at": timestamp(now()),
        "event": event,
        "release_id": release_id,
        "data": data,
        "prev": content.last_hash,
    }
    created = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    # A torn last line is closed first: it stays as it is, to be seen, and the new event keeps a line of its own.
    line = ("" if content.ends_clean else "\n") + json.dumps(entry, sort_keys=True, ensure_ascii=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        try:
            payload = line.encode("utf-8")
            while payload:
                payload = payload[os.write(descriptor, payload) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if created:
        sync_directory(path.parent)
    return entry
