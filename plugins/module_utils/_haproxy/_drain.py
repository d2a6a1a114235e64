# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the sessions of servers without traffic have ended, then cut those that have not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from .._errors import BalancerError, StateError
from ._socket import RuntimeSocket
from ._stats import parse_states, parse_stats, states_command, stats_command

# HAProxy ends a session that it was told to a little later.
CUT_SECONDS = 5.0


@dataclass(frozen=True)
class Drained:
    """Sessions by server: ``before``, those that were ``cut``, those that are ``left``; servers with none are not in.

    ``waited`` is in seconds; ``commands`` are those that were sent.
    """

    before: dict[str, int]
    cut: dict[str, int]
    left: dict[str, int]
    waited: float
    commands: list[str]


class Drain:
    """The sessions of some servers of a service, seen in one socket session a look.

    ``backends``: the service's own backend first, whose weights must be 0, and those of its colors where sessions there
    are to end too. ``exclusive``: held while sessions are cut, so that no step of ours gives weight meanwhile.
    """

    def __init__(
        self,
        sock: RuntimeSocket,
        backends: Sequence[str],
        servers: Sequence[str],
        exclusive: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sock = sock
        self._backends = backends
        self._servers = set(servers)
        self._exclusive = exclusive
        self._clock = clock
        self._sleep = sleep

    def run(self, timeout: float, interval: float, check_mode: bool = False, *, cut: bool = True) -> Drained:
        """Look every ``interval`` seconds, for ``timeout`` seconds, then ``cut``; in check mode look once.

        Raises StateError where a server has weight, BalancerError where HAProxy does not answer or refuses.
        """
        started = self._clock()
        before = sessions = self._look()
        if check_mode:
            return Drained(_total(before), {}, _total(before), 0.0, _commands(before))
        while sessions and self._clock() - started < timeout:
            self._sleep(min(interval, max(0.0, started + timeout - self._clock())))
            sessions = self._look()
        waited = self._clock() - started
        if not sessions or not cut:
            return Drained(_total(before), {}, _total(sessions), waited, [])
        with self._exclusive():
            sessions = self._look()
            commands = _commands(sessions)
            self._sock.act(commands)
        return Drained(_total(before), _total(sessions), _total(self._left()), waited, commands)

    def _left(self) -> dict[tuple[str, str], int]:
        deadline = self._clock() + CUT_SECONDS
        left = self._look()
        while left and self._clock() < deadline:
            self._sleep(0.1)
            left = self._look()
        return left

    def _look(self) -> dict[tuple[str, str], int]:
        """Sessions now by backend and server, of those that have any."""
        main = self._backends[0]
        replies = self._sock.run([states_command(main), *map(stats_command, self._backends)])
        states = parse_states(replies[0], main, self._sock.path)
        missing = sorted(self._servers - set(states))
        if missing:
            raise BalancerError(
                f"HAProxy at {self._sock.path} does not have {', '.join(missing[:10])} in backend {main}. "
                "Run sluice.bluegreen.site to bring the balancers up to the inventory",
                missing=missing,
            )
        serving = sorted(name for name in self._servers if states[name].weight)
        if serving:
            raise StateError(
                f"service {main}: {', '.join(serving[:10])} still {'gets' if len(serving) == 1 else 'get'} requests at "
                f"{self._sock.path}, so no session is cut there. Take the traffic away first"
            )
        return {
            (backend, name): of_server.scur
            for backend, reply in zip(self._backends, replies[1:])
            for name, of_server in parse_stats(reply, backend, self._sock.path).items()
            if name in self._servers and of_server.scur
        }


def _commands(sessions: dict[tuple[str, str], int]) -> list[str]:
    return [f"shutdown sessions server {backend}/{name}" for backend, name in sessions]


def _total(sessions: dict[tuple[str, str], int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for (_backend, name), count in sessions.items():
        total[name] = total.get(name, 0) + count
    return total
