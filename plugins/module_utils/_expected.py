# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an HTTP answer must be to be a healthy one, and how one differs from that. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional, Union

from ._json_path import MissingError, Steps, find, written
from ._units import shown

# What is looked for in a body; a health page that is longer than that is no health page.
BODY_LIMIT = 1024 * 1024

Header = Callable[[str], Optional[str]]


class Check(NamedTuple):
    """What to probe for: a TCP connection, or an HTTP answer to ``GET path`` as told.

    ``status``: accepted statuses. ``headers``: response headers and their exact values. ``contains``: a text, and
    ``matches``: a regular expression that must be found, in the first MiB of the body. ``json``: values that the body
    must have at these places. ``host_header``: instead of ``address:port``. ``version_at``: where the version stands
    that the answer comes from, a header or a place in the body; ``version``: which it must be, None for any.
    ``request_headers``: sent as well. ``tls``: over TLS, whoever's certificate it is, since an address is probed and
    not a name. Redirects are not followed, proxies not used.
    """

    tcp: bool = False
    path: str = "/"
    status: tuple[int, ...] = (200,)
    headers: Mapping[str, str] = {}
    contains: Optional[str] = None
    host_header: Optional[str] = None
    matches: Optional[re.Pattern[str]] = None
    json: Mapping[Steps, Any] = {}
    version_at: Union[str, Steps, None] = None
    version: Optional[str] = None
    request_headers: Mapping[str, str] = {}
    tls: bool = False

    @property
    def needs_body(self) -> bool:
        in_json = bool(self.json) or isinstance(self.version_at, tuple)
        return in_json or self.contains is not None or self.matches is not None


class Difference(NamedTuple):
    """How an answer differs from what was wanted (empty where it does not), and the version that it named."""

    reason: str
    version: Optional[str] = None


def compare(status: int, header: Header, body: Callable[[], bytes], check: Check) -> Difference:
    """Hold an answer against ``check``; ``body`` is asked only if it matters."""
    version = header(check.version_at) if isinstance(check.version_at, str) else None
    reason = _wrong_head(status, header, check)
    if reason or not check.needs_body:
        return Difference(reason or _wrong_version(version, check), version)
    data = body()
    reason = _wrong_text(data, check)
    if reason or not (check.json or isinstance(check.version_at, tuple)):
        return Difference(reason or _wrong_version(version, check), version)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        longer = f"longer than {BODY_LIMIT} bytes" if len(data) >= BODY_LIMIT else f"its start: {_start(data)}"
        return Difference(f"the body is not JSON ({longer})", version)
    if isinstance(check.version_at, tuple):
        version = _version_in(document, check.version_at)
    return Difference(_wrong_values(document, check.json) or _wrong_version(version, check), version)


def _wrong_head(status: int, header: Header, check: Check) -> str:
    if status not in check.status:
        wanted = " or ".join(str(s) for s in check.status)
        where = f" to {shown(header('Location'))}" if 300 <= status < 400 and header("Location") else ""
        return f"status {status}{where}, expected {wanted}"
    for name, value in check.headers.items():
        found = header(name)
        if found is None:
            return f"the header {name} is missing, expected {shown(value)}"
        if found != value:
            return f"the header {name} is {shown(found)}, expected {shown(value)}"
    return ""


def _wrong_text(data: bytes, check: Check) -> str:
    if check.contains is not None and check.contains.encode() not in data:
        return f"the body does not contain {shown(check.contains)} (its start: {_start(data)})"
    if check.matches is not None and not check.matches.search(data.decode("utf-8", "replace")):
        return f"the body does not match {shown(check.matches.pattern)} (its start: {_start(data)})"
    return ""


def _wrong_values(document: Any, wanted: Mapping[Steps, Any]) -> str:
    for steps, value in wanted.items():
        try:
            found = find(document, steps)
        except MissingError as missing:
            return f"in the body's JSON {missing}, expected {written(steps)} to be {_json(value)}"
        # True is 1 to Python, and not to the person who wrote either.
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            return f"in the body's JSON {written(steps)} is {_json(found)}, expected {_json(value)}"
    return ""


def _wrong_version(version: Optional[str], check: Check) -> str:
    if check.version is None or check.version_at is None or version == check.version:
        return ""
    where = check.version_at
    place = f"the header {where}" if isinstance(where, str) else f"{written(where)} in the body's JSON"
    if version is None:
        return f"{place} is missing, expected {shown(check.version)}"
    return f"{place} is {shown(version)}, expected {shown(check.version)}"


def _version_in(document: Any, steps: Steps) -> Optional[str]:
    try:
        found = find(document, steps)
    except MissingError:
        return None
    return found if isinstance(found, str) else _json(found)


def _json(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _start(data: bytes) -> str:
    return shown(data[:60].decode("utf-8", "replace"))
