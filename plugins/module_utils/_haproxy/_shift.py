# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the weights that HAProxy works with: observe, compare, act, observe again; all or none on this balancer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .._errors import BalancerError
from ._socket import RuntimeSocket
from ._stats import INFO_COMMAND, parse_info, parse_states, states_command
from ._users import Users
from ._users import read as read_users


@dataclass(frozen=True)
class ShiftResult:
    """What a shift did: every server's weight ``before`` and ``after``, and the ``commands`` sent.

    In check mode ``after`` is what it would become and ``commands`` what would be sent.
    ``changed`` says that something differed; a shift to what is set already sends nothing.
    """

    before: dict[str, int]
    after: dict[str, int]
    commands: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.commands)


def weight_command(backend: str, server: str, weight: int) -> str:
    """The Runtime API command that sets one weight."""
    return f"set server {backend}/{server} weight {weight}"


def shift(sock: RuntimeSocket, backend: str, weights: Mapping[str, int], check_mode: bool = False) -> ShiftResult:
    """Give every server of ``backend`` its weight from ``weights`` (0 to 256), and read back that it has it.

    Where HAProxy splits the service by user, the threshold is set with the weights that it belongs to.
    ``weights`` names all servers of the backend and no other. Raises ``BalancerError`` where it does not, where HAProxy
    refuses a command, and where the weights read back are not those sent; in the last two cases the weights from before
    are put back first, and the message says whether that worked (detail ``restored``). Only where HAProxy was reloaded
    meanwhile, nothing is put back: it then works with what is committed on disk.
    """
    before = _observe(sock, backend)
    _same_servers(sock, backend, before.weights, weights)
    wanted = {name: weights[name] for name in before.weights}
    users = before.users.wanted(wanted) if before.users else None
    commands = _commands(backend, before, wanted, users)
    if check_mode or not commands:
        return ShiftResult(before.weights, wanted, commands)
    try:
        sock.act(commands)
        _confirm(sock, backend, wanted, users, before.pid)
    except BalancerError as error:
        restored, note = _restore(sock, backend, before)
        raise BalancerError(f"{error} {note}", **{**error.details, "restored": restored}) from error
    return ShiftResult(before.weights, wanted, commands)


@dataclass(frozen=True)
class _Observed:
    weights: dict[str, int]
    users: Users | None
    pid: int


def _observe(sock: RuntimeSocket, backend: str) -> _Observed:
    states, info = sock.run([states_command(backend), INFO_COMMAND])
    weights = {name: state.weight for name, state in parse_states(states, backend, sock.path).items()}
    pid = parse_info(info, sock.path).pid
    return _Observed(weights, read_users(sock, backend, pid), pid)


def _commands(backend: str, current: _Observed, wanted: Mapping[str, int], users: int | None) -> list[str]:
    # Raised weights go first: a moment in which every server has weight 0 would answer requests with 503.
    differing = sorted(
        (wanted[name] < weight, name) for name, weight in current.weights.items() if wanted[name] != weight
    )
    commands = [weight_command(backend, name, wanted[name]) for _lowered, name in differing]
    return commands + (current.users.commands(users) if current.users and users is not None else [])


def _same_servers(sock: RuntimeSocket, backend: str, found: Mapping[str, int], wanted: Mapping[str, int]) -> None:
    missing = sorted(set(wanted) - set(found))
    unexpected = sorted(set(found) - set(wanted))
    if not missing and not unexpected:
        return
    parts = []
    if missing:
        parts.append(f"does not have {_listed(missing)}")
    if unexpected:
        parts.append(f"has {_listed(unexpected)}, not in the inventory")
    raise BalancerError(
        f"Backend {backend} of HAProxy at {sock.path} {' and '.join(parts)}. "
        f"Run sluice.bluegreen.site to bring the balancers up to the inventory; nothing was changed.",
        socket=sock.path,
        backend=backend,
        missing=missing,
        unexpected=unexpected,
    )


def _confirm(sock: RuntimeSocket, backend: str, wanted: Mapping[str, int], users: int | None, pid: int) -> None:
    now = _observe(sock, backend)
    found, pid_now = now.weights, now.pid
    differs = {
        name: {"wanted": weight, "found": found.get(name)}
        for name, weight in wanted.items()
        if found.get(name) != weight
    }
    users_now = now.users.threshold if now.users else None
    if not differs and users_now == users:
        return
    reloaded = f" HAProxy was reloaded meanwhile (process {pid}, now {pid_now})." if pid != pid_now else ""
    if not differs:
        raise BalancerError(
            f"HAProxy at {sock.path} took the threshold of service {backend} and yet works with {users_now} instead of "
            f"{users}.{reloaded}",
            socket=sock.path,
            backend=backend,
        )
    name, pair = next(iter(differs.items()))
    raise BalancerError(
        f"HAProxy at {sock.path} took the weights of backend {backend} and yet {len(differs)} of {len(wanted)} servers "
        f"have another one, {name} {pair['found']} instead of {pair['wanted']}.{reloaded}",
        socket=sock.path,
        backend=backend,
        command=weight_command(backend, name, wanted[name]),
        differs=differs,
    )


def _restore(sock: RuntimeSocket, backend: str, before: _Observed) -> tuple[bool, str]:
    users = before.users.threshold if before.users else None
    try:
        found = _observe(sock, backend)
        if found.pid != before.pid:
            return False, "Nothing was put back: HAProxy now works with what is committed on its disk."
        commands = _commands(backend, found, before.weights, users)
        if commands:
            sock.act(commands)
            _confirm(sock, backend, before.weights, users, before.pid)
    except BalancerError as error:
        return False, f"Putting back the weights from before failed as well: {error}"
    return True, "The weights from before are set again." if commands else "No weight had changed."


def _listed(names: list[str], limit: int = 10) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
