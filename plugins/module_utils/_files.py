# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that must never be seen half written, and the mutex of a service."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

from ._errors import StateError

MUTEX_LIMIT = 10.0
MUTEX_POLL = 0.02


@contextmanager
def mutex(
    path: Path,
    limit: float = MUTEX_LIMIT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the service's exclusive file lock; ``limit`` seconds at most are spent waiting, then StateError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = clock() + limit
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= deadline:
                    raise StateError(
                        f"{path} stayed locked for {limit:g} s: another step of this service hangs on this host; "
                        f"see who holds it with: fuser -v {path}"
                    ) from None
                sleep(MUTEX_POLL)
        yield
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make a rename or a new file in ``path`` survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace ``path`` by ``value`` in one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(value, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_json(path: Path) -> Optional[dict[str, Any]]:
    """The object in ``path``; None where there is no file, or none that can be read as an object."""
    with suppress(FileNotFoundError, ValueError):
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict):
            return value
    return None


def remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
