# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a service on a balancer: one release at a time, with an owner and a time limit, and the fence.

Times are seconds of ``CLOCK_BOOTTIME``: a wall clock that is set, or wrong, neither prolongs nor ends a lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Optional

from ._errors import FencedError, LockedError
from ._files import read_json, remove, write_json
from ._journal import timestamp, utc_now
from ._paths import ServicePaths

Lock = dict[str, Any]
OPERATIONS = ("release", "rollback", "retire")
# What `current` adds to what is in the file.
_SEEN = ("remaining", "live")


def boot_time() -> float:
    """Seconds since boot, including the time asleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def current(paths: ServicePaths, clock: Callable[[], float] = boot_time) -> Optional[Lock]:
    """The lock with ``live`` (bool) and ``remaining`` (seconds, 0 when it has run out), or None."""
    lock = read_json(paths.lock)
    if lock is None:
        return None
    remaining = max(0.0, float(lock["until"]) - clock())
    return {**lock, "remaining": round(remaining, 1), "live": remaining > 0}


def describe(lock: Lock) -> str:
    """``release R of deploy@host since … (17 s left)``"""
    owner = lock.get("owner") or "an unknown owner"
    return f"release {lock['release_id']} of {owner} since {lock['since']} ({lock['remaining']:.0f} s left)"


def locked_error(paths: ServicePaths, held: Lock) -> LockedError:
    return LockedError(
        f"service {paths.service} is locked by {describe(held)}. Wait for it to end; only rollback and abort may "
        "take over from it (-e takeover=true)",
        holder=held,
    )


def acquire(
    paths: ServicePaths,
    release_id: str,
    owner: str,
    ttl: float,
    takeover: bool = False,
    clock: Callable[[], float] = boot_time,
    *,
    operation: str = OPERATIONS[0],
    holder: str = "",
) -> bool:
    """Take or prolong the lock for ``ttl`` seconds; True where it was not ours before.

    LockedError names the holder where another release is alive, or the same one with another ``holder``; ``takeover``
    takes it all the same, and the other's later steps are fenced where its id is another.
    """
    held = current(paths, clock)
    ours = held is not None and held["release_id"] == release_id and held.get("holder", "") == holder
    if held is not None and not ours and held["live"] and not takeover:
        raise locked_error(paths, held)
    since = held["since"] if held is not None and ours else timestamp(utc_now())
    until = clock() + ttl
    taken = {"release_id": release_id, "owner": owner, "since": since, "until": until}
    write_json(paths.lock, {**taken, "operation": operation, "holder": holder})
    return not ours


def require(paths: ServicePaths, release_id: str, clock: Callable[[], float] = boot_time) -> Lock:
    """The fence: our lock, or FencedError.

    A lock of ours that has run out still passes while nobody else has taken it: nothing has happened in between
    that a step could undo, and a rollback that comes late is better than none.
    """
    lock = current(paths, clock)
    if lock is None or lock["release_id"] != release_id:
        now = f"the current one is {describe(lock)}" if lock else "it has ended, or the balancer was rebooted"
        raise FencedError(
            f"release {release_id} is not the current one of service {paths.service} any more: {now}. "
            "Nothing was changed",
            fenced=True,
        )
    return lock


def renew(paths: ServicePaths, release_id: str, ttl: float, clock: Callable[[], float] = boot_time) -> None:
    """Prolong our lock to at least ``ttl`` seconds from now; FencedError where it is not ours."""
    lock = require(paths, release_id, clock)
    until = max(float(lock["until"]), clock() + ttl)
    kept = {key: said for key, said in lock.items() if key not in _SEEN}
    write_json(paths.lock, {**kept, "until": until})


def restore(paths: ServicePaths, before: Optional[Lock]) -> None:
    """Leave the lock as it was ``before``, as read from its file."""
    if before is None:
        remove(paths.lock)
    else:
        write_json(paths.lock, before)


def drop(paths: ServicePaths, release_id: str) -> bool:
    """Give the lock back; False where it was not ours."""
    lock = read_json(paths.lock)
    if lock is None or lock["release_id"] != release_id:
        return False
    remove(paths.lock)
    return True
