# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence on a VM: which operation may work on the containers of a color, and one step at a time.

The balancers are asked once for a batch of VMs, and the steps behind that come in waves. Whoever took over meanwhile is
known on the VM itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Optional

from . import _engine_view
from ._engine import TIMEOUT, Engine
from ._errors import EngineError, FencedError, StateError
from ._files import mutex, read_json, write_json
from ._paths import ColorPaths


def last(paths: ColorPaths) -> str:
    """The operation that worked here last; empty where none has since the VM was booted."""
    return str((read_json(paths.operation) or {}).get("release_id") or "")


def require(paths: ColorPaths, release_id: str, expects: Optional[str]) -> None:
    """FencedError where another operation has worked here since; ``expects`` is what was seen, None for whatever is."""
    found = last(paths)
    if expects is None or found in (release_id, expects):
        return
    known = f"release {found} has worked on it since" if found else "nobody knows who has since this VM was booted"
    raise FencedError(
        f"{paths.color} of service {paths.service} on this VM is not as release {release_id} saw it: {known}. "
        "Nothing was changed here",
        fenced=True,
    )


def claim(paths: ColorPaths, release_id: str, expects: Optional[str]) -> None:
    """Compare and swap; whoever did it may work here until another one does. Needs :func:`alone`."""
    require(paths, release_id, expects)
    if last(paths) != release_id:
        try:
            write_json(paths.operation, {"release_id": release_id})
        except OSError as error:
            raise _unwritable(paths.operation, error) from error


def begin(
    engine: Engine, paths: ColorPaths, release_id: str, expects: Optional[str], container: str, *, check: bool = False
) -> str:
    """:func:`claim` before ``container`` is made; returns the operation after it. With ``check`` nothing is written."""
    owner = _engine_view.owner(engine, container)
    if owner not in ("", paths.service):
        raise StateError(
            f"the name {container} is taken on this VM by a container of service {owner}, which stays as it is; give "
            f"the version of {paths.service} another name, or take this VM out of one of the two services"
        )
    if check:
        require(paths, release_id, expects)
    else:
        with alone(engine, paths):
            claim(paths, release_id, expects)
    return last(paths)


def _unwritable(path: Path, error: OSError) -> StateError:
    return StateError(f"{path} cannot be written on this VM: {error.strerror or error}. Nothing was changed here")


@contextmanager
def alone(engine: Engine, paths: ColorPaths) -> Iterator[None]:
    """While no other step starts or stops containers of the color here.

    A container that is being stopped still counts as running, so whoever looks meanwhile would be wrong.
    """
    with ExitStack() as held:
        try:
            held.enter_context(mutex(paths.mutex, patience(engine, paths)))
        except OSError as error:
            raise _unwritable(paths.mutex, error) from error
        yield


def patience(engine: Engine, paths: ColorPaths) -> float:
    """Seconds that the step before may take: it stops what runs, one after the other, and starts something."""
    seconds = TIMEOUT
    for found in _engine_view.containers(engine, paths.service, paths.color):
        # One that goes meanwhile needs no time.
        with suppress(EngineError):
            seconds += _engine_view.stop_timeout(engine, found["name"]) if found["running"] else 0
    return seconds
