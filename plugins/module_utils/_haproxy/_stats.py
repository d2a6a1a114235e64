# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy says of itself: counters, weights and states of servers, the process. Read only."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .._errors import BalancerError
from ._socket import RuntimeSocket, first_line

_ADMIN_STATES = ((0x01 | 0x02 | 0x04 | 0x20, "maintenance"), (0x08 | 0x10, "drain"))
_OPERATIONAL = {0: "stopped", 1: "starting", 2: "running", 3: "stopping"}
_COUNTERS = (
    "scur",
    "stot",
    "queue",
    "selected",
    "requests",
    "bad",
    "econ",
    "eresp",
    "retries",
    "redispatched",
)
_CLASSES = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")


@dataclass(frozen=True)
class ServerStats:
    """Counters of one server of a backend, since HAProxy started or was last told to clear them.

    ``requests`` are those finished, n = 2xx + 3xx + 4xx + 5xx + other + econ + eresp (1xx left out), and ``bad`` of
    them k = 5xx + econ + eresp: requests that a user saw fail. ``weight`` is the *effective* weight: below the set one
    while the server starts slowly, and 0 in drain. ``scur`` and ``stot`` are sessions now and in total, ``selected`` is
    how often the balancer chose the server.
    """

    name: str
    status: str
    weight: int
    scur: int
    stot: int
    queue: int
    selected: int
    requests: int
    bad: int
    econ: int
    eresp: int
    retries: int
    redispatched: int
    responses: Mapping[str, int]
    check: str
    check_code: int | None
    check_text: str
    last_change: int

    @property
    def up(self) -> bool:
        """Whether requests may be sent to it: UP, also while it is on the way down, or not checked at all."""
        return self.status.startswith(("UP", "no check"))


@dataclass(frozen=True)
class ServerState:
    """Weight and state of one server of a backend at runtime.

    ``weight`` is the one set last (0 to 256), ``initial_weight`` the one it started with; ``operational`` is one of
    stopped, starting, running, stopping; ``admin`` one of ready, drain, maintenance.
    """

    name: str
    address: str
    port: int
    weight: int
    initial_weight: int
    operational: str
    admin: str


@dataclass(frozen=True)
class ProcessInfo:
    """The HAProxy process behind the socket; ``uptime`` in seconds since it, or its last reload, started."""

    version: str
    pid: int
    uptime: int


def server_stats(sock: RuntimeSocket, backend: str) -> dict[str, ServerStats]:
    """Counters of every server of ``backend``, by name. Raises ``BalancerError`` where there is no such backend.

    What a server did for the backend of its color (users, pins, previews) counts with what it did for ``backend``.
    """
    return service_stats(sock.run(service_stats_commands(backend)), backend, sock.path)


def service_stats_commands(service: str) -> list[str]:
    """The commands whose replies ``service_stats`` reads."""
    return [stats_command(backend) for backend in _backends(service)]


def service_stats(replies: Sequence[str], service: str, where: str = "") -> dict[str, ServerStats]:
    """Counters of every server in all backends of the service; state and weight are those of the main one."""
    found = parse_stats(replies[0], service, where)
    for reply, backend in zip(replies[1:], _backends(service)[1:]):
        # A color may have no servers.
        for row in _rows(reply, backend):
            more = _stats_of(row)
            if more.name in found:
                found[more.name] = _together(found[more.name], more)
    return found


def _backends(service: str) -> list[str]:
    return [service, f"{service}_blue", f"{service}_green"]


def _together(one: ServerStats, other: ServerStats) -> ServerStats:
    added = {name: getattr(one, name) + getattr(other, name) for name in _COUNTERS}
    responses = {name: count + other.responses.get(name, 0) for name, count in one.responses.items()}
    return replace(one, responses=responses, **added)


def server_states(sock: RuntimeSocket, backend: str) -> dict[str, ServerState]:
    """Weights and states of every server of ``backend``, by name. Raises ``BalancerError`` where there is none such."""
    return parse_states(sock.run([states_command(backend)])[0], backend, sock.path)


def process_info(sock: RuntimeSocket) -> ProcessInfo:
    """The process that answers now."""
    return parse_info(sock.run([INFO_COMMAND])[0], sock.path)


INFO_COMMAND = "show info"


def states_command(backend: str) -> str:
    """The command whose reply ``parse_states`` reads."""
    return f"show servers state {backend}"


def stats_command(backend: str) -> str:
    """The command whose reply ``parse_stats`` reads: only servers, only of this backend."""
    return f"show stat {backend} 4 -1"


def parse_stats(reply: str, backend: str, where: str = "") -> dict[str, ServerStats]:
    """Read `show stat`: columns by their names, so that versions may add their own anywhere."""
    if not reply.startswith("# pxname,svname,"):
        raise _unreadable(stats_command(backend), reply, where)
    found = {stats.name: stats for stats in map(_stats_of, _rows(reply, backend))}
    if not found:
        raise _no_backend(backend, where)
    return found


def parse_states(reply: str, backend: str, where: str = "") -> dict[str, ServerState]:
    """Read `show servers state`: columns by their names; other versions of the format are refused."""
    if reply.startswith("Can't find backend"):
        raise _no_backend(backend, where)
    lines = reply.splitlines()
    if len(lines) < 2 or lines[0].strip() != "1" or not lines[1].startswith("# be_id "):
        raise _unreadable(states_command(backend), reply, where)
    columns = lines[1][2:].split()
    found = {}
    for line in lines[2:]:
        row = dict(zip(columns, line.split(" ")))
        if line.startswith("#") or row.get("be_name") != backend:
            continue
        try:
            state = ServerState(
                name=row["srv_name"],
                address=row["srv_addr"],
                port=int(row["srv_port"]),
                weight=int(row["srv_uweight"]),
                initial_weight=int(row["srv_iweight"]),
                operational=_OPERATIONAL.get(int(row["srv_op_state"]), row["srv_op_state"]),
                admin=_admin_state(int(row["srv_admin_state"])),
            )
        except (KeyError, ValueError) as error:
            raise _unreadable(states_command(backend), line, where) from error
        found[state.name] = state
    return found


def parse_info(reply: str, where: str = "") -> ProcessInfo:
    """Read `show info`."""
    fields = dict(line.split(": ", 1) for line in reply.splitlines() if ": " in line)
    try:
        return ProcessInfo(version=fields["Version"], pid=int(fields["Pid"]), uptime=int(fields["Uptime_sec"]))
    except (KeyError, ValueError) as error:
        raise _unreadable(INFO_COMMAND, reply, where) from error


def _rows(reply: str, backend: str) -> list[dict[str, str | None]]:
    lines = reply.splitlines()
    if not lines:
        return []
    rows = csv.DictReader(lines[1:], fieldnames=lines[0][2:].split(","))
    return [row for row in rows if row.get("pxname") == backend]


def _stats_of(row: Mapping[str, str | None]) -> ServerStats:
    def number(column: str) -> int:
        # An empty cell is how HAProxy says "does not apply", e.g. response classes in TCP mode.
        return int(row.get(column) or 0)

    responses = {column[5:]: number(column) for column in _CLASSES}
    econ, eresp = number("econ"), number("eresp")
    finished = sum(count for response, count in responses.items() if response != "1xx")
    if not row.get("hrsp_2xx"):
        # In TCP mode a connection that has ended is what a response is in HTTP.
        finished = max(number("stot") - number("scur"), 0)
    return ServerStats(
        name=row.get("svname") or "",
        status=row.get("status") or "",
        weight=number("weight"),
        scur=number("scur"),
        stot=number("stot"),
        queue=number("qcur"),
        selected=number("lbtot"),
        requests=finished + econ + eresp,
        bad=responses["5xx"] + econ + eresp,
        econ=econ,
        eresp=eresp,
        retries=number("wretr"),
        redispatched=number("wredis"),
        responses=responses,
        check=(row.get("check_status") or "").lstrip("* "),
        check_code=int(row["check_code"]) if row.get("check_code") else None,  # type: ignore[arg-type]
        check_text=row.get("last_chk") or row.get("check_desc") or "",
        last_change=number("lastchg"),
    )


def _admin_state(mask: int) -> str:
    return next((name for bits, name in _ADMIN_STATES if mask & bits), "ready")


def _no_backend(backend: str, where: str) -> BalancerError:
    return BalancerError(
        f"HAProxy at {where} has no backend {backend} with servers. Run sluice.bluegreen.site for this service.",
        socket=where,
        backend=backend,
    )


def _unreadable(command: str, reply: str, where: str) -> BalancerError:
    return BalancerError(
        f"HAProxy at {where} answered `{command}` with what cannot be read: {first_line(reply) or 'nothing'}.",
        socket=where,
        command=command,
        reply=reply[:1000],
    )
