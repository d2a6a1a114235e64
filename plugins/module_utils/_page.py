# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person writes on a service's page: which keys there are, their types, limits and defaults. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Optional

from ._errors import InputError
from ._json_path import parse
from ._page_container import read_container
from ._page_deploy import read_build, read_deploy
from ._page_gates import gates
from ._page_hooks import hooks
from ._plan import Stage, stages
from ._schema import Problem, Reader, is_list, kind, plain, whole
from ._traffic import read_tls, read_traffic
from ._units import shown, tidy

Service = dict[str, Any]

COLORS = ("blue", "green")
TOPOLOGIES = ("paired", "colocated")

_IMAGE = r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
_GROUP = r"[^\s:,\[\]{}]+"
_BIND = re.compile(r"(\*|[0-9.]+|\[[0-9A-Fa-f:.]+\])?:([0-9]{1,5})")
# No quotes, backslash, dollar, hash or space: the path also stands in HAProxy's configuration.
_PATH = r"/[A-Za-z0-9._~!&()*+,;=:@%/?-]*"
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_HOST = r"[A-Za-z0-9._\[\]:-]+"
_LABEL = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_OWN_LABELS = "sluice.bluegreen."

# Tried with HAProxy 2.6: the others refuse a new weight at runtime ("Backend is using a static LB algorithm"), or take
# it and do not keep to it: at 5 % of the weight `leastconn` gave a server 50 % of the requests of one client and 13 %
# of eight, `random` with more draws than one 7 to 9 %, and `first` looks at connection limits only.
BALANCE = ("roundrobin", "random(1)")
_HASHES = r"source|uri(?: .+)?|url_param .+|hdr\(.+\)(?: .+)?|rdp-cookie(?:\(.+\))?|hash .+"
_NOT_BALANCE = {
    "static-rr": "takes no new weights at runtime, so no split could be set",
    "first": "does not look at weights, so no split could be set",
    "leastconn": "does not keep to weights under light load, so the split would not be what it says",
    "random": "draws twice and takes the less loaded server, so the split would not be what it says",
}

# What of `health` does not concern a check over TCP, and what stands there instead.
_NO_HTTP: dict[str, Any] = {
    # Modules take no null here under ansible-core 2.17, since their option has a default.
    "path": "/",
    "status": [],
    "response_headers": {},
    "version_header": None,
    "contains": None,
    "matches": None,
    "json": {},
    "version_json": None,
    "host_header": None,
}
# Keys that a person may well try, and what to say of them.
SPECIAL: dict[str, str] = {
    "container.cap_add": "is called capabilities here, as in community.docker.docker_container",
    "container.dns": "is called dns_servers here, as in community.docker.docker_container",
    "container.environment": "is called env here",
    "container.extra_hosts": "is called etc_hosts here, as in community.docker.docker_container",
    "container.image": "is not for here; write 'image' on the page itself",
    "container.labels": "is not for here; write 'labels' on the page itself",
    "container.name": "is set by the collection; leave it out",
    "container.ports": "is not for here; write 'port' and 'publish'",
    "container.pull": "is set by the collection; the image is there before the container is made",
    "container.recreate": "is set by the collection; leave it out",
    "container.restart_retries": "belongs to 'restart_policy: on-failure', which is refused; leave it out",
    "container.published_ports": "is not for here; write 'port' and 'publish'",
    "container.state": "is set by the collection; leave it out",
    "health.quorum": "is not for here; a release needs every server of the candidate, as its gate holds while one is "
    "down. It is an option of sluice.bluegreen.health_gate, for playbooks of your own",
    "health.haproxy": "is not for here; the balancers' own view of the servers always counts",
    "servers": "is not for here; the servers are the hosts of the groups in 'hosts'",
    "stages": "is not for here; write the list of stages as 'strategy'",
    "version": "is not for here; a version is given at release time: -e version=2.1.0",
}


def read(name: str, page: Any, version: Optional[str] = None, strategy: Any = None) -> tuple[Service, list[Problem]]:
    """The page of the service ``name``, complete but for its servers, and what is wrong with it.

    Where there are problems, what was read is not to be used. ``strategy`` replaces the page's. A balance that the page
    leaves out is ``None``: which one is best depends on the number of servers.
    """
    problems: list[Problem] = []
    top = Reader(page, "", problems, SPECIAL)
    tick = top.duration("tick", 5, low=1, high=300)
    traffic = read_traffic(top)
    topology = top.choice("topology", TOPOLOGIES, "paired")
    found: Service = {
        "name": plain(name),
        "version": version,
        "digest": None,
        "image": top.text("image", pattern=_IMAGE, wanted=_image_help(top.given.get("image"))),
        "loadbalancers": top.text("loadbalancers", "loadbalancers", pattern=_GROUP, wanted="write the name of a group"),
        "topology": topology,
        "hosts": _hosts(top, topology),
        "servers": [],
        "container": read_container(top, topology),
        "health": _health(top, topology),
        "listen": _listen(top, traffic),
        **traffic,
        **_balance(top),
        "stages": _stages(top, strategy),
        "second_look": top.boolean("second_look", True),
        "gates": gates(top),
        "hooks": hooks(top),
        "tick": tick,
        "lease": _lease(top, tick),
        "deploy": read_deploy(top, name, version),
        "build": read_build(top),
        "drain": _drain(top),
        "capacity": _capacity(top),
        "retire": _retire(top),
        "labels": _labels(top),
    }
    top.done()
    return found, problems


def _image_help(image: Any) -> str:
    if isinstance(image, str) and "@" in image:
        return "leave the digest out; the version is given at release time and is the tag"
    if isinstance(image, str) and ":" in image.rsplit("/", 1)[-1]:
        return (
            f"leave the tag out, {shown(image.rsplit(':', 1)[0])}; the version is given at release time and is the tag"
        )
    return "write the name of an image without a tag, such as registry.example.com/shop"


def _hosts(top: Reader, topology: str) -> dict[str, str]:
    hosts = top.section("hosts", required="name the two groups: hosts: {blue: shop_blue, green: shop_green}")
    groups = {
        color: hosts.text(color, pattern=_GROUP, wanted=f"write the name of the group of {color} VMs")
        for color in COLORS
    }
    hosts.done()
    same = groups["blue"] == groups["green"]
    if groups["blue"] and same and topology == "paired":
        hosts.note(
            "green",
            f"is the same group as blue, {groups['blue']}; a color needs VMs of its own, or write topology: colocated",
        )
    elif groups["blue"] and groups["green"] and not same and topology == "colocated":
        hosts.note("green", f"must be the same group as blue, {groups['blue']}, with topology: colocated")
    return groups


def _health(top: Reader, topology: str) -> dict[str, Any]:
    way = "a version is never trusted unseen: write health: {path: /healthz}, or health: {tcp: true}"
    health = top.section("health", required=way)
    found: dict[str, Any] = {"tcp": health.boolean("tcp", False)}
    if found["tcp"]:
        for key in _NO_HTTP:
            if health.take(key) is not None:
                health.note(key, "belongs to HTTP, which 'tcp: true' does not speak; leave one of them out")
        found.update(deepcopy(_NO_HTTP))
    else:
        found["path"] = health.text("path", pattern=_PATH, wanted="write a path such as /healthz")
        found["status"] = _status(health)
        found["response_headers"] = health.texts("response_headers", pattern=_TOKEN, wanted="a header has no such name")
        found["version_header"] = _optional(health, "version_header", _TOKEN, "a header such as X-App-Version")
        found["contains"] = _optional(health, "contains", r"(?s:.+)", "a text that the body must contain")
        found["matches"] = _regular_expression(health, "matches")
        found["json"] = _json_values(health)
        found["version_json"] = _json_place(health)
        found["host_header"] = _optional(health, "host_header", _HOST, "a name such as shop.example.com")
    found["port"] = None
    if health.take("port") is not None:
        found["port"] = health.integer("port", low=1, high=65535, wanted="write a port from 1 to 65535")
        if topology == "colocated":
            health.note(
                "port",
                f"{found['port']} is one port of a VM that both colors share, where one would vouch for the other; "
                "leave it out, and each is asked at its own port of container.publish",
            )
    found["docker"] = health.boolean("docker", False)
    found["consecutive"] = health.integer("consecutive", 3, low=1, high=100)
    found["stable_for"] = health.duration("stable_for", 0, high=3600)
    found["interval"] = health.duration("interval", 2, low=0.1, high=300)
    found["backoff"] = None
    if health.take("backoff") is not None:
        found["backoff"] = health.duration("backoff", 2, low=0.1, high=300)
    found["probe_timeout"] = health.duration("probe_timeout", 5, low=0.05, high=300)
    found["timeout"] = health.duration("timeout", 60, low=1, high=86400)
    health.done()
    least = found["interval"] * (found["consecutive"] - 1)
    if found["timeout"] < found["stable_for"]:
        health.note(
            "timeout",
            f"{found['timeout']:g} s is too short to be healthy for {found['stable_for']:g} s (stable_for); raise it",
        )
    elif found["timeout"] < least:
        health.note(
            "timeout",
            f"{found['timeout']:g} s is too short for {found['consecutive']} good answers {found['interval']:g} s "
            f"apart, which take {least:g} s; raise it",
        )
    return found


def _status(health: Reader) -> list[int]:
    given = health.take("status")
    if given is None:
        return [200]
    wanted = "write an HTTP status such as 200, or a list of them"
    try:
        statuses = [whole(one, 100, 599, wanted) for one in (given if is_list(given) else [given])]
    except InputError as error:
        health.note("status", str(error))
        return [200]
    if not statuses:
        health.note("status", f"the list is empty; {wanted}")
    return statuses


def _regular_expression(health: Reader, key: str) -> Optional[str]:
    pattern = _optional(health, key, r"(?s:.+)", "a regular expression that must be found in the body")
    try:
        re.compile(pattern or "")
    except re.error as error:
        health.note(key, f"{shown(pattern)} is not a regular expression: {error}")
    return pattern


def _json_values(health: Reader) -> dict[str, Any]:
    """Values by their places in the body's JSON."""
    given = health.take("json")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        health.note("json", f"{shown(given)} is {kind(given)}, not a dictionary of places and values")
        return {}
    found: dict[str, Any] = {}
    for path, value in given.items():
        try:
            parse(path if isinstance(path, str) else "")
        except InputError as error:
            health.note("json", str(error))
            continue
        if not isinstance(value, (str, int, float)):
            health.note(f"json.{path}", f"is {kind(value)}; write a text, a number, true or false")
            continue
        found[plain(path)] = plain(value) if isinstance(value, str) else value
    return found


def _json_place(health: Reader) -> Optional[str]:
    path = _optional(health, "version_json", r"(?s:.+)", "where in the body's JSON the version is, such as app.version")
    if path is None:
        return None
    try:
        parse(path)
    except InputError as error:
        health.note("version_json", str(error))
    if health.has("version_header"):
        health.note("version_json", "the version is in the header 'version_header' already; leave one of them out")
    return path


def _optional(reader: Reader, key: str, pattern: str, wanted: str) -> Optional[str]:
    return None if reader.take(key) is None else reader.text(key, pattern=pattern, wanted=f"write {wanted}")


def _listen(top: Reader, traffic: Service) -> dict[str, Any]:
    listen = top.section("listen", required='say where the balancers take the traffic: listen: {bind: "*:80"}')
    wanted = 'write an address and a port such as "*:80", "192.0.2.10:80" or "[::]:80"'
    bind = listen.text("bind", pattern=_BIND.pattern, wanted=wanted)
    certificates, http2 = read_tls(listen, traffic["mode"])
    listen.done()
    tls = {"tls": {"certificates": certificates} if certificates else None, "http2": http2}
    found = _BIND.fullmatch(bind)
    if not found:
        return {"bind": bind, "address": "*", "port": 0, **tls}
    address, port = found.group(1) or "*", int(found.group(2))
    if not 0 < port < 65536:
        listen.note("bind", f"the port {port} must be from 1 to 65535")
    if address != "*":
        try:
            ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            listen.note("bind", f"{shown(address)} is not an IP address; {wanted}")
    preview = (traffic["preview"] or {}).get("bind")
    if preview and int(preview.rsplit(":", 1)[-1]) == port:
        top.note("preview.bind", f"takes the port {port} of listen.bind; give it another one")
    return {"bind": bind, "address": address, "port": port, **tls}


def _balance(top: Reader) -> dict[str, Optional[str]]:
    """``balance`` as HAProxy's keyword takes it, and ``hash_type``."""
    balance = _optional(top, "balance", r"[^\"'\\\\#\n]+", BALANCE[0])
    hash_type = None if top.take("hash_type") is None else top.choice("hash_type", ("consistent",))
    hashes = re.fullmatch(_HASHES, balance or "") is not None
    ways = f"write {' or '.join(BALANCE)}, or a hash such as source with 'hash_type: consistent'"
    if hashes and not hash_type:
        top.note(
            "balance",
            f"{shown(balance)} hashes by a map, for which HAProxy refuses new weights at runtime, so no split could be "
            f"set; add 'hash_type: consistent', or write {' or '.join(BALANCE)}",
        )
    elif hash_type and not hashes:
        top.note("hash_type", "belongs to a balance that hashes, such as source; leave it out")
    elif balance and not hashes and balance not in BALANCE:
        known = _NOT_BALANCE.get(balance.split("(")[0])
        top.note("balance", f"{shown(balance)} {known or 'is not known'}; {ways}")
    return {"balance": balance, "hash_type": hash_type}


def _stages(top: Reader, strategy: Any) -> list[Stage]:
    own, defaults = top.take("strategy"), top.take("stage_defaults")
    # What was given for one release is not on the page, and its messages must not lead there.
    chosen, place = (own, "strategy") if strategy in (None, "") else (strategy, "the strategy of this release")
    chosen = "canary" if chosen is None else chosen
    try:
        return stages(chosen, defaults, what=place, what_defaults="stage_defaults")
    except InputError as error:
        place, _, text = str(error).partition(": ")
        top.problems.append(Problem(place, text))
        return []


def _labels(top: Reader) -> dict[str, str]:
    labels = top.texts("labels", pattern=_LABEL, wanted="use letters, digits, '.', '_', '-' and '/'")
    for label in labels:
        if label.startswith(_OWN_LABELS):
            top.note(f"labels.{label}", f"labels that begin with {_OWN_LABELS} are the collection's own; rename it")
    return labels


def _lease(top: Reader, tick: float) -> float:
    lease = top.duration("lease", max(30, 6 * tick), low=5, high=3600)
    if lease < 3 * tick:
        top.note(
            "lease",
            f"{lease:g} s is too short: it is renewed at every tick of {tick:g} s, and must outlive a late one; write "
            f"at least {3 * tick:g} s",
        )
    return lease


def _drain(top: Reader) -> dict[str, float]:
    drain = top.section("drain")
    timeout = drain.duration("timeout", 30, high=86400)
    drain.done()
    return {"timeout": timeout}


def _retire(top: Reader) -> dict[str, Any]:
    retire = top.section("retire")
    found = {
        "keep_warm": retire.duration("keep_warm", 0),
        "keep": retire.integer("keep", 0, low=0, high=10**5),
        "reversible": retire.boolean("reversible", True),
    }
    retire.done()
    return found


def _capacity(top: Reader) -> dict[str, Optional[float]]:
    """``max_load`` is None where the page says ``capacity: false``."""
    if top.take("capacity") is False:
        return {"max_load": None}
    capacity = top.section("capacity")
    max_load = tidy(capacity.number("max_load", 1.5, low=0.01, high=1000))
    capacity.done()
    return {"max_load": max_load}
