# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person writes in ``bluegreen_fleet``, checked and spread out to a flat list of hosts. Pure.

Nothing here knows a provider by its name: each tells in a file of its own which keys of a size it takes and which
options only it has, so that one more provider changes nothing here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ._errors import InputError
from ._schema import Problem, Reader, plain
from ._units import mebibytes, shown

Fleet = dict[str, Any]
Host = dict[str, Any]

VARIABLE = "bluegreen_fleet"

# What a host is to be: by the name that it has here, the key that a person writes.
SIZE = {"cpus": "cpus", "memory_mib": "memory", "disk_gib": "disk", "image": "image", "network": "network"}

MOST_IN_GROUP = 500
MOST_HOSTS = 1000
LONGEST_NAME = 63

_NAME = r"[a-z](?:[a-z0-9-]{0,29}[a-z0-9])?"
_GROUP = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
_USER = r"[a-z_][a-z0-9_-]{0,31}"
_WORD = r"[^\s'\"{}]+(?: [^\s'\"{}]+)*"
# Groups that the inventory has anyway, or that the role writes into it.
_OWN_GROUPS = ("all", "ungrouped", "fleet", "unready")

SPECIAL: dict[str, str] = {
    "count": "is not for here; every group has a count of its own: groups: {shop_blue: {count: 4}}",
    "hosts": "is not for here; how many hosts a group has is its count: groups: {shop_blue: {count: 4}}",
    "cpus": "is not for here; write it in 'defaults' or in a group",
    "memory": "is not for here; write it in 'defaults' or in a group",
    "image": "is not for here; write it in 'defaults' or in a group",
}


def fleet(
    definition: Any,
    providers: Mapping[str, Mapping[str, Any]],
    inventory_groups: Mapping[str, Sequence[str]],
    folder: Optional[str],
) -> Fleet:
    """The definition complete, with its ``hosts`` and the provider's ``settings``.

    ``providers`` is by name what each says of itself; ``inventory_groups`` are the hosts that the inventory has by
    group; ``folder`` is where the inventory lies, if anywhere. Raises InputError with everything that is wrong.
    """
    problems: list[Problem] = []
    top = Reader(definition, "", problems, SPECIAL)
    provider = top.choice("provider", sorted(providers), "existing" if "existing" in providers else None)
    about = providers.get(provider, {})
    makes, takes = bool(about.get("makes", True)), about.get("takes") or []
    found: Fleet = {
        "name": top.text(
            "name",
            None if makes else provider,
            pattern=_NAME,
            wanted="write at most 31 small letters, digits and '-' that begin with a letter, such as shop-prod",
        ),
        "provider": provider,
        "makes": makes,
        "inventory": _inventory(top, folder, makes),
        "user": top.text("user", "ansible", pattern=_USER, wanted="write a login such as ansible"),
        "ssh_public_key": _key(top, makes),
        "hosts": [],
        "settings": {},
        "ignored": [],
    }
    defaults = _size(top.section("defaults"), {})
    groups = _groups(top, defaults, makes)
    for name in providers:
        top.take(name)
    found["settings"] = _settings(top, provider, about)
    top.done()
    if not problems:
        found["hosts"] = _hosts(found, groups, inventory_groups, takes, problems)
        found["ignored"] = _ignored(groups, takes)
    if problems:
        raise InputError(
            f"{VARIABLE} cannot be used:\n" + "\n".join(f"  {key or VARIABLE}: {text}" for key, text in problems),
            problems=[{"key": key, "problem": text} for key, text in problems],
        )
    return found


def _inventory(top: Reader, folder: Optional[str], makes: bool) -> Optional[str]:
    if not makes:
        top.take("inventory")
        return None
    return top.text("inventory", folder, wanted="name the folder that hosts.yml is written to: inventories/prod")


def _key(top: Reader, makes: bool) -> Optional[str]:
    if not makes:
        top.take("ssh_public_key")
        return None
    return top.text(
        "ssh_public_key",
        pattern=r".+\.pub",
        wanted="name the file of the public key that is let in, such as ~/.ssh/id_ed25519.pub",
    )


def _size(reader: Reader, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What a host is to be; a key that is nowhere is ``None``, and the provider's own choice."""
    found = {**dict.fromkeys(SIZE), **defaults}
    if reader.take("cpus") is not None:
        found["cpus"] = reader.integer("cpus", low=1, high=512)
    for key, name, unit, low, high in (
        ("memory", "memory_mib", 1, 128, 24 * 1024 * 1024),
        ("disk", "disk_gib", 1024, 1, 65536),
    ):
        if reader.take(key) is not None:
            found[name] = _amount(reader, key, unit, low, high)
    for key in ("image", "network"):
        if reader.take(key) is not None:
            found[key] = reader.text(key, pattern=_WORD, wanted=f"write the name of the {key}")
    if not defaults:
        reader.done()
    return found


def _amount(reader: Reader, key: str, unit: int, low: int, high: int) -> int:
    try:
        mib = mebibytes(reader.given[key], "")
    except InputError as error:
        reader.note(key, str(error))
        return low
    name = {1: "MiB", 1024: "GiB"}[unit]
    if mib % unit or not low <= mib // unit <= high:
        reader.note(key, f"{reader.given[key]!s} does not fit; write whole {name} from {low} to {high}")
    return mib // unit


def _groups(top: Reader, defaults: Mapping[str, Any], makes: bool) -> dict[str, dict[str, Any]]:
    section = top.section("groups", required="name the groups and how many hosts each has: shop_blue: {count: 4}")
    groups: dict[str, dict[str, Any]] = {}
    for name in section.given:
        section.take(name)
        if not isinstance(name, str) or not re.fullmatch(_GROUP, name):
            section.note(str(name), "cannot be the name of a group; use letters, digits and '_'")
            continue
        if name in _OWN_GROUPS:
            section.note(name, "is a group that the inventory has anyway; choose another name")
        group = section.section(name)
        size = _size(group, {"cpus": None, **defaults})
        groups[plain(name)] = {
            **size,
            "count": _count(group, makes),
            "prefix": group.text(
                "name",
                name.replace("_", "-").strip("-").lower() or "host",
                pattern=_NAME,
                wanted="write the beginning of the hosts' names, such as blue for blue1 and blue2",
            ),
        }
        group.done()
    if top.has("groups") and isinstance(top.given["groups"], Mapping) and not section.given:
        section.note("", "has no group; write for example shop_blue: {count: 4}")
    return groups


def _count(group: Reader, makes: bool) -> Optional[int]:
    if not makes and group.take("count") is None:
        return None
    return group.integer("count", low=0, high=MOST_IN_GROUP)


def _settings(top: Reader, provider: str, about: Mapping[str, Any]) -> dict[str, Any]:
    section = top.section(provider)
    result = ArgumentSpecValidator(about.get("options") or {}).validate(dict(section.given))
    for message in result.error_messages:
        section.note("", f"{message[:1].lower()}{message[1:]}")
    return dict(result.validated_parameters)


def _hosts(
    found: Fleet,
    groups: Mapping[str, Mapping[str, Any]],
    inventory_groups: Mapping[str, Sequence[str]],
    takes: Sequence[str],
    problems: list[Problem],
) -> list[Host]:
    hosts: list[Host] = []
    owner: dict[str, str] = {}
    for group, about in groups.items():
        names = _names(group, about, inventory_groups, found["makes"], problems)
        for index, name in enumerate(names, 1):
            if owner.setdefault(name, group) != group:
                if found["makes"]:
                    text = f"{name} is a host of group {owner[name]} too; choose another name"
                    problems.append(Problem(f"groups.{group}.name", text))
                continue
            machine = f"{found['name']}-{name}" if found["makes"] else name
            if found["makes"] and len(machine) > LONGEST_NAME:
                problems.append(
                    Problem(
                        f"groups.{group}.name",
                        f"{machine} has more than {LONGEST_NAME} characters; choose a shorter name",
                    )
                )
            size = {key: about[key] if word in takes else None for key, word in SIZE.items()}
            hosts.append({"name": name, "machine": machine, "group": group, "index": index, **size})
    if found["makes"] and len(hosts) > MOST_HOSTS:
        problems.append(Problem("groups", f"{len(hosts)} hosts are more than the {MOST_HOSTS} of one fleet; make two"))
    return hosts


def _names(
    group: str,
    about: Mapping[str, Any],
    inventory_groups: Mapping[str, Sequence[str]],
    makes: bool,
    problems: list[Problem],
) -> list[str]:
    if makes:
        return [f"{about['prefix']}{number}" for number in range(1, about["count"] + 1)]
    names = [plain(str(name)) for name in inventory_groups.get(group, [])]
    if group not in inventory_groups:
        problems.append(Problem(f"groups.{group}", "is not in the inventory; it must have the hosts that are there"))
    elif about["count"] is not None and about["count"] != len(names):
        problems.append(Problem(f"groups.{group}.count", f"is {about['count']}, but the inventory has {len(names)}"))
    elif not names:
        problems.append(Problem(f"groups.{group}", "has no hosts in the inventory"))
    return names


def _ignored(groups: Mapping[str, Mapping[str, Any]], takes: Sequence[str]) -> list[str]:
    """Keys of a size that were written and that this provider does nothing with."""
    written = {word for key, word in SIZE.items() if any(group[key] is not None for group in groups.values())}
    return sorted(written - set(takes))


def plan(wanted: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What of ``wanted`` is ``there``: ``kept``, ``missing`` and ``surplus``, and how the kept ones ``differ``.

    ``there`` is what carries the fleet's label: ``name``, ``number``, and whatever else the provider tells. Everyone
    gets a ``number`` that stays: those that are there keep theirs, the others get the smallest that are free.
    """
    by_name: dict[str, Mapping[str, Any]] = {}
    for one in there:
        if one["name"] in by_name:
            raise InputError(
                f"two machines carry the label of the host {one['name']} of this fleet; remove one of them by hand"
            )
        by_name[one["name"]] = one
    free = _free_numbers(one.get("number") for one in there)
    kept: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    differ: list[str] = []
    for host in wanted:
        known = by_name.pop(host["name"], None)
        if known is None:
            missing.append({**host, "number": next(free)})
            continue
        kept.append({**known, **host})
        differ += [
            f"{host['name']}: {word} is {known[key]}, and the definition says {host[key]}"
            for key, word in (("group", "group"), ("cpus", "cpus"), ("memory_mib", "memory (MiB)"), ("image", "image"))
            if host.get(key) is not None and known.get(key) is not None and str(known[key]) != str(host[key])
        ]
    return {"kept": kept, "missing": missing, "surplus": [dict(one) for one in by_name.values()], "differ": differ}


def _free_numbers(taken: Iterable[Any]) -> Any:
    used = {int(number) for number in taken if number is not None}
    return (number for number in range(1, 1 << 20) if number not in used)


def refuse_without(provider: str, about: Mapping[str, Any], installed: Callable[[str], bool]) -> None:
    """Raises InputError for what ``provider`` needs on the controller and is not ``installed`` there.

    Before a file of the provider is read: Ansible cannot even read a task whose collection is missing.
    """
    needs = about.get("needs") or {}
    collections = [name for name in needs.get("collections", []) if not installed(f"ansible_collections.{name}")]
    packages = [name for name in needs.get("python", []) if not installed(name.split("=")[0])]
    ways = [
        *([f"ansible-galaxy collection install {' '.join(collections)}"] if collections else []),
        *([f"pip install {' '.join(name.split('=')[-1] for name in packages)}"] if packages else []),
    ]
    if ways:
        missing = " and ".join(
            [f"the collection {name}" for name in collections]
            + [f"the Python package {name.split('=')[-1]}" for name in packages]
        )
        raise InputError(f"provider {provider} needs {missing} on the controller: {'; '.join(ways)}")


FIRST_ADDRESS = 10  # the ten before are left to gateways and whatever else a network needs


def address(network: str, number: int) -> str:
    """The address that the host with ``number`` (from 1) has in ``network``. Raises InputError."""
    try:
        found = ipaddress.ip_network(network)
    except ValueError as error:
        raise InputError(f"{shown(network)} is not a network such as 198.18.64.0/24: {error}") from error
    most = found.num_addresses - FIRST_ADDRESS - 2
    if not 1 <= number <= most:
        raise InputError(
            f"the network {network} has room for {max(most, 0)} hosts, and none for number {number}; "
            "choose a larger one"
        )
    return str(found.network_address + FIRST_ADDRESS + number)
