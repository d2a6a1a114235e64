# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine of this host, asked at its unix socket: what one module run has to do together, and no library has.

Containers are made, and images brought, by ``community.docker``. What is here looks, stops, starts and removes.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import quote, urlencode

from ._container_view import socket_path
from ._errors import EngineError
from ._probe import TIMEOUTS, trouble

# Longer than what an engine takes for anything but stopping a container, which gets its own time on top.
TIMEOUT = 120.0


class Engine:
    """Requests to the engine at ``url``, a unix socket; each raises EngineError for what it refuses."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        self.path = socket_path(url)
        self.timeout = timeout

    def get(self, path: str, **query: Any) -> Any:
        return json.loads(self.ask("GET", path, query) or b"null")

    def ask(
        self,
        method: str,
        path: str,
        query: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        more_time: float = 0,
        fine: tuple[int, ...] = (200, 201, 204, 304),
    ) -> bytes:
        """The body of the answer. ``query``: dictionaries in it go as JSON. ``fine``: statuses that are no failure."""
        values = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in (query or {}).items()}
        target = f"{path}?{urlencode(values)}" if values else path
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self.timeout + more_time)
            connection.connect(self.path)
            client = http.client.HTTPConnection("docker")
            client.sock = connection
            client.request(method, target, headers=dict(headers or {}))
            with client.getresponse() as response:
                body = response.read()
                if response.status not in fine:
                    raise EngineError(f"Docker at {self.path}: {_said(body, response.status)}", status=response.status)
                return body
        except TIMEOUTS:
            raise EngineError(
                f"Docker at {self.path}: no answer to {method} {path} within {self.timeout + more_time:g} s",
                timed_out=True,
            ) from None
        except (http.client.HTTPException, OSError) as error:
            raise EngineError(
                f"Docker at {self.path}: {trouble(error)}; sluice.bluegreen.site makes this VM a host for containers"
            ) from error
        finally:
            connection.close()

    def has(self, container: str) -> bool:
        """Whether there is a container of this name or id. Raises EngineError."""
        try:
            self.ask("GET", f"/containers/{quote(container)}/json")
        except EngineError as error:
            if error.details.get("status") == 404:
                return False
            raise
        return True

    def wait(self, container: str, seconds: float) -> Optional[int]:
        """The exit status of a container, once it has ended; ``None`` where it has not within ``seconds``."""
        try:
            body = Engine(self.path, seconds).ask("POST", f"/containers/{quote(container)}/wait")
        except EngineError as error:
            if error.details.get("timed_out"):
                return None
            raise
        return int(json.loads(body)["StatusCode"])

    def output(self, container: str, lines: int) -> str:
        """The last ``lines`` of what a container without a terminal has written. Raises EngineError."""
        query = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        return unframed(self.ask("GET", f"/containers/{quote(container)}/logs", query)).decode("utf-8", "replace")

    def digest(self, image: str, login: Optional[Mapping[str, str]] = None) -> str:
        """The digest that the registry of ``image`` (``name:tag``) has for it now. Raises EngineError."""
        headers = {}
        if login:
            headers["X-Registry-Auth"] = base64.urlsafe_b64encode(json.dumps(dict(login)).encode()).decode()
        found = json.loads(self.ask("GET", f"/distribution/{quote(image, safe='/:')}/json", headers=headers))
        return str(found["Descriptor"]["digest"])


def unframed(stream: bytes) -> bytes:
    """The engine's log without the eight bytes that go before each piece: its kind, and its length. Pure."""
    found = b""
    while len(stream) >= 8:
        length = int.from_bytes(stream[4:8], "big")
        found += stream[8 : 8 + length]
        stream = stream[8 + length :]
    return found


def _said(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {status}: {body[:200].decode('utf-8', 'replace')}"
