# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that was made, run to its end with its secrets; then neither it nor they are there any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Optional
from urllib.parse import quote

from ._container_secrets import Place
from ._engine import Engine
from ._errors import EngineError

LINES = 100


def run(
    engine: Engine,
    name: str,
    secrets: Mapping[str, str],
    seconds: float,
    *,
    place: Optional[Place] = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """``status`` and the end of the ``output``, or ``failure``; ``left``: why the container is still there, else empty.

    ``status`` is ``None`` where it was not over within ``seconds``.
    """
    place = place or Place()
    until = clock() + seconds
    found: dict[str, Any] = {"status": None, "output": "", "failure": "", "left": ""}
    own = str(engine.get(f"/containers/{quote(name)}/json")["Id"])
    try:
        if secrets:
            place.write(engine, name, secrets)
        engine.ask("POST", f"/containers/{own}/start")
        found["status"] = engine.wait(own, max(0.1, until - clock()))
        found["output"] = _output(engine, own)
    except Exception as error:  # noqa: BLE001 - whatever it is, the secrets go first
        found["failure"] = str(error) or type(error).__name__
    found["left"] = remove(engine, name, own, place=place)
    return found


def remove(engine: Engine, name: str, own: str = "", *, place: Optional[Place] = None) -> str:
    """Forget the secrets and remove the container, and say why it is still there; empty where it is not.

    ``own``: its id. Where it is gone, somebody else removed it and may have made another one of its name by now, whose
    secrets these are. The container goes last: as long as it is there, a deployment finds it and removes both.
    """
    place = place or Place()
    try:
        there = engine.has(own or name)
        if there or not own:
            place.forget(name)
        if there:
            engine.ask("DELETE", f"/containers/{quote(own or name)}", {"v": "1", "force": "1"}, fine=(200, 204, 404))
    except EngineError as error:
        return str(error)
    return ""


def _output(engine: Engine, container: str) -> str:
    try:
        return engine.output(container, LINES)
    except EngineError as error:
        # Some log drivers only send.
        return f"what it said cannot be read: {error}"
