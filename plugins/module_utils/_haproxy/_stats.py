# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy says of itself: counters, weights and states of servers, the process. Read only."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from .._errors import BalancerError
from ._socket import RuntimeSocket, first_line

SPARE = "sluice_spare"
"""What stands in for the stable color in the backend of a service; it is none of the service's servers."""
_ADMIN_STATES = ((0x01 | 0x02 | 0x04 | 0x20, "maintenance"), (0x08 | 0x10, "drain"))
_OPERATIONAL = {0: "stopped", 1: "starting", 2: "running", 3: "stopping"}
_COUNTERS = (
    "scur",
    "stot",
    "queue",
    "selected",
    "requests",
    "bad",
    "unanswered",
    "econ",
    "eresp",
    "retries",
    "redispatched",
)
_CLASSES = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
_RESPONSES = tuple(column[5:] for column in _CLASSES)
# Of about a hundred columns; with thousands of servers it matters what is not looked at.
_NUMBERS = (
    "weight",
    "scur",
    "stot",
    "qcur",
    "lbtot",
    "econ",
    "eresp",
    "cli_abrt",
    "wretr",
    "wredis",
    "lastchg",
)
_TEXTS = ("pxname", "svname", "status", "check_status", "check_code", "last_chk", "check_desc")
_STATE = ("srv_name", "srv_addr", "srv_port", "srv_uweight", "srv_iweight", "srv_op_state", "srv_admin_state")


@dataclass(frozen=True)
class ServerStats:
    """Counters of one server of a backend, since HAProxy started or was last told to clear them.

    ``requests`` are those finished, n = 2xx + 3xx + 4xx + 5xx + other + econ + eresp (1xx left out), and ``bad`` of
    them k = 5xx + econ + eresp: requests that a user saw fail. ``unanswered`` are attempts that ended in neither, which
    HAProxy 2.6 counts nowhere: the server closed the connection instead of answering, and the client's had requests
    before, or the request was sent again (3.0 has them in eresp). They are stot - scur - (1xx + ... + other) - econ -
    eresp - cli_abrt: too little by the answers that are still being sent and by what is in two of these, such as an
    answer that was cut short; perhaps below 0, and never too much. It is 0 in TCP mode. ``weight`` is the *effective*
    weight: below the set one while the server starts slowly, and 0 in drain. ``scur`` and ``stot`` are sessions now and
    in total, ``selected`` is how often the balancer chose the server.
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
    unanswered: int
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
        for more in _rows(reply, backend):
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
    found = {stats.name: stats for stats in _rows(reply, backend)}
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
    try:
        of_row = itemgetter(*(columns.index(column) for column in ("be_name", *_STATE)))
    except ValueError as error:
        raise _unreadable(states_command(backend), lines[1], where) from error
    found = {}
    for line in lines[2:]:
        if not line or line.startswith("#"):
            continue
        try:
            of_backend, name, address, port, weight, initial_weight, operational, admin = of_row(line.split(" "))
            if of_backend != backend or name == SPARE:
                continue
            found[name] = ServerState(
                name=name,
                address=address,
                port=int(port),
                weight=int(weight),
                initial_weight=int(initial_weight),
                operational=_OPERATIONAL.get(int(operational), operational),
                admin=_admin_state(int(admin)),
            )
        except (IndexError, ValueError) as error:
            raise _unreadable(states_command(backend), line, where) from error
    return found


def parse_info(reply: str, where: str = "") -> ProcessInfo:
    """Read `show info`."""
    fields = dict(line.split(": ", 1) for line in reply.splitlines() if ": " in line)
    try:
        return ProcessInfo(version=fields["Version"], pid=int(fields["Pid"]), uptime=int(fields["Uptime_sec"]))
    except (KeyError, ValueError) as error:
        raise _unreadable(INFO_COMMAND, reply, where) from error


def _rows(reply: str, backend: str) -> Iterator[ServerStats]:
    lines = reply.splitlines()
    if not lines:
        return
    columns = lines[0][2:].split(",")
    # A version that lacks a column leaves it empty: the cell after the last one.
    where = {column: index for index, column in enumerate(columns)}
    places = [[where.get(column, -1) for column in wanted] for wanted in (_TEXTS, _NUMBERS, _CLASSES)]
    texts, numbers, classes = (itemgetter(*wanted) for wanted in places)
    for row in csv.reader(lines[1:]):
        row += [""] * (len(columns) + 1 - len(row))
        row[-1] = ""
        if texts(row)[0] == backend and texts(row)[1] != SPARE:
            yield _stats_of(texts(row), numbers(row), classes(row))


def _stats_of(texts: Sequence[str], numbers: Sequence[str], classes: Sequence[str]) -> ServerStats:
    _backend, name, status, check, check_code, last_check, check_text = texts
    # An empty cell is how HAProxy says "does not apply", e.g. response classes in TCP mode.
    weight, scur, stot, queue, selected, econ, eresp, left, retries, redispatched, last_change = [
        int(cell) if cell else 0 for cell in numbers
    ]
    counts = [int(cell) if cell else 0 for cell in classes]
    # In TCP mode a connection that has ended is what a response is in HTTP.
    finished = sum(counts) - counts[0] if classes[1] else max(stot - scur, 0)
    unanswered = stot - scur - sum(counts) - econ - eresp - left if classes[1] else 0
    return ServerStats(
        name=name,
        status=status,
        weight=weight,
        scur=scur,
        stot=stot,
        queue=queue,
        selected=selected,
        requests=finished + econ + eresp,
        bad=counts[4] + econ + eresp,
        unanswered=unanswered,
        econ=econ,
        eresp=eresp,
        retries=retries,
        redispatched=redispatched,
        responses=dict(zip(_RESPONSES, counts)),
        check=check.lstrip("* "),
        check_code=int(check_code) if check_code else None,
        check_text=last_check or check_text,
        last_change=last_change,
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
