# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A webhook: one signed JSON body, sent until it is taken, its retries are used up, or its time is over."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, Optional
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from ._errors import SourceError
from ._gate._sources import _NoRedirect

SIGNATURE = "X-Sluice-Signature"
IDEMPOTENCY = "Idempotency-Key"
# Seconds for one attempt, and between two: doubled each time, up to the most.
ATTEMPT = 10.0
PAUSE, LONGEST_PAUSE = 1.0, 30.0
# What may be otherwise when it is asked again; anything else that is no success stays what it is.
_AGAIN = (408, 425, 429)
_BODY_LIMIT = 300

# Sends a body with headers to a URL within some seconds; gives the status and the answer. Tests pass in another one.
Post = Callable[[str, bytes, Mapping[str, str], float], tuple[int, bytes]]


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]:
    """HTTP POST. An error status is returned, what is worse raises SourceError."""
    request = Request(url, data=body, headers=dict(headers), method="POST")
    try:
        with build_opener(_NoRedirect).open(request, timeout=timeout) as response:
            return response.status, response.read(_BODY_LIMIT)
    except HTTPError as error:
        return error.code, error.read(_BODY_LIMIT)
    except URLError as error:
        raise SourceError(str(error.reason)) from error
    except TimeoutError as error:
        raise SourceError(f"no answer in {timeout:.0f} s") from error
    except OSError as error:
        raise SourceError(str(error)) from error
    except (HTTPException, ValueError) as error:
        # Their texts may hold the whole URL.
        raise SourceError(type(error).__name__) from error


def signature(secret: str, moment: int, body: bytes) -> str:
    """``t=<Unix time>,v1=<hex>``: HMAC-SHA256, keyed with the secret, over the time, a full stop, and the body.

    The time is signed too, so that a receiver can refuse what is old; each attempt has a time of its own.
    """
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def send(
    webhook: Mapping[str, Any],
    told: Mapping[str, Any],
    identity: str,
    timeout: float,
    *,
    now: Callable[[], float],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    deliver: Post = post,
) -> Optional[str]:
    """Send ``told`` as JSON; None where it was taken, else why not. ``identity`` is the same at every attempt.

    ``now`` is the time of day, ``clock`` a monotonic one.
    """
    body = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
    host = urlsplit(webhook["url"]).hostname
    until = clock() + timeout
    attempts, pause, problem = 0, PAUSE, "no attempt was made"
    while attempts <= webhook["retries"] and clock() < until:
        if attempts:
            sleep(min(pause, max(0.0, until - clock())))
            pause = min(2 * pause, LONGEST_PAUSE)
            if clock() >= until:
                break
        attempts += 1
        headers = {
            "Content-Type": "application/json",
            **(webhook.get("headers") or {}),
            IDEMPOTENCY: identity,
        }
        if webhook.get("token"):
            headers["Authorization"] = f"Bearer {webhook['token']}"
        if webhook.get("secret"):
            headers[SIGNATURE] = signature(webhook["secret"], int(now()), body)
        try:
            status, answer = deliver(webhook["url"], body, headers, min(ATTEMPT, max(0.1, until - clock())))
        except SourceError as error:
            problem = str(error)
            continue
        if 200 <= status < 300:
            return None
        text = answer.decode("utf-8", "replace").strip()
        problem = f"HTTP {status}{f': {text}' if text else ''}"
        if status < 500 and status not in _AGAIN:
            break
    return f"{host} did not take it in {attempts} attempt{'' if attempts == 1 else 's'}: {problem}"
