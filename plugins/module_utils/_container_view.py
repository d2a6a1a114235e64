# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Docker Engine of this host says of a container's health, asked at its socket.

It is asked again and again while the endpoint itself is probed, which a task of its own could not do.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ._engine_args import SOCKET
from ._errors import InputError
from ._probe import TIMEOUTS, Answer, DeadlineSocket, trouble
from ._units import shown

_ANSWER_LIMIT = 4 * 1024 * 1024


def socket_path(url: str) -> str:
    """The path in ``unix:///var/run/docker.sock``, or in the path alone. Raises InputError."""
    path = url[len("unix://") :] if url.startswith("unix://") else url
    if not path.startswith("/"):
        raise InputError(
            f"docker_socket: {shown(url)} is not a unix socket such as {SOCKET}; the engine is asked where the "
            "container runs, so run the gate there"
        )
    return path


def look(container: str, path: str, timeout: float, clock: Callable[[], float] = time.monotonic) -> Answer:
    """Ask once, in at most ``timeout`` seconds. Never raises for what the engine does."""
    connection = DeadlineSocket(socket.AF_UNIX)
    try:
        connection.deadline = clock() + timeout
        connection.clock = clock
        connection.settimeout(timeout)
        connection.connect(path)
        client = http.client.HTTPConnection("docker")
        client.sock = connection
        client.request("GET", f"/containers/{quote(container, safe='')}/json")
        with client.getresponse() as response:
            return judge(container, response.status, response.read(_ANSWER_LIMIT))
    except TIMEOUTS:
        return Answer(False, f"Docker at {path}: no answer within {timeout:g} s")
    except (http.client.HTTPException, OSError, ValueError) as error:
        return Answer(False, f"Docker at {path}: {trouble(error)}")
    finally:
        connection.close()


def judge(container: str, status: int, body: bytes) -> Answer:
    """What the engine's answer to an inspection means. Pure."""
    try:
        document = json.loads(body)
        if status == 404:
            return Answer(False, f"Docker has no container {container}", seen={"docker": "missing"})
        state: Mapping[str, Any] = document["State"]
        running = str(state["Status"])
    except (ValueError, KeyError, TypeError):
        return Answer(False, f"Docker answered with status {status} and not with a container's state")
    if running != "running":
        code = f" (exit code {state.get('ExitCode')})" if running == "exited" else ""
        return Answer(False, f"the container {container} is {running}{code}", seen={"docker": running})
    health = state.get("Health") or {}
    called = str(health.get("Status") or "none")
    seen = {"docker": called}
    if called == "healthy":
        return Answer(True, seen=seen)
    if called == "none":
        return Answer(
            False,
            f"the image of {container} has no health check; give it a HEALTHCHECK, or leave health.docker out",
            seen=seen,
        )
    said = [str(entry.get("Output", "")).strip() for entry in (health.get("Log") or [])[-1:]]
    more = f" (its check said {shown(said[0])})" if said and said[0] else ""
    return Answer(False, f"Docker calls the container {container} {called}{more}", seen=seen)
