# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's page, checked against the inventory and made complete, so that nobody after it has to guess. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple, Optional

from ._errors import InputError
from ._haproxy._weights import ROUNDROBIN_MOST
from ._page import COLORS, Service, read
from ._schema import Problem, Reader, did_you_mean, kind, plain, unknown
from ._traffic import binds_of, clash
from ._units import shown, tidy

VARIABLE = "bluegreen_services"
NAME = r"[a-z][a-z0-9_-]{0,39}"
VERSION = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
DIGEST = r"sha256:[0-9a-f]{64}"
# What HAProxy takes as the name, and as the address, of a server.
_SERVER = r"[A-Za-z0-9._:-]+"
# What the balancers add to the name of a service for further frontends and backends.
_SUFFIXES = (*COLORS, "in", "latency", "preview")
CAPACITY = "bluegreen_capacity"
# For ``check_version``: there is no such variable.
NOT_GIVEN: Any = object()
_AS_A_TEXT = (
    "Give it as a text: -e version=1.10 on the command line, quotes around it in YAML and JSON, the answer type Text "
    'in an AWX survey, and there quotes around the answer too ("1.10")'
)
# A weight of HAProxy is 256 at most, so less than 1/256 of the largest could not be kept to.
LEAST_CAPACITY, MOST_CAPACITY = 0.1, 25


class Inventory(NamedTuple):
    """What is asked of the inventory.

    ``groups``: names of hosts by group. ``variable(host, name)``: its value or ``None``; only called for hosts of the
    colors. ``source``: where the inventory is, for messages. ``partial``: it has only some hosts of every group, so
    that nothing can be said of a service as a whole, and no page is given any servers.
    """

    groups: Mapping[str, Sequence[str]]
    variable: Callable[[str, str], Any]
    source: str = "the inventory"
    partial: bool = False

    def hosts(self, groups: Iterable[str]) -> set[str]:
        """All hosts of these groups."""
        return {str(host) for group in groups for host in self.groups.get(group, ())}


def service(
    pages: Any,
    name: Any,
    inventory: Inventory,
    *,
    version: Any = None,
    raw_version: Any = NOT_GIVEN,
    require_version: bool = False,
    strategy: Any = None,
) -> Service:
    """The service ``name`` of ``pages`` (the variable ``bluegreen_services``), checked and complete.

    ``version`` is checked where given; ``raw_version`` is the same before Ansible templated it, since templating can
    turn the number 1.2 into a text. ``strategy`` replaces the page's. Raises InputError that names the service, the
    key, what was given and the way out; problems of the page are also in its details, as ``problems: [{key,
    problem}]``.
    """
    names = _names(pages)
    if name is None or name == "":
        raise InputError(
            f"no service was named; say which, e.g. -e service={names[0]}. Known services: {', '.join(names)}"
        )
    if not isinstance(name, str) or name not in names:
        raise InputError(f"service {shown(name)} is not in {VARIABLE}{unknown(name, names, 'services')}")
    _check_name(name, names)
    digest = None
    if isinstance(version, str) and "@" in version:
        version, digest = _split_digest(version, name)
    version = check_version(version, raw_version, name, require_version)
    found = normalise(name, pages[name], inventory, version=version, strategy=strategy)
    if digest and found["deploy"]["source"] == "archive":
        raise InputError(f"service {name}: a digest is a registry's, and its image comes from an archive; leave it out")
    return {**found, "digest": digest}


def _split_digest(given: str, name: str) -> tuple[str, str]:
    version, _, digest = plain(given).partition("@")
    if not re.fullmatch(DIGEST, digest):
        raise InputError(
            f"service {name}: {shown(digest)} is no digest; write sha256: and 64 hex digits behind the @, or the "
            "version alone"
        )
    return version, digest


def services(pages: Any, inventory: Inventory) -> list[Service]:
    """All services, in the order of ``pages``: each checked, and none in the way of another on a host that they share.

    Raises InputError as :func:`service` does.
    """
    names = _names(pages)
    for name in names:
        _check_name(name, names)
    found = [normalise(name, pages[name], inventory) for name in names]
    for one, other in combinations(found, 2):
        _check_apart(one, other, inventory)
    return found


def normalise(
    name: str, page: Any, inventory: Inventory, *, version: Optional[str] = None, strategy: Any = None
) -> Service:
    """One page, checked and complete. Raises InputError with everything that is wrong with it."""
    found, problems = read(name, page, version, strategy)
    if inventory.partial:
        if problems:
            _fail(name, problems)
        return found
    # Each step looks at what the one before it has found to be sound.
    for check in (_check_groups, _check_colors, _add_servers, _check_addresses, _check_listener, _check_size):
        if problems:
            _fail(name, problems)
        problems = list(check(found, inventory))
    if problems:
        _fail(name, problems)
    return found


def _fail(name: str, problems: Sequence[Problem]) -> None:
    lines = [": ".join(part for part in problem if part) for problem in problems]
    page = f"{VARIABLE}.{name}"
    raise InputError(
        f"service {name}: {lines[0]} (page {page})"
        if len(lines) == 1
        else f"service {name}: {len(lines)} problems on its page ({page}):\n- " + "\n- ".join(lines),
        service=name,
        problems=[{"key": problem.key, "problem": problem.text} for problem in problems],
    )


def _names(pages: Any) -> list[str]:
    if not isinstance(pages, Mapping):
        given = "is not set" if pages is None else f"is {kind(pages)}"
        raise InputError(f"{VARIABLE} {given}; it must be a dictionary of the names of services and their pages")
    if not pages:
        raise InputError(f"{VARIABLE} is empty; write a page for at least one service")
    return [plain(str(name)) for name in pages]


def _check_name(name: str, names: Sequence[str]) -> None:
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"service {shown(name)}: a name begins with a small letter, has only small letters, digits, '-' and '_', "
            "and at most 40 of them; rename it"
        )
    other, _, suffix = name.rpartition("_")
    if other in names and suffix in _SUFFIXES:
        raise InputError(f"service {name}: the service {other} has that name in HAProxy already; rename one of them")


def check_version(version: Any, raw: Any, name: str, required: bool = False) -> Optional[str]:
    """The version, a text that can be the tag of an image; ``None`` where none is given and none is ``required``.

    ``raw`` is the version before templating: ``None`` where YAML takes it for nothing (null, or an empty answer),
    ``NOT_GIVEN`` where there is none. A pair of quotes around the version is not part of it: no tag has any, and under
    ansible-core 2.19 they are all that keeps a survey's answer a text. Raises InputError.
    """
    if raw is None and not version and required:
        raise InputError(f"service {name}: the version came as null, which is no version. {_AS_A_TEXT}")
    if version is None or (isinstance(version, str) and not version):
        if required:
            raise InputError(f"service {name}: no version was given; say which to release, e.g. -e version=2.1.0")
        return None
    # A raw text may be a template: what it gives is in `version`. A raw number is what the person handed over.
    given = version if raw is NOT_GIVEN or isinstance(raw, str) else raw
    if not isinstance(given, str):
        raise InputError(
            f"service {name}: the version came as {kind(given)}, {given}, and not as a text. It may be another "
            f"version than was meant (1.10 becomes 1.1), so it is refused. {_AS_A_TEXT}"
        )
    quoted = re.fullmatch(r"""(["'])(.*)\1""", version)
    version = quoted[2] if quoted else version
    if not re.fullmatch(VERSION, version):
        raise InputError(
            f"service {name}: {shown(version)} cannot be a version: it is the tag of an image, so it has only letters, "
            "digits, '.', '_' and '-', does not begin with '.' or '-', and has at most 128 characters"
        )
    return plain(version)


def _check_groups(found: Service, inventory: Inventory) -> Iterator[Problem]:
    wanted = {"loadbalancers": (found["loadbalancers"], "balancers")}
    wanted.update({f"hosts.{color}": (group, f"{color} VMs") for color, group in found["hosts"].items()})
    for key, (group, what) in wanted.items():
        if group not in inventory.groups:
            guess = did_you_mean(group, inventory.groups) or ";"
            yield Problem(
                key, f"the group {group} is not in {inventory.source}{guess} it must have the {what} of the service"
            )
        elif not inventory.groups[group]:
            yield Problem(
                key, f"the group {group} has no hosts in {inventory.source}; it must have the {what} of the service"
            )


def _check_colors(found: Service, inventory: Inventory) -> Iterator[Problem]:
    hosts = found["hosts"]
    if found["topology"] == "colocated":
        return
    both = sorted(inventory.hosts([hosts["blue"]]) & inventory.hosts([hosts["green"]]))
    if both:
        yield Problem(
            "hosts",
            f"in both {hosts['blue']} (blue) and {hosts['green']} (green): {_few(both)}. A VM has one color; take it "
            "out of one of the groups",
        )


def _add_servers(found: Service, inventory: Inventory) -> Iterator[Problem]:
    """The server entries of both colors, blue first, each in the order of its group."""
    for color in COLORS:
        for host in inventory.groups[found["hosts"][color]]:
            if not re.fullmatch(_SERVER, host):
                yield Problem(
                    f"hosts.{color}",
                    f"{shown(host)} cannot be the name of a server in HAProxy, which takes letters, digits, '.', '_', "
                    "'-' and ':'; rename the host",
                )
            variable, address = _address(str(host), inventory)
            if not isinstance(address, str) or not re.fullmatch(_SERVER, address):
                yield Problem(
                    f"hosts.{color}", f"{host}: its {variable} {shown(address)} is neither a name nor an IP address"
                )
                continue
            read = Reader({CAPACITY: inventory.variable(host, CAPACITY)})
            capacity = tidy(read.number(CAPACITY, 1, low=LEAST_CAPACITY, high=MOST_CAPACITY))
            yield from (Problem(f"hosts.{color}", f"{host}: its {CAPACITY} {text}") for _key, text in read.problems)
            name = f"{host}-{color}" if found["topology"] == "colocated" else str(host)
            entry = {"name": plain(name), "color": color, "address": plain(address), "capacity": capacity}
            found["servers"].append({**entry, "port": found["container"]["publish"][color]})


def _address(host: str, inventory: Inventory) -> tuple[str, Any]:
    """The variable that tells where the balancers reach ``host``, and what it tells."""
    for variable in ("bluegreen_address", "ansible_host"):
        address = inventory.variable(host, variable)
        if address is not None and address != "":
            return variable, address
    return "name", host


def _check_addresses(found: Service, _inventory: Inventory) -> Iterator[Problem]:
    """Two servers at one address are one VM under two names, and one color would get the traffic of the other."""
    seen: dict[tuple[str, int], str] = {}
    for server in found["servers"]:
        other = seen.setdefault((server["address"], server["port"]), server["name"])
        if other != server["name"]:
            yield Problem(
                "hosts",
                f"{other} and {server['name']} have the same address {server['address']}; set bluegreen_address of "
                "each to the address at which the balancers reach it",
            )
            return


def _check_listener(found: Service, inventory: Inventory) -> Iterator[Problem]:
    """A VM may be a balancer too, but a listener and a container cannot both have a port there."""
    shared = sorted(inventory.hosts([found["loadbalancers"]]) & inventory.hosts(found["hosts"].values()))
    for bind in binds_of(found):
        if shared and bind.port in found["container"]["publish"].values():
            yield Problem(
                bind.key,
                f"the listener and the container would both take port {bind.port} where a VM is a balancer too "
                f"({_few(shared)}); change container.publish",
            )


def _check_size(found: Service, _inventory: Inventory) -> Iterator[Problem]:
    count = len(found["servers"])
    if found["balance"] is None:
        found["balance"] = "roundrobin" if count <= ROUNDROBIN_MOST else "random(1)"
    elif found["balance"] == "roundrobin" and count > ROUNDROBIN_MOST:
        yield Problem(
            "balance", f"roundrobin holds at most {ROUNDROBIN_MOST} servers, and there are {count}; write random(1)"
        )


def _check_apart(one: Service, other: Service, inventory: Inventory) -> None:
    """Two services may share balancers and VMs, but no port of theirs."""

    def fail(text: str, hosts: set[str], way_out: str) -> None:
        raise InputError(
            f"services {one['name']} and {other['name']}: {text} on {_few(sorted(hosts))}; give one of them another "
            f"{way_out}",
            services=[one["name"], other["name"]],
        )

    balancers = [inventory.hosts([page["loadbalancers"]]) for page in (one, other)]
    vms = [inventory.hosts(page["hosts"].values()) for page in (one, other)]
    listens = [binds_of(page) for page in (one, other)]
    publishes = [set(page["container"]["publish"].values()) for page in (one, other)]
    both = clash(*listens)
    if balancers[0] & balancers[1] and both:
        keys = " or ".join(dict.fromkeys(bind.key for bind in both))
        fail(f"both listen on port {both[0].port} ({both[0]} and {both[1]})", balancers[0] & balancers[1], keys)
    if vms[0] & vms[1] and publishes[0] & publishes[1]:
        fail(f"both publish port {min(publishes[0] & publishes[1])}", vms[0] & vms[1], "container.publish")
    for a, b in ((0, 1), (1, 0)):
        shared = balancers[a] & vms[b]
        for bind in listens[a]:
            if shared and bind.port in publishes[b]:
                fail(f"the listener of one and the container of the other take port {bind.port}", shared, "port")


def _few(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
