# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of the values that thresholds look at, over HTTP."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Callable, Optional, Union
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from .._errors import SourceError
from ._settings import Threshold

# Gets a URL with headers and a time limit; gives the status and the body. Tests pass in another one.
Fetch = Callable[[str, Mapping[str, str], float], tuple[int, bytes]]
# A number, None for no data, or why the source cannot say.
Reading = Union[float, None, dict[str, str]]

_BODY_LIMIT = 1_000_000


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an error: it would take a token to a host that nobody named."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


def fetch(url: str, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]:
    """HTTP GET. An error status is returned, what is worse raises SourceError."""
    try:
        with build_opener(_NoRedirect).open(Request(url, headers=dict(headers)), timeout=timeout) as response:
            return response.status, response.read(_BODY_LIMIT)
    except HTTPError as error:
        return error.code, error.read(_BODY_LIMIT)
    except URLError as error:
        raise SourceError(f"{place(url)}: {error.reason}") from error
    except (socket.timeout, TimeoutError) as error:
        raise SourceError(f"{place(url)}: no answer in {timeout:g} s") from error
    except (OSError, HTTPException, ValueError) as error:
        raise SourceError(f"{place(url)}: {error or type(error).__name__}") from error


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
    sent = {"Accept": "application/json", **(headers or {})}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    address = f"{url.rstrip('/')}/api/v1/query?{urlencode({'query': query})}"
    status, body = get(address, sent, timeout)
    answer = _decode(body)
    if status != 200 or not isinstance(answer, dict) or answer.get("status") != "success":
        why = answer.get("error") if isinstance(answer, dict) else None
        raise SourceError(f"{place(url)}: HTTP {status}{f': {why}' if why else ''}")
    try:
        return _value(answer["data"], place(url))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SourceError(f"{place(url)}: not the answer of a Prometheus server to an instant query") from error


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


def reading(threshold: Threshold, get: Fetch = fetch) -> Reading:
    """What a threshold's source says now, as it goes onto the tape."""
    try:
        value = prometheus(
            str(threshold.url),
            str(threshold.query),
            headers=threshold.headers,
            token=threshold.token,
            timeout=threshold.timeout,
            get=get,
        )
    except SourceError as error:
        return {"source_down": str(error)}
    if value is not None and math.isinf(value):
        # JSON has no infinity, and the tape must hold what was judged.
        return math.copysign(1e308, value)
    return value
