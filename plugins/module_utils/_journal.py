# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a service on a balancer: one JSON object a line, each carrying the hash of the line before.

An event is ``{"seq": int, "at": "2026-01-31T12:00:00.000Z", "event": str, "release_id": str or null, "data": object,
"prev": hex}``; ``prev`` is the SHA-256 of the previous line without its line feed (64 zeros for the first).

A journal that has grown to ``SEGMENT_LIMIT`` goes on in a new file, whose first line (event ``snapshot``) carries the
chain over and holds the state until then; ``SEGMENTS_KEPT`` old files stay beside it, named after their last number.
The hash of the last line is kept in ``<journal>.head.json`` too, since nothing in the journal follows that line.
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

from ._errors import StateError
from ._files import read_json, remove, sync_directory, write_json
from ._paths import ServicePaths
from ._state import Event, derive

NO_HASH = "0" * 64
SEGMENT_LIMIT = 256 * 1024
"""Bytes after which a journal goes on in a new file."""
SEGMENTS_KEPT = 4


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
    base: str = NO_HASH
    last_hash: str = NO_HASH
    ends_clean: bool = True


def read(path: Path) -> JournalContent:
    """Read what can be read of the present segment. A torn last line (power loss, full disk) costs that line only.

    Where its first line, which holds the state until then, is not readable, what the segment before says stands for it.
    """
    content = JournalContent()
    known = set()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
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
        if event["event"] == "snapshot" and not content.events:
            content.base = content.last_hash = str(event.get("prev"))
        if event.get("prev") != content.last_hash:
            content.damage.append(f"{path} line {number} does not follow from the line before (edited or lost)")
        content.events.append(event)
        known.add(content.last_hash)
        content.last_hash = _hash(line)
    head = (read_json(_head(path)) or {}).get("hash")
    # A line that was written while its process was killed may be newer than the head, never the other way round.
    if head and head not in (known | {content.last_hash}):
        content.damage.append(f"{path} does not have the last line that was written here (edited or lost)")
    if content.events and content.events[0]["event"] != "snapshot":
        content.events[:0] = _until_the_snapshot(path, content.events[0]["seq"])
    return content


def _until_the_snapshot(path: Path, first: int) -> list[Event]:
    """The events of the segment before, where nothing but the snapshot is missing between them and number ``first``."""
    before = [older for older in segments(path) if not _same(older, path)]
    events = read(before[-1]).events if before else []
    return events if events and events[-1]["seq"] == first - 2 else []


def damage(path: Path) -> list[str]:
    """One sentence for everything that is wrong with the present segment and those before it, oldest first."""
    found = []
    end = None
    for segment in [*(older for older in segments(path) if not _same(older, path)), path]:
        content = read(segment)
        if end is not None and content.base != end:
            found.append(f"{segment} does not follow from the segment before (edited or lost)")
        found += content.damage
        end = content.last_hash
    return found


def segments(path: Path) -> list[Path]:
    """The segments before the present one, oldest first."""
    return sorted(path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}"))


def _same(one: Path, other: Path) -> bool:
    """Whether a rotation was killed before it had taken the old segment's place."""
    return other.exists() and one.samefile(other)


def _head(path: Path) -> Path:
    return path.with_name(f"{path.name}.head.json")


def note(
    paths: ServicePaths,
    event: str,
    release_id: Optional[str],
    data: dict[str, Any],
    required: bool,
    warn: Callable[[str], None],
) -> None:
    """Write one event; where the disk takes it not, StateError if it is ``required``, else a warning."""
    try:
        append(paths.journal, event, release_id, data)
    except OSError as error:
        problem = f"service {paths.service}: {paths.journal} cannot be written: {error.strerror or error}"
        if required:
            raise StateError(problem) from error
        warn(problem)


def append(
    path: Path,
    event: str,
    release_id: Optional[str],
    data: dict[str, Any],
    now: Callable[[], datetime] = utc_now,
) -> Event:
    """Write one event and flush it to the disk; OSError where the disk takes it not, with the journal as it was."""
    content = read(path)
    if path.exists() and path.stat().st_size >= SEGMENT_LIMIT and content.events:
        # A disk that takes no new file is no reason not to write this line.
        with contextlib.suppress(OSError):
            _rotate(path, content, now)
            content = read(path)
    entry = _entry(content, event, release_id, data, now)
    created = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    # A torn last line is closed first: it stays as it is, to be seen, and the new event keeps a line of its own.
    line = _line(entry)
    _write(path, ("" if content.ends_clean else "\n") + line, os.O_APPEND)
    if created:
        sync_directory(path.parent)
    with contextlib.suppress(OSError):
        write_json(_head(path), {"hash": _hash(line.rstrip("\n"))})
    return entry


def _entry(
    content: JournalContent, event: str, release_id: Optional[str], data: dict[str, Any], now: Callable[[], datetime]
) -> Event:
    return {
        "seq": content.events[-1]["seq"] + 1 if content.events else 1,
        "at": timestamp(now()),
        "event": event,
        "release_id": release_id,
        "data": data,
        "prev": content.last_hash,
    }


def _line(entry: Event) -> str:
    return json.dumps(entry, sort_keys=True, ensure_ascii=False) + "\n"


def _write(path: Path, text: str, how: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        try:
            payload = text.encode("utf-8")
            while payload:
                payload = payload[os.write(descriptor, payload) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _rotate(path: Path, content: JournalContent, now: Callable[[], datetime]) -> None:
    """Begin a new segment; until it is whole and in place, the old one stays where it is."""
    fresh = path.with_name(f".{path.name}.new")
    snapshot = _entry(content, "snapshot", None, {"state": derive(content.events)}, now)
    for old in segments(path):
        if _same(old, path):
            remove(old)
    try:
        _write(fresh, _line(snapshot), os.O_TRUNC)
        os.link(path, path.with_name(f"{path.stem}-{content.events[-1]['seq']:09d}{path.suffix}"))
        fresh.replace(path)
    finally:
        remove(fresh)
    sync_directory(path.parent)
    for old in segments(path)[:-SEGMENTS_KEPT]:
        remove(old)
