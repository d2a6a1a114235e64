# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health gate: endpoints and a health setting in, the same verdict for a person and for a playbook out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Optional

from . import _container_view
from ._balancer_view import BalancerView
from ._errors import InputError, SluiceError
from ._expected import Check
from ._haproxy._socket import RuntimeSocket
from ._haproxy._stats import server_stats
from ._json_path import parse
from ._probe import Answer, Endpoint, Threads, probe, together, url
from ._quorum import needed
from ._schema import whole
from ._units import seconds, shown, tidy
from ._waiter import Healthy, Pace, Probes, Waited, Watched, all_answered, enough_healthy, wait_for

# A message with hundreds of hosts is not read; the result has them all.
MOST_NAMED = 10


class UnhealthyError(SluiceError):
    """Not enough endpoints became healthy in time."""


class Limits(NamedTuple):
    """When the gate is content, and for how long it tries; seconds. ``needed``: endpoints, None for all."""

    healthy: Healthy
    pace: Pace
    timeout: float
    probe_timeout: float
    needed: Optional[int] = None


Look = Callable[[str], Answer]


def run(params: Mapping[str, Any], once: bool) -> dict[str, Any]:
    """The gate as the module's parameters want it; see :func:`gate`. Raises InputError and UnhealthyError."""
    health = params["health"]
    to_probe = endpoints(params["endpoints"], health["port"])
    wanted = check(health, params["version"])
    limit = limits(health, needed(params["quorum"], len(to_probe)))
    return gate(to_probe, wanted, limit, once=once, views=views(params, limit.probe_timeout))


def limits(health: Mapping[str, Any], enough: Optional[int] = None) -> Limits:
    """The times and counts of a ``health`` setting. Raises InputError."""
    consecutive = whole(health["consecutive"], 1, 1000, "health.consecutive must be from 1 to 1000")
    interval = seconds(health["interval"], "health.interval")
    longest = None
    if health["backoff"] is not None:
        longest = _positive(seconds(health["backoff"], "health.backoff"), "health.backoff")
    return Limits(
        Healthy(consecutive, seconds(health["stable_for"], "health.stable_for")),
        Pace(interval, min(0.25, interval), longest),
        seconds(health["timeout"], "health.timeout"),
        _positive(seconds(health["probe_timeout"], "health.probe_timeout"), "health.probe_timeout"),
        enough,
    )


def check(health: Mapping[str, Any], version: Optional[str] = None) -> Check:
    """What to probe for, from a ``health`` setting and the version that must answer. Raises InputError."""
    if health["tcp"]:
        return Check(tcp=True)
    if not (health["path"] or "").startswith("/"):
        raise InputError(f"health.path: {health['path']!r} must start with a slash, such as /healthz")
    if not health["status"]:
        raise InputError("health.status: the list is empty; give at least one status, such as 200")
    if health["version_header"] and health["version_json"]:
        raise InputError("health.version_json: the version is in health.version_header already; give one of them")
    return Check(
        path=health["path"],
        status=tuple(health["status"]),
        headers={str(name): str(value) for name, value in health["response_headers"].items()},
        contains=health["contains"],
        host_header=health["host_header"],
        request_headers={str(name): str(value) for name, value in (health.get("request_headers") or {}).items()},
        tls=bool(health.get("tls")),
        matches=_pattern(health["matches"]),
        json={_steps(path, "health.json"): value for path, value in health["json"].items()},
        version_at=_steps(health["version_json"], "health.version_json")
        if health["version_json"]
        else health["version_header"] or None,
        version=version or None,
    )


def _pattern(given: Optional[str]) -> Optional[re.Pattern[str]]:
    if given is None:
        return None
    try:
        return re.compile(given)
    except re.error as error:
        raise InputError(f"health.matches: {shown(given)} is not a regular expression: {error}") from error


def _steps(path: Any, what: str) -> tuple[Any, ...]:
    try:
        return parse(str(path))
    except InputError as error:
        raise InputError(f"{what}: {error}") from error


def views(params: Mapping[str, Any], timeout: float) -> list[Look]:
    """What is asked of an endpoint beside the probe itself: Docker for its container, HAProxy for its server."""
    found: list[Look] = []
    if params["health"]["docker"]:
        path = _container_view.socket_path(params["docker_socket"])
        containers = {str(e["name"]): str(e["container"]) for e in params["endpoints"] if e.get("container")}

        def docker(name: str) -> Answer:
            container = containers.get(name)
            # Whoever probes from elsewhere names no container, and cannot ask for it either.
            return _container_view.look(container, path, timeout) if container else Answer(True)

        found.append(docker)
    if params["haproxy"]:
        sock = RuntimeSocket(params["haproxy"]["socket"], timeout)
        found.append(BalancerView(partial(server_stats, sock, params["haproxy"]["service"])).look)
    return found


def _positive(value: float, what: str) -> float:
    if value <= 0:
        raise InputError(f"{what}: must be more than 0 seconds")
    return value


def endpoints(given: Sequence[Mapping[str, Any]], port: Optional[int] = None) -> list[Endpoint]:
    """The endpoints to probe; ``port``, where given, instead of each one's own. Raises InputError."""
    found = [Endpoint(str(e["name"]), str(e["address"]), int(port or e.get("port") or 0)) for e in given]
    if not found:
        raise InputError("there are no endpoints to probe, so nothing can be said to be healthy; give at least one")
    names = [endpoint.name for endpoint in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"endpoints: {', '.join(twice)} is there more than once; names must differ")
    for endpoint in found:
        if not 0 < endpoint.port < 65536:
            raise InputError(f"endpoint {endpoint.name}: the port {endpoint.port} must be from 1 to 65535")
        if not endpoint.address.strip():
            raise InputError(f"endpoint {endpoint.name}: the address is empty")
    return found


def gate(
    to_probe: Sequence[Endpoint],
    wanted: Check,
    limit: Limits,
    *,
    once: bool = False,
    views: Sequence[Look] = (),
    probes: Optional[Probes] = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Wait until enough endpoints are healthy at the same time, at most ``limit.timeout`` seconds.

    ``views`` are asked for each endpoint beside the probe, and all must find it well. ``once`` (check mode) probes each
    endpoint one time, and does not fail. Gives ``{healthy, endpoints, unhealthy, needed, elapsed, msg}``; raises
    UnhealthyError with the same in its details.
    """
    by_name = {endpoint.name: endpoint for endpoint in to_probe}
    enough = len(by_name) if limit.needed is None else limit.needed
    healthy = Healthy() if once else limit.healthy
    if probes is None:

        def look(name: str) -> Answer:
            found = probe(by_name[name], wanted, limit.probe_timeout, clock)
            return together([found, *(view(name) for view in views)])

        probes = Threads(look)
    if once:
        never = float("inf")
        # Each view may take as long as the probe.
        most = min(limit.timeout, limit.probe_timeout * (1 + len(views)) + 1)
        waited = wait_for(all_answered, by_name, probes, Pace(never, never), most, clock)
    else:
        waited = wait_for(enough_healthy(healthy, enough), by_name, probes, limit.pace, limit.timeout, clock)
    when = "when probed once" if once else f"within {limit.timeout:g} s"
    result = report(waited, by_name, wanted, healthy, enough, when)
    if once or result["healthy"]:
        return result
    raise UnhealthyError(result.pop("msg"), **result)


def report(
    waited: Waited, by_name: Mapping[str, Endpoint], wanted: Check, healthy: Healthy, enough: int, when: str
) -> dict[str, Any]:
    """The result dictionary of a gate that ended; ``when`` goes into the message of a failure. Pure."""
    details = {name: _entry(watched, healthy, waited.elapsed) for name, watched in waited.subjects.items()}
    unhealthy = [name for name, entry in details.items() if not entry["healthy"]]
    well, total = len(details) - len(unhealthy), len(details)
    lines = [
        f"{name} {url(by_name[name], wanted)}: {details[name]['reason']} "
        f"({_times(details[name]['attempts'], 'attempt')} in {waited.elapsed:.0f} s)"
        for name in unhealthy[:MOST_NAMED]
    ]
    more = f"; and {len(unhealthy) - MOST_NAMED} more" if len(unhealthy) > MOST_NAMED else ""
    wanted_too = f", {enough} wanted" if enough < total else ""
    if well >= enough:
        message = f"{well} of {total} healthy after {waited.elapsed:.1f} s{wanted_too}"
    elif enough < total:
        message = f"{well} of {total} healthy {when}{wanted_too}"
    else:
        message = f"{len(unhealthy)} of {total} not healthy {when}"
    return {
        "healthy": well >= enough,
        "endpoints": details,
        "unhealthy": unhealthy,
        "needed": enough,
        "elapsed": tidy(round(waited.elapsed, 3)),
        "msg": message + (f": {'; '.join(lines)}{more}" if lines else ""),
    }


def _entry(watched: Watched, wanted: Healthy, elapsed: float) -> dict[str, Any]:
    healthy = wanted.holds(watched)
    last = watched.last
    seen = last.seen if last else {}
    return {
        "healthy": healthy,
        "attempts": watched.attempts,
        "successes": watched.successes,
        "stable_for": tidy(round(watched.lasted, 3)),
        "last": last.status if last else None,
        "reason": "" if healthy else _reason(watched, last, wanted, elapsed),
        "latency_ms": last.latency_ms if last else None,
        "version": seen.get("version"),
        "docker": seen.get("docker"),
        "haproxy": seen.get("haproxy"),
    }


def _reason(watched: Watched, last: Optional[Answer], wanted: Healthy, elapsed: float) -> str:
    if last is None:
        return f"no answer within {elapsed:.0f} s"
    if not last.ok:
        return last.reason
    before = f"; before that: {watched.failure.reason}" if watched.failure else ""
    if watched.successes < wanted.consecutive:
        return f"answered well only {_times(watched.successes, 'time')} in a row, {wanted.consecutive} wanted{before}"
    return f"answered well for only {watched.lasted:.0f} s, {wanted.stable_for:g} s wanted{before}"


def _times(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
