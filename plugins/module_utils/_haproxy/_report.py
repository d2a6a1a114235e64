# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer says of a service, put side by side: committed on disk, set at runtime, seen in the counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .._errors import BalancerError, SluiceError
from ._config import (
    COLORS,
    committed_capacities,
    committed_colors,
    committed_shares,
    committed_users,
    committed_weights,
    read_service_file,
    split_by,
)
from ._observed import LOOK, SHIFT, START, Mark, deviates, since
from ._socket import RuntimeSocket
from ._stats import (
    INFO_COMMAND,
    ProcessInfo,
    ServerState,
    ServerStats,
    parse_info,
    parse_states,
    service_stats,
    service_stats_commands,
    states_command,
)
from ._users import FIRST_COLOR, Users, threshold
from ._users import read as read_users
from ._weights import WAYS, full_weights, largest_weight, shares_of, weights_by

_NOTHING = dict.fromkeys(COLORS, 0.0)
_SINCE = {SHIFT: "the last shift", LOOK: "the first look"}


@dataclass(frozen=True)
class Disk:
    """What is committed: the split that the file's header gives, the weights of its server lines, and their colors.

    ``capacities`` are those that the weights were made for, ``by`` is one of ``WAYS``, ``users`` the threshold of a
    split by user.
    """

    exists: bool
    shares: Mapping[str, float]
    weights: Mapping[str, int]
    colors: Mapping[str, Sequence[str]]
    capacities: Mapping[str, float] = field(default_factory=dict)
    by: str = WAYS[0]
    users: int | None = None


@dataclass(frozen=True)
class Runtime:
    """What HAProxy works with, all read in one session with one process."""

    info: ProcessInfo
    states: Mapping[str, ServerState]
    stats: Mapping[str, ServerStats]
    users: Users | None = None

    @property
    def weights(self) -> dict[str, int]:
        """The weight of every server, as set last."""
        return {name: state.weight for name, state in self.states.items()}


def read_disk(path: str, service: str) -> Disk:
    """The service's file; ``BalancerError`` with its path where it is there and not one of ours."""
    text = read_service_file(path)
    if text is None:
        return Disk(False, dict(_NOTHING), {}, {color: [] for color in COLORS})
    try:
        return Disk(
            True,
            committed_shares(text),
            committed_weights(text, service),
            committed_colors(text, service),
            committed_capacities(text, service),
            split_by(text, service),
            committed_users(text, service),
        )
    except BalancerError as error:
        raise BalancerError(f"{path}: {error}", **{**error.details, "path": path}) from error


def read_runtime(sock: RuntimeSocket, service: str) -> Runtime:
    """Weights, states and counters of the service's backend; ``BalancerError`` without HAProxy or the backend."""
    states, info, *stats = sock.run([states_command(service), INFO_COMMAND, *service_stats_commands(service)])
    process = parse_info(info, sock.path)
    return Runtime(
        process,
        parse_states(states, service, sock.path),
        service_stats(stats, service, sock.path),
        read_users(sock, service, process.pid),
    )


def report(
    disk: Disk,
    runtime: Runtime | None,
    declared: Mapping[str, Sequence[str]] | None,
    capacities: Mapping[str, float] | None = None,
    mark: Mark | None = None,
) -> dict[str, Any]:
    """The result of ``haproxy_split_info``; ``declared`` are the inventory's servers by color, where known.

    ``capacities`` are those of the inventory. ``mark`` is where the counters stood that ``observed`` begins with.
    """
    colors = declared or disk.colors
    color_of = {name: color for color, names in colors.items() for name in names}
    result: dict[str, Any] = {
        "disk": {
            "exists": disk.exists,
            "shares": dict(disk.shares),
            "weights": dict(disk.weights),
            "colors": {color: list(names) for color, names in disk.colors.items()},
        },
        "differences": _differences(disk, runtime, declared, capacities),
    }
    if runtime is None:
        return result
    requests, began = since(mark, runtime.info.pid, runtime.stats)
    result["haproxy"] = {"version": runtime.info.version, "pid": runtime.info.pid, "uptime": runtime.info.uptime}
    result["runtime"] = {"shares": _shares_by(color_of, runtime.weights), "weights": runtime.weights}
    if runtime.users:
        result["runtime"]["users"] = runtime.users.threshold
    observed = {"shares": _shares_by(color_of, requests), "requests": sum(requests.values()), "since": began}
    result["observed"] = observed
    result["differences"] += _observed_differences(runtime, result["runtime"]["shares"], observed)
    carries = disk.capacities if capacities is None else capacities
    result["servers"] = {
        name: _server(state, runtime.stats.get(name), color_of.get(name), carries.get(name, 1))
        for name, state in runtime.states.items()
    }
    return result


def _server(state: ServerState, stats: ServerStats | None, color: str | None, capacity: float) -> dict[str, Any]:
    described: dict[str, Any] = {
        "color": color,
        "weight": state.weight,
        "admin": state.admin,
        "capacity": capacity,
        "up": False,
    }
    if stats:
        described.update(
            status=stats.status,
            up=stats.up,
            sessions=stats.scur,
            sessions_total=stats.stot,
            requests=stats.requests,
            bad=stats.bad,
            check=stats.check,
            check_text=stats.check_text,
        )
    return described


def _shares_by(color_of: Mapping[str, str], amounts: Mapping[str, int]) -> dict[str, float]:
    """Per cent by color of all ``amounts``; those of servers without a known color count as well."""
    total = sum(amounts.values())
    by_color = dict.fromkeys(COLORS, 0)
    for name, amount in amounts.items():
        if name in color_of:
            by_color[color_of[name]] += amount
    return {color: float(Fraction(100 * amount, total)) if total else 0.0 for color, amount in by_color.items()}


def _differences(
    disk: Disk,
    runtime: Runtime | None,
    declared: Mapping[str, Sequence[str]] | None,
    capacities: Mapping[str, float] | None,
) -> list[str]:
    found = []
    if not disk.exists:
        found.append("There is no file of this service on the balancer: sluice.bluegreen.site has not been run for it.")
    else:
        found += _header_differences(disk)
        found += _capacity_differences(disk, capacities or {})
    if declared is not None:
        found += _server_differences("The inventory", declared, "the disk", disk.weights) if disk.exists else []
        found += _color_differences(declared, disk.colors)
        found += _server_differences("The inventory", declared, "HAProxy", runtime.states) if runtime else []
    if runtime is None:
        return found
    if disk.exists:
        if declared is None:
            found += _server_differences("The disk", disk.colors, "HAProxy", runtime.states)
        found += _weight_differences(disk, runtime)
        if disk.by == "user" and runtime.users is None:
            found.append("The file splits by user, and HAProxy does not: it has not loaded the file as it is.")
    found += runtime_differences(runtime.users, runtime.weights)
    by_hand = [f"{name} in {state.admin}" for name, state in runtime.states.items() if state.admin != "ready"]
    if by_hand:
        found.append(f"Set by hand, whatever the weights say: {_listed(by_hand)}.")
    return found


def _header_differences(disk: Disk) -> list[str]:
    try:
        expected = weights_by(disk.by, disk.colors, disk.shares, disk.capacities)
    except SluiceError as error:
        return [f"The committed split on disk cannot be: {error}"]
    if expected == dict(disk.weights):
        return _threshold_difference("The file", disk.users, disk.weights, disk.colors.get(FIRST_COLOR, []))
    return [
        f"The file says {_split(disk.shares)} in its first line, "
        f"and its weights give {_split(shares_of(disk.weights, disk.colors))}: somebody edited it."
    ]


def _threshold_difference(where: str, users: int | None, weights: Mapping[str, int], first: Sequence[str]) -> list[str]:
    if users is None or users == threshold(weights, first):
        return []
    return [
        f"{where} gives {FIRST_COLOR} the users below place {users}, and its weights say {threshold(weights, first)}: "
        "somebody changed one of them by hand."
    ]


def runtime_differences(users: Users | None, weights: Mapping[str, int]) -> list[str]:
    """What contradicts itself in what HAProxy works with."""
    return _threshold_difference("HAProxy", users.threshold, weights, users.first) if users else []


def _capacity_differences(disk: Disk, declared: Mapping[str, float]) -> list[str]:
    largest = largest_weight(len(disk.weights))
    other = []
    for names in disk.colors.values():
        if set(names) <= set(declared):
            here, there = (full_weights(names, of, largest) for of in (declared, disk.capacities))
            other += [name for name in names if here[name] != there[name]]
    if not other:
        return []
    return [f"The inventory gives servers other capacities than the disk: {_listed(other)}."]


def _observed_differences(runtime: Runtime, expected: Mapping[str, float], observed: Mapping[str, Any]) -> list[str]:
    """What the counters show is compared where the weights were the same all the time, and no server is down."""
    weights = runtime.weights
    down = [name for name, stats in runtime.stats.items() if weights.get(name) and not stats.up]
    if observed["since"] == START or down or not any(weights.values()):
        return []
    shares, requests = observed["shares"], observed["requests"]
    if not any(deviates(shares[color], requests, expected[color]) for color in expected):
        return []
    return [
        f"The {requests} requests since {_SINCE[observed['since']]} went {_split(shares)}, and the weights give "
        f"{_split(expected)}: sessions that stick to their servers, or weights that somebody changed meanwhile."
    ]


def _server_differences(
    here: str, colors: Mapping[str, Sequence[str]], there: str, servers: Mapping[str, object]
) -> list[str]:
    known = {name for names in colors.values() for name in names}
    missing, unexpected = sorted(known - set(servers)), sorted(set(servers) - known)
    found = []
    if missing:
        found.append(f"{here} has servers that {there} lacks: {_listed(missing)}.")
    if unexpected:
        found.append(
            f"{there[0].upper()}{there[1:]} has servers that {here[0].lower()}{here[1:]} lacks: {_listed(unexpected)}."
        )
    return found


def _color_differences(declared: Mapping[str, Sequence[str]], on_disk: Mapping[str, Sequence[str]]) -> list[str]:
    color_of = {name: color for color, names in on_disk.items() for name in names}
    moved = [
        f"{name} ({color}, on the disk {color_of[name]})"
        for color, names in declared.items()
        for name in names
        if color_of.get(name, color) != color
    ]
    return [f"The inventory gives servers another color than the disk: {_listed(moved)}."] if moved else []


def _weight_differences(disk: Disk, runtime: Runtime) -> list[str]:
    other = [name for name, weight in runtime.weights.items() if disk.weights.get(name, weight) != weight]
    if not other:
        return []
    color_of = {name: color for color, names in disk.colors.items() for name in names}
    running, committed = _shares_by(color_of, runtime.weights), _shares_by(color_of, disk.weights)
    if running != committed:
        return [f"Runtime leads the disk: HAProxy works with {_split(running)}, committed is {_split(committed)}."]
    return [f"Weights at runtime differ from those on disk, for the same split: {_listed(other)}."]


def _split(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{color} {share:.4g} %" for color, share in shares.items())


def _listed(names: Sequence[str], limit: int = 10) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
