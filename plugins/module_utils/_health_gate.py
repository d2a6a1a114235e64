# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health gate: endpoints and a health setting in, the same verdict for a person and for a playbook out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ._errors import InputError, SluiceError
from ._probe import Answer, Check, Endpoint, Threads, probe, url
from ._schema import whole
from ._units import seconds, tidy
from ._waiter import Pace, Probes, Waited, Watched, all_answered, all_healthy, wait_for

# A message with hundreds of hosts is not read; the result has them all.
MOST_NAMED = 10


class UnhealthyError(SluiceError):
    """At least one endpoint did not become healthy in time."""


def run(params: Mapping[str, Any], once: bool) -> dict[str, Any]:
    """The gate as the module's parameters want it; see :func:`gate`. Raises InputError and UnhealthyError."""
    health = params["health"]
    return gate(
        endpoints(params["endpoints"], health["port"]),
        check(health, params["version"]),
        consecutive=whole(health["consecutive"], 1, 1000, "health.consecutive must be from 1 to 1000"),
        interval=seconds(health["interval"], "health.interval"),
        timeout=seconds(health["timeout"], "health.timeout"),
        probe_timeout=_positive(seconds(health["probe_timeout"], "health.probe_timeout"), "health.probe_timeout"),
        once=once,
    )


def check(health: Mapping[str, Any], version: Optional[str] = None) -> Check:
    """What to probe for, from a ``health`` setting and the version that must answer. Raises InputError."""
    if health["tcp"]:
        return Check(tcp=True)
    headers = {str(name): str(value) for name, value in health["response_headers"].items()}
    if health["version_header"] and version:
        headers[health["version_header"]] = version
    if not (health["path"] or "").startswith("/"):
        raise InputError(f"health.path: {health['path']!r} must start with a slash, such as /healthz")
    if not health["status"]:
        raise InputError("health.status: the list is empty; give at least one status, such as 200")
    return Check(
        path=health["path"],
        status=tuple(health["status"]),
        headers=headers,
        contains=health["contains"],
        host_header=health["host_header"],
        request_headers={str(name): str(value) for name, value in (health.get("request_headers") or {}).items()},
        tls=bool(health.get("tls")),
    )


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
    *,
    consecutive: int,
    interval: float,
    timeout: float,
    probe_timeout: float,
    once: bool = False,
    probes: Optional[Probes] = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Wait until every endpoint answered well ``consecutive`` times in a row, at most ``timeout`` seconds.

    ``once`` (check mode) probes each endpoint one time, and does not fail. Gives ``{healthy, endpoints, unhealthy,
    elapsed, msg}``; raises UnhealthyError with the same in its details.
    """
    by_name = {endpoint.name: endpoint for endpoint in to_probe}
    if probes is None:
        probes = Threads(lambda name: probe(by_name[name], wanted, probe_timeout, clock))
    if once:
        never = float("inf")
        waited = wait_for(all_answered, by_name, probes, Pace(never, never), min(timeout, probe_timeout + 1), clock)
        consecutive = 1
    else:
        waited = wait_for(
            all_healthy(consecutive), by_name, probes, Pace(interval, min(0.25, interval)), timeout, clock
        )
    result = report(waited, by_name, wanted, consecutive, "when probed once" if once else f"within {timeout:g} s")
    if once or result["healthy"]:
        return result
    raise UnhealthyError(result.pop("msg"), **result)


def report(
    waited: Waited, by_name: Mapping[str, Endpoint], wanted: Check, consecutive: int, when: str
) -> dict[str, Any]:
    """The result dictionary of a gate that ended; ``when`` goes into the message of a failure. Pure."""
    details = {name: _entry(watched, consecutive, waited.elapsed) for name, watched in waited.subjects.items()}
    unhealthy = [name for name, entry in details.items() if not entry["healthy"]]
    if unhealthy:
        lines = [
            f"{name} {url(by_name[name], wanted)}: {details[name]['reason']} "
            f"({_times(details[name]['attempts'], 'attempt')} in {waited.elapsed:.0f} s)"
            for name in unhealthy[:MOST_NAMED]
        ]
        more = f"; and {len(unhealthy) - MOST_NAMED} more" if len(unhealthy) > MOST_NAMED else ""
        message = f"{len(unhealthy)} of {len(details)} not healthy {when}: {'; '.join(lines)}{more}"
    else:
        message = f"{len(details)} of {len(details)} healthy after {waited.elapsed:.1f} s"
    return {
        "healthy": not unhealthy,
        "endpoints": details,
        "unhealthy": unhealthy,
        "elapsed": tidy(round(waited.elapsed, 3)),
        "msg": message,
    }


def _entry(watched: Watched, consecutive: int, elapsed: float) -> dict[str, Any]:
    healthy = watched.successes >= consecutive
    last = watched.last
    return {
        "healthy": healthy,
        "attempts": watched.attempts,
        "successes": watched.successes,
        "last": last.status if last else None,
        "reason": "" if healthy else _reason(watched, last, consecutive, elapsed),
        "latency_ms": last.latency_ms if last else None,
    }


def _reason(watched: Watched, last: Optional[Answer], consecutive: int, elapsed: float) -> str:
    if last is None:
        return f"no answer within {elapsed:.0f} s"
    if not last.ok:
        return last.reason
    before = f"; before that: {watched.failure.reason}" if watched.failure else ""
    return f"answered well only {_times(watched.successes, 'time')} in a row, {consecutive} wanted{before}"


def _times(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
