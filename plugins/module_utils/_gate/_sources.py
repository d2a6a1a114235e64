# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where values come from: Prometheus, any HTTP endpoint with JSON, a command of the user's own."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Callable, Optional, Union
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from .. import _json_path
from .._errors import SourceError
from ._secrets import scrub, secrets_in
from ._settings import COLOR, Series, Threshold

# Gets a URL with headers and a time limit; gives the status and the body. Tests pass in another one.
Fetch = Callable[[str, Mapping[str, str], float], tuple[int, bytes]]
# A number, None for no data, or an object as the tape holds it (``_tape``).
Reading = Union[float, None, dict[str, Any]]
# Totals by color and server, as a judge's source gives them; or ``source_down`` or ``no_data`` with the reason.
Totals = dict[str, Any]

_BODY_LIMIT = 1_000_000
# A histogram of some thousand servers a color.
_VECTOR_LIMIT = 64_000_000


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an error: it would take a token to a host that nobody named."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


def fetch(url: str, headers: Mapping[str, str], timeout: float, limit: int = _BODY_LIMIT) -> tuple[int, bytes]:
    """HTTP GET of ``limit`` bytes at most. An error status is returned, what is worse raises SourceError."""
    try:
        with build_opener(_NoRedirect).open(Request(url, headers=dict(headers)), timeout=timeout) as response:
            status, body = response.status, response.read(limit + 1)
    except HTTPError as error:
        return error.code, error.read(_BODY_LIMIT)
    except URLError as error:
        raise SourceError(f"{place(url)}: {error.reason}") from error
    except (socket.timeout, TimeoutError) as error:
        raise SourceError(f"{place(url)}: no answer in {timeout:g} s") from error
    except OSError as error:
        raise SourceError(f"{place(url)}: {error}") from error
    except (HTTPException, ValueError) as error:
        # Their texts may hold the whole URL.
        raise SourceError(f"{place(url)}: {type(error).__name__}") from error
    if len(body) > limit:
        raise SourceError(f"{place(url)}: an answer longer than {limit / 1e6:g} MB")
    return status, body


def fetch_vector(url: str, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]:
    """:func:`fetch` of a series a server, or a bucket and server."""
    return fetch(url, headers, timeout, _VECTOR_LIMIT)


def place(url: str) -> str:
    """A URL without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))


def prometheus(
    url: str,
    query: str,
    *,
    headers: Optional[Mapping[str, str]] = None,
    token: Optional[str] = None,
    timeout: float = 5.0,
    get: Fetch = fetch,
) -> Optional[float]:
    """The value of an instant query; None where it has no data (an empty result, or NaN).

    ``url`` is that of the server, with any path prefix. More than one series raises SourceError, as does whatever keeps
    the server from answering: which of them a limit is meant for must not be guessed.
    """
    data, where = _instant(url, query, headers, token, timeout, get)
    try:
        return _value(data, where)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SourceError(_not_prometheus(where)) from error


def _instant(
    url: str, query: str, headers: Optional[Mapping[str, str]], token: Optional[str], timeout: float, get: Fetch
) -> tuple[Mapping[str, Any], str]:
    """The ``data`` of the answer to an instant query, and the place of the server."""
    address = f"{url.rstrip('/')}/api/v1/query?{urlencode({'query': query})}"
    status, body = get(address, _sent(headers, token), timeout)
    answer = _decode(body)
    if status != 200 or not isinstance(answer, dict) or answer.get("status") != "success":
        why = answer.get("error") if isinstance(answer, dict) else None
        raise SourceError(f"{place(url)}: HTTP {status}{f': {why}' if why else ''}")
    if not isinstance(answer.get("data"), dict):
        raise SourceError(_not_prometheus(place(url)))
    return answer["data"], place(url)


def _not_prometheus(where: str) -> str:
    return f"{where}: not the answer of a Prometheus server to an instant query"


def _sent(headers: Optional[Mapping[str, str]], token: Optional[str]) -> dict[str, str]:
    sent = {"Accept": "application/json", **(headers or {})}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    return sent


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _value(data: Mapping[str, Any], where: str) -> Optional[float]:
    kind, result = data["resultType"], data["result"]
    if kind == "vector":
        if len(result) > 1:
            raise SourceError(f"{where}: the query gives {len(result)} series; make it one, e.g. with sum() or max()")
        if not result:
            return None
        result = result[0]["value"]
    elif kind != "scalar":
        raise SourceError(f"{where}: the query gives a {kind}; make it one number")
    value = float(result[1])
    return None if math.isnan(value) else value


def json_value(
    url: str,
    path: Optional[str],
    *,
    headers: Optional[Mapping[str, str]] = None,
    token: Optional[str] = None,
    timeout: float = 5.0,
    get: Fetch = fetch,
) -> Optional[float]:
    """The number at ``path`` of the JSON that ``url`` answers; None where the path leads nowhere, or to null.

    A path is one of :mod:`_json_path`, such as ``series[0].pointlist[-1][1]``. A text that is a number counts as one.
    Anything else raises SourceError.
    """
    status, body = get(url, _sent(headers, token), timeout)
    if not 200 <= status < 300:
        raise SourceError(f"{place(url)}: HTTP {status}")
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise SourceError(f"{place(url)}: its answer is not JSON") from error
    return _number(at_path(answer, path or ""), f"{place(url)}: what is at {path or 'the top'}")


def at_path(answer: Any, path: str) -> Any:
    """What a path of :mod:`_json_path` leads to, or None; the answer itself where it is empty."""
    if not path:
        return answer
    try:
        return _json_path.find(answer, _json_path.parse(path))
    except _json_path.MissingError:
        return None


def _number(value: Any, what: str) -> Optional[float]:
    if value is None:
        return None
    try:
        if isinstance(value, (bool, Mapping, list)):
            raise ValueError
        number = float(value)
    except (TypeError, ValueError) as error:
        raise SourceError(f"{what} is not a number") from error
    return None if math.isnan(number) else number


# Exit statuses of a check; every other one means that the check itself is broken.
EXIT_GOOD, EXIT_BAD, EXIT_NO_DATA = 0, 1, 75
_VERDICTS = ("promote", "hold", "rollback")
# Runs a command with an environment and a time limit; gives its exit status and output. Tests pass in another one.
Run = Callable[[Sequence[str], Mapping[str, str], float], tuple[int, str]]


def run(command: Sequence[str], env: Mapping[str, str], timeout: float) -> tuple[int, str]:
    """Run a command without a shell, in its own session; SourceError where it cannot be started or takes too long."""
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(
            list(command),
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise SourceError(f"{name}: cannot be started: {error.strerror}") from error
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{name}: no answer in {timeout:g} s") from error
    finally:
        # What it started goes with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return process.returncode, output[:_BODY_LIMIT].decode("utf-8", "replace")


def check(threshold: Threshold, command: Sequence[str], env: Mapping[str, str], run: Run = run) -> Reading:
    """What a check of the user's own says: a number where the threshold has a limit, else a verdict.

    Exit status 0 is good, 1 bad (one failure), 75 no data, any other raises SourceError. A JSON object on its standard
    output may say more: ``value`` (or what ``path`` leads to), ``verdict`` (promote, hold, rollback) and ``message``.
    What it writes to standard error is not looked at, because nobody knows what is in it.
    """
    name = Path(command[0]).name
    status, output = run(command, env, threshold.timeout)
    if status == EXIT_NO_DATA:
        return None
    if status not in (EXIT_GOOD, EXIT_BAD):
        raise SourceError(f"{name}: exit status {status}; 0 is good, 1 bad, 75 no data")
    try:
        answer = json.loads(output)
    except ValueError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    message = str(answer.get("message") or "")[:500]
    if status == EXIT_GOOD and threshold.limits:
        return _number(at_path(answer, threshold.path or "value"), f"{name}: its {threshold.path or 'value'}")
    verdict = answer.get("verdict", "promote" if status == EXIT_GOOD else "bad")
    if verdict not in (*_VERDICTS, "bad"):
        raise SourceError(f"{name}: its verdict is none of {', '.join(_VERDICTS)}")
    if status == EXIT_BAD and verdict != "rollback":
        verdict = "bad"
    return {"verdict": verdict, "message": message or (f"{name} says that it is bad" if verdict == "bad" else "")}


def reading(
    threshold: Threshold,
    get: Fetch = fetch,
    *,
    colors: Optional[Mapping[str, str]] = None,
    env: Optional[Mapping[str, str]] = None,
    run: Run = run,
) -> Reading:
    """What a threshold's source says now, as it goes onto the tape.

    ``colors``: what ``$color`` stands for, by role (``candidate``, ``stable``). ``env``: what a command is told beside
    the threshold's own environment. A check that says of the candidate that it is bad has said all; of the stable color
    that is no value.
    """
    named = colors or {}
    try:
        value = _ask(threshold, str(named.get("candidate", "")), get, env or {}, run)
        if threshold.max_ratio is not None and not isinstance(value, dict):
            stable = _ask(threshold, str(named.get("stable", "")), get, env or {}, run)
            return {"candidate": _finite(value), "stable": None if isinstance(stable, dict) else _finite(stable)}
    except SourceError as error:
        return {"source_down": scrub(str(error), secrets_of(threshold))}
    return _finite(value)


def _ask(threshold: Threshold, color: str, get: Fetch, env: Mapping[str, str], run: Run) -> Reading:
    def filled(text: Optional[str]) -> str:
        return (text or "").replace(COLOR, color)

    if threshold.source == "command":
        more = {**env, **threshold.env, "SLUICE_COLOR": color}
        found = check(threshold, [filled(part) for part in threshold.command], more, run)
        if isinstance(found, dict):
            return {**found, "message": scrub(found["message"], secrets_of(threshold))}
        return found
    if threshold.source == "json":
        return json_value(
            filled(threshold.url),
            filled(threshold.path),
            headers=threshold.headers,
            token=threshold.token,
            timeout=threshold.timeout,
            get=get,
        )
    return prometheus(
        filled(threshold.url),
        filled(threshold.query),
        headers=threshold.headers,
        token=threshold.token,
        timeout=threshold.timeout,
        get=get,
    )


def _finite(value: Reading) -> Reading:
    if isinstance(value, float) and math.isinf(value):
        # JSON has no infinity, and the tape must hold what was judged.
        return math.copysign(1e308, value)
    return value


def secrets_of(source: Union[Threshold, Series]) -> list[str]:
    """Its token, its headers' values, its command's environment."""
    return secrets_in({"errors": vars(source)})


def error_totals(
    series: Series, colors: Mapping[str, str], servers: Mapping[str, Sequence[str]], get: Fetch = fetch_vector
) -> Totals:
    """Running totals of requests and bad ones: ``{"totals": {"candidate": {server: [requests, bad]}, ...}}``.

    A server without a series of bad ones has had none, as counters with labels begin with their first event.
    """

    def totals() -> Totals:
        requests = _by_server(series, str(series.requests), colors, servers, get)
        bad = _by_server(series, str(series.bad), colors, servers, get)
        return {
            "totals": {
                role: {server: [round(n), round(bad.get(role, {}).get(server, 0.0))] for server, n in found.items()}
                for role, found in requests.items()
            }
        }

    return _totals(series, totals)


def bucket_totals(
    series: Series, colors: Mapping[str, str], servers: Mapping[str, Sequence[str]], get: Fetch = fetch_vector
) -> Totals:
    """Running totals of a histogram: ``{"bounds": [seconds, ...], "totals": {"candidate": {server: [counts]}, ...}}``.

    The last bucket, which has no upper bound, is in the counts and not in ``bounds``.
    """

    def totals() -> Totals:
        found: dict[tuple[str, str], dict[float, float]] = {}
        for metric, value in _vector(series, str(series.buckets), get):
            where = _whose(metric, series, colors, servers)
            if where and "le" in metric:
                counts = found.setdefault(where, {})
                counts[float(metric["le"])] = counts.get(float(metric["le"]), 0.0) + value
        bounds = sorted({bound for counts in found.values() for bound in counts})
        if found and bounds[-1] != math.inf:
            raise SourceError(f'{place(series.url)}: a histogram without the bucket le="+Inf"; keep le in the query')
        result: dict[str, dict[str, list[int]]] = {role: {} for role in colors}
        for (role, server), counts in found.items():
            if sorted(counts) != bounds:
                raise SourceError(f"{place(series.url)}: {server} has other buckets than the other servers")
            running = [round(counts[bound]) for bound in bounds]
            result[role][server] = [now - before for now, before in zip(running, [0, *running])]
        return {"bounds": bounds[:-1], "totals": result}

    return _totals(series, totals)


def _totals(series: Series, read: Callable[[], Totals]) -> Totals:
    try:
        return read()
    except SourceError as error:
        return {"source_down": scrub(str(error), secrets_of(series))}


def _by_server(
    series: Series, query: str, colors: Mapping[str, str], servers: Mapping[str, Sequence[str]], get: Fetch
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {role: {} for role in colors}
    for metric, value in _vector(series, query, get):
        where = _whose(metric, series, colors, servers)
        if where:
            role, server = where
            found[role][server] = found[role].get(server, 0.0) + value
    return found


def _vector(series: Series, query: str, get: Fetch) -> list[tuple[Mapping[str, str], float]]:
    data, where = _instant(series.url, query, series.headers, series.token, series.timeout, get)
    try:
        if data["resultType"] != "vector":
            raise SourceError(
                f"{where}: the query gives a {data['resultType']}; a counter a color and server is needed"
            )
        values = [(dict(one["metric"]), float(one["value"][1])) for one in data["result"]]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SourceError(_not_prometheus(where)) from error
    return [(metric, value) for metric, value in values if math.isfinite(value)]


def _whose(
    metric: Mapping[str, str], series: Series, colors: Mapping[str, str], servers: Mapping[str, Sequence[str]]
) -> Optional[tuple[str, str]]:
    """Role and server of a series; None for one of somebody else."""
    label = str(metric.get(series.server_label, ""))
    bare = re.sub(r":\d+$", "", label)
    by_name = next((role for role, names in servers.items() if label in names or bare in names), None)
    by_color = next((role for role, color in colors.items() if metric.get(series.color_label) == color), None)
    role = by_color or by_name
    return None if role is None else (role, bare if by_name else label or colors[role])
