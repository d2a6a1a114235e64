# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of HAProxy's Runtime API: one unix socket, many commands, one reply each."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence

from .._errors import BalancerError, InputError

_PROMPT = b"\n> "
_CHUNK = 262144
# For each command HAProxy walks through the servers of the backend: of its own time that takes 0.012 ms with 2,000 of
# them and 0.12 ms with 10,000, and on a busy machine it waits for its turn as well.
_COMMAND_SECONDS = 0.004


class RuntimeSocket:
    """HAProxy's admin socket.

    Commands go through one session in interactive mode: there, and only there, HAProxy closes every reply with its
    prompt, so each reply belongs to its command even where HAProxy forgets the empty line after a message (2.2 and 2.6
    do, for instance after ``weight x``). All commands of one ``run`` are answered by one and the same process, also
    while HAProxy reloads. Tried with 2.2, 2.6 and 3.0.

    ``path``: the unix socket. ``timeout``: seconds for one ``run``, all of its replies included, and 4 ms for each of
    its commands where that is more. ``clock``: monotonic seconds.
    """

    def __init__(self, path: str, timeout: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.timeout = timeout
        self._clock = clock

    def run(self, commands: Sequence[str]) -> list[str]:
        """Send ``commands`` and return one reply a command, without the line ends that close it.

        The replies are not judged; an empty one is how HAProxy says that it did what it was told.
        Raises ``InputError`` for a command that would not be one command to HAProxy, and ``BalancerError`` where the
        socket is missing, refuses, is silent longer than the time limit, or closes before the last reply.
        """
        for command in commands:
            if not command.strip() or any(mark in command for mark in ("\n", "\r", ";", "<<", "\\")):
                raise InputError(f"Not a single command of HAProxy's Runtime API: {command!r}", command=command)
        if not commands:
            return []
        started = self._clock()
        with contextlib.closing(self._connect()) as peer:
            return self._converse(peer, commands, started)

    def act(self, commands: Sequence[str]) -> None:
        """Send commands that must be answered with nothing; the first other reply is raised, with its command.

        Details of the ``BalancerError``: ``command``, ``reply`` and ``refused``, a list of every ``{command, reply}``.
        """
        refused = [
            {"command": command, "reply": reply} for command, reply in zip(commands, self.run(commands)) if reply
        ]
        if refused:
            first = refused[0]
            more = f" ({len(refused)} of {len(commands)} commands were refused)" if len(refused) > 1 else ""
            raise BalancerError(
                f"HAProxy at {self.path} refused `{first['command']}`: {first_line(first['reply'])}{more}."
                f"{_hint(first['reply'])}",
                socket=self.path,
                command=first["command"],
                reply=first["reply"],
                refused=refused,
            )

    def _connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # A non-blocking connect to a unix socket fails at once when its backlog is full; this one waits its turn.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(self.timeout))
            peer.connect(self.path)
            peer.setblocking(False)
        except OSError as error:
            peer.close()
            raise self._no_connection(error) from error
        return peer

    def _no_connection(self, error: OSError) -> BalancerError:
        if error.errno == errno.ENOENT:
            reason = (
                "does not exist, so this is a balancer without a running HAProxy. "
                "Run sluice.bluegreen.site, or start the service haproxy"
            )
        elif error.errno == errno.ECONNREFUSED:
            reason = "has nobody behind it: HAProxy is not running. Start the service haproxy and look at its log"
        elif error.errno in (errno.EACCES, errno.EPERM):
            reason = "denies permission. Run as root (`become: true`)"
        elif error.errno in (errno.EAGAIN, errno.ETIMEDOUT):
            reason = f"took no connection within {self.timeout:g} s"
        else:
            reason = f"cannot be used: {error.strerror or error}"
        return BalancerError(f"HAProxy's socket {self.path} {reason}.", socket=self.path)

    def _converse(self, peer: socket.socket, commands: Sequence[str], started: float) -> list[str]:
        limit = max(self.timeout, _COMMAND_SECONDS * len(commands))
        outgoing = memoryview(("prompt\n" + "".join(f"{command}\n" for command in commands) + "quit\n").encode())
        incoming = bytearray()
        prompts = 0
        # The prompt is sent once on entering interactive mode, then once after each reply.
        while prompts <= len(commands):
            remaining = started + limit - self._clock()
            if remaining <= 0:
                raise self._broken(f"did not answer within {limit:g} s", commands, prompts)
            readable, writable, _unused = select.select([peer], [peer] if outgoing else [], [], remaining)
            try:
                if writable:
                    outgoing = outgoing[peer.send(outgoing) :]
                if readable:
                    chunk = peer.recv(_CHUNK)
                    if not chunk:
                        raise self._broken("closed the connection", commands, prompts)
                    scanned = max(0, len(incoming) - len(_PROMPT) + 1)
                    incoming += chunk
                    prompts += incoming.count(_PROMPT, scanned)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._broken(f"broke the connection ({error.strerror or error})", commands, prompts) from error
        replies = bytes(incoming).split(_PROMPT)[1 : len(commands) + 1]
        return [reply.decode("utf-8", "replace").strip("\n") for reply in replies]

    def _broken(self, what: str, commands: Sequence[str], prompts: int) -> BalancerError:
        answered = max(0, prompts - 1)
        waiting = commands[min(answered, len(commands) - 1)]
        return BalancerError(
            f"HAProxy at {self.path} {what} after {answered} of {len(commands)} replies, "
            f"while that to `{waiting}` was due.",
            socket=self.path,
            command=waiting,
            answered=answered,
        )


def first_line(reply: str) -> str:
    """The first line of a reply, which is where HAProxy puts its reason, without its full stop."""
    return reply.strip().split("\n", 1)[0].strip().rstrip(".")


def _hint(reply: str) -> str:
    if reply.startswith("Permission denied"):
        return " The socket needs `level admin` in HAProxy's global section; sluice.bluegreen.site writes it."
    if reply.startswith(("No such server", "No such backend")):
        return " Run sluice.bluegreen.site to bring HAProxy's configuration up to the inventory."
    return ""


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("@ll", whole, int((seconds - whole) * 1_000_000))
