# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service's page says of its traffic: how it is split, pinned, previewed, kept and limited. Pure.

What is read reads the same again, so that a balancer's role can check it as well. Everything that reaches HAProxy's
configuration matches a pattern without spaces, quotes, escapes and comments.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ._schema import Reader, is_list, kind
from ._units import shown

MODES = ("http", "tcp")
WAYS = ("requests", "user", "vm")
TARGETS = ("candidate", "stable")
PREVIEW_HEADER = "X-Sluice-Preview"
KEYS = ("mode", "split", "pins", "preview", "affinity", "limits")

BIND = r"(?:\*|[0-9.]+|\[[0-9A-Fa-f:.]+\])?:[0-9]{1,5}"
_TOKEN = r"[A-Za-z0-9!$%&*+.^_|~-]+"
_VALUE = r"[A-Za-z0-9._~:@/+=-]+"
# No quotes, backslash, dollar, hash or space.
_PATH = r"/[A-Za-z0-9._~!&()*+,;=:@%/-]*"
_FILE = r"/[A-Za-z0-9._/+@-]+"
_PIN_KINDS = ("header", "cookie", "path", "from")
_WILDCARDS = ("*", "0.0.0.0", "[::]")


class Bind(NamedTuple):
    """Where a balancer takes connections: the ``key`` that says so, an address (``*`` where it names none), a port."""

    key: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.key} {self.address}:{self.port}"


def binds(given: Mapping[str, Any]) -> list[Bind]:
    """Those of ``given``, by key; what is no address and port is left out."""
    found = []
    for key, text in given.items():
        for one in str(text or "").split(","):
            if re.fullmatch(BIND, one):
                address, _, port = one.rpartition(":")
                found.append(Bind(key, address or "*", int(port)))
    return found


def binds_of(page: Mapping[str, Any]) -> list[Bind]:
    """Those of a service's page."""
    return binds({f"{key}.bind": (page.get(key) or {}).get("bind") for key in ("listen", "preview")})


def clash(one: Sequence[Bind], other: Sequence[Bind]) -> Optional[tuple[Bind, Bind]]:
    """Two that take one port. HAProxy binds both without a word, and each gets some of the other's connections."""
    for a in one:
        for b in other:
            if a.port == b.port and (a.address == b.address or {a.address, b.address} & set(_WILDCARDS)):
                return a, b
    return None


def read_traffic(top: Reader) -> dict[str, Any]:
    """The keys ``KEYS`` of a page; what is left out is ``None``, or off."""
    mode = top.choice("mode", MODES, "http")
    found: dict[str, Any] = {
        "mode": mode,
        "split": _split(top, mode),
        "pins": [_pin(pin, mode) for pin in top.sections("pins")],
        "preview": _preview(top, mode),
        "affinity": _affinity(top, mode),
        "limits": _limits(top, mode),
    }
    split, affinity = found["split"], found["affinity"]
    if affinity and affinity["cookie"] == split["cookie"]:
        top.note("affinity.cookie", f"{shown(affinity['cookie'])} is the cookie of 'split' already; name another")
    return found


def read_tls(listen: Reader, mode: str) -> tuple[list[str], bool]:
    """The certificates of a listener, as paths on the balancers, and whether it offers HTTP/2."""
    certificates: list[str] = []
    if listen.has("tls"):
        tls = listen.section("tls")
        given = tls.take("certificates")
        wanted = "write a list of paths on the balancers, such as [/etc/haproxy/certs/shop.pem]"
        for path in given if is_list(given) else [given]:
            text = Reader({"certificates": path}, tls.path, tls.problems).text(
                "certificates", pattern=_FILE, wanted=wanted
            )
            certificates.append(text)
        if is_list(given) and not given:
            tls.note("certificates", f"is empty; {wanted}")
        tls.done()
    http2 = listen.boolean("http2", bool(certificates) and mode == "http")
    if http2 and (mode == "tcp" or not certificates):
        listen.note("http2", "needs 'mode: http' and 'tls', since browsers speak it over TLS only; leave it out")
    return certificates, http2


def _split(top: Reader, mode: str) -> dict[str, Any]:
    split = top.section("split")
    by = split.choice("by", WAYS, "requests")
    found: dict[str, Any] = {"by": by, "cookie": _name(split, "cookie"), "header": _name(split, "header")}
    given = [key for key in ("cookie", "header") if found[key]]
    if given and by != "user":
        split.note(given[0], f"tells users apart, and 'by: {by}' does not; write 'by: user', or leave it out")
    elif given and mode == "tcp":
        split.note(given[0], "belongs to HTTP; in TCP mode users are told apart by their address only, leave it out")
    elif len(given) == 2:
        split.note("", "give either 'cookie' or 'header', not both; without them the address tells users apart")
    split.done()
    return found


def _name(reader: Reader, key: str) -> Optional[str]:
    wanted = f"write the name of a {key}"
    return None if reader.take(key) is None else reader.text(key, pattern=_TOKEN, wanted=wanted)


def _pin(pin: Reader, mode: str) -> dict[str, Any]:
    found: dict[str, Any] = {"to": pin.choice("to", TARGETS)}
    given = [key for key in _PIN_KINDS if pin.take(key) is not None]
    if len(given) != 1:
        pin.note("", f"give exactly one of {', '.join(_PIN_KINDS)}, not {' and '.join(given) or 'none'}")
    for key in given:
        if key == "from":
            found["from"] = _networks(pin, "from")
        elif mode == "tcp":
            pin.note(key, "belongs to HTTP; in TCP mode pins go by 'from' only")
        elif key == "path":
            found["path"] = pin.text("path", pattern=_PATH, wanted="write the beginning of a path, such as /canary")
        else:
            found[key] = _name(pin, key)
            found["value"] = pin.text("value", pattern=_VALUE, wanted=f"write the value that the {key} must have")
    if not {"header", "cookie"} & set(given) and pin.take("value") is not None:
        pin.note("value", "belongs to a header or a cookie; leave it out")
    pin.done()
    return found


def _preview(top: Reader, mode: str) -> Optional[dict[str, Any]]:
    if not top.has("preview"):
        top.take("preview")
        return None
    preview = top.section("preview")
    if mode == "tcp":
        preview.note("", "goes by a header, which TCP mode does not have; leave it out")
    found = {
        "header": preview.text("header", PREVIEW_HEADER, pattern=_TOKEN, wanted="write the name of a header"),
        "from": _networks(preview, "from"),
        "bind": None,
    }
    if preview.take("bind") is not None:
        wanted = 'write an address and a port such as "*:8081"'
        found["bind"] = preview.text("bind", pattern=BIND, wanted=wanted)
        if found["bind"] and not 0 < int(str(found["bind"]).rsplit(":", 1)[-1]) < 65536:
            preview.note("bind", f"the port of {shown(found['bind'])} must be from 1 to 65535")
    preview.done()
    return found


def _affinity(top: Reader, mode: str) -> Optional[dict[str, Any]]:
    if not top.has("affinity"):
        top.take("affinity")
        return None
    affinity = top.section("affinity")
    if mode == "tcp":
        affinity.note("", "goes by a cookie, which TCP mode does not have; use 'balance: source' instead")
    found = {"cookie": affinity.text("cookie", "SRV", pattern=_TOKEN, wanted="write the name of a cookie")}
    affinity.done()
    return found


def _limits(top: Reader, mode: str) -> dict[str, Any]:
    """``connections`` of all clients; ``address``: of one of them ``connections``, and ``requests`` a ``period``."""
    limits = top.section("limits")
    address = limits.section("address")
    found = {
        "connections": _count(limits, "connections"),
        "address": {
            "connections": _count(address, "connections"),
            "requests": _count(address, "requests"),
            "period": address.duration("period", 10, low=1, high=86400),
        },
    }
    if address.has("requests") and mode == "tcp":
        address.note("requests", "belongs to HTTP; in TCP mode limit 'connections'")
    address.done()
    limits.done()
    return found


def _count(reader: Reader, key: str) -> Optional[int]:
    return None if reader.take(key) is None else reader.integer(key, low=1, high=10**9)


def _networks(reader: Reader, key: str) -> list[str]:
    given = reader.take(key)
    if given is None:
        return []
    found = []
    for one in given if is_list(given) else [given]:
        try:
            if not isinstance(one, str):
                raise ValueError(kind(one))
            found.append(str(ipaddress.ip_network(one, strict=False)))
        except ValueError:
            reader.note(key, f"{shown(one)} is not a network; write one such as 192.0.2.0/24, or a list of them")
    return found
