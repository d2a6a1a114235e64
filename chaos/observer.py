# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process on a balancer that says what it sees there, each time that it is asked."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
SOCKET = "/run/haproxy/admin.sock"
# Seconds that it may take to answer.
LIMIT = 30.0
# Streams of an attached process, by the numbers that the engine gives them.
STDERR = 2


class Observer:
    """It lives until :meth:`close`, or as long as its host: one for each look would cost more than a release does.

    ``program`` is a file beside this one, which gets HAProxy's socket and ``arguments``.
    """

    def __init__(self, container: Any, program: str, *arguments: str) -> None:
        api = container.client.api
        command = ["/usr/bin/python3", "-uc", (FOLDER / program).read_text(encoding="utf-8"), SOCKET, *arguments]
        environment = {"PYTHONPATH": "/usr/local/lib/sluice"}
        made = api.exec_create(container.id, command, stdin=True, environment=environment)
        self._stream = api.exec_start(made["Id"], socket=True)
        self._socket = getattr(self._stream, "_sock", self._stream)
        self._socket.settimeout(LIMIT)

    def ask(self, what: str = "look") -> str:
        """Its line of JSON for a line of input; OSError where it is gone, or says nothing within ``LIMIT`` seconds."""
        self._socket.sendall(f"{what}\n".encode())
        said = b""
        while not said.endswith(b"\n"):
            stream, length = struct.unpack(">BxxxL", self._read(8))
            text = self._read(length)
            if stream == STDERR:
                raise OSError(text.decode(errors="replace"))
            said += text
        return said.decode()

    def _read(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            more = self._socket.recv(length - len(found))
            if not more:
                raise OSError("the observer has ended")
            found += more
        return found

    def close(self) -> None:
        self._stream.close()
