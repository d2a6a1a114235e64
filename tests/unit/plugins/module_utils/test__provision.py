# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A definition is read whole: every limit, every problem at once, and numbers that stay."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._provision import (
    address,
    fleet,
    plan,
    refuse_without,
)

PROVIDERS: dict[str, Any] = yaml.safe_load("""
existing: {makes: false, takes: [cpus, memory, disk]}
cloud:
  takes: [cpus, memory, disk, image, network]
  options: {region: {type: str, required: true}, zones: {type: int, default: 2}}
small: {takes: [image]}
""")
GIVEN: dict[str, Any] = yaml.safe_load("""
name: shop-prod
provider: cloud
inventory: inventories/prod
ssh_public_key: key.pub
defaults: {cpus: 1, memory: 1024 MiB, disk: 10 GiB, image: debian-12}
groups:
  loadbalancers: {count: 1, name: lb}
  shop_blue: {count: 2, cpus: 2, memory: 1.5 GiB}
cloud: {region: here}
""")


def read(given: Any, groups: Any = None, folder: Any = None) -> dict[str, Any]:
    return fleet(given, PROVIDERS, groups or {}, folder)


def problems(**changes: Any) -> dict[str, str]:
    """What is wrong by key, after ``changes`` by path (``...`` takes a key away)."""
    given = copy.deepcopy(GIVEN)
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = given
        for parent in parents:
            at = at[parent]
        if value is ...:
            del at[last]
        else:
            at[last] = value
    with pytest.raises(InputError) as caught:
        read(given)
    return {one["key"]: one["problem"] for one in caught.value.details["problems"]}


def test_a_definition_is_spread_out_to_hosts_with_the_sizes_of_their_groups() -> None:
    found = read(GIVEN)
    assert found["hosts"] == [
        {
            "name": "lb1",
            "machine": "shop-prod-lb1",
            "group": "loadbalancers",
            "index": 1,
            "cpus": 1,
            "memory_mib": 1024,
            "disk_gib": 10,
            "image": "debian-12",
            "network": None,
        },
        *(
            {
                "name": f"shop-blue{number}",
                "machine": f"shop-prod-shop-blue{number}",
                "group": "shop_blue",
                "index": number,
                "cpus": 2,
                "memory_mib": 1536,
                "disk_gib": 10,
                "image": "debian-12",
                "network": None,
            }
            for number in (1, 2)
        ),
    ]
    assert found["settings"] == {"region": "here", "zones": 2}
    assert found["user"] == "ansible"


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = problems(
        name="Shop", user="a b", groups__shop_blue__cpu=2, defaults__memory="1 GB", ssh_public_key=..., hosts=["a"]
    )
    assert set(found) == {"name", "user", "groups.shop_blue.cpu", "defaults.memory", "ssh_public_key", "hosts"}
    assert "did you mean 'cpus'" in found["groups.shop_blue.cpu"]
    assert "512 MiB or 2 GiB" in found["defaults.memory"]
    assert "count" in found["hosts"]


@pytest.mark.parametrize(
    ("change", "value", "words"),
    [
        ("provider", "clud", "did you mean 'cloud'"),
        ("groups__shop_blue__count", 501, "from 0 to 500"),
        ("groups__shop_blue__count", -1, "from 0 to 500"),
        ("groups__shop_blue__count", True, "not a whole number"),
        ("groups__shop_blue__count", ..., "is missing"),
        ("groups__shop_blue__cpus", 0, "out of range"),
        ("groups__shop_blue__memory", 1024, "write a size with its unit"),
        ("groups__shop_blue__memory", "127 MiB", "whole MiB from 128"),
        ("groups__shop_blue__memory", "0.3 MiB", "whole number of MiB"),
        ("groups__shop_blue__disk", "1536 MiB", "whole GiB from 1"),
        ("groups__shop_blue__disk", "70000 GiB", "to 65536"),
        ("groups__shop_blue__image", "{{ evil }}", "name of the image"),
        ("groups__shop_blue__name", "Blue", "beginning of the hosts' names"),
        ("groups__shop_blue__name", "lb", "a host of group loadbalancers too"),
        ("ssh_public_key", "~/.ssh/id_ed25519", "public key"),
        ("inventory", ..., "hosts.yml is written to"),
        ("name", "a" * 32, "at most 31"),
        ("groups", {}, "has no group"),
        ("groups", ["shop_blue"], "not a dictionary"),
        ("groups__all", {"count": 1}, "has anyway"),
        ("groups__shop-blue", {"count": 1}, "letters, digits and '_'"),
        ("cloud", ..., "missing required arguments: region"),
        ("cloud__regoin", "x", "regoin"),
        ("defaults__count", 3, "unknown key"),
    ],
)
def test_every_limit_names_the_key_and_the_way_out(change: str, value: Any, words: str) -> None:
    found = problems(**{change: value})
    assert len(found) == 1, found
    assert words in next(iter(found.values()))


def test_a_fleet_has_at_most_a_thousand_hosts() -> None:
    groups = {f"g{number}": {"count": 500} for number in range(3)}
    assert "1500 hosts are more than the 1000" in problems(groups=groups)["groups"]


def test_a_name_that_no_host_can_have_is_refused() -> None:
    long = {"name": "a" * 31, "groups": {"x": {"count": 1, "name": "b" * 31}}}
    assert "more than 63" in problems(**{**long, "groups": {"x": {"count": 100, "name": "b" * 31}}})["groups.x.name"]


def test_what_a_provider_does_nothing_with_is_told_and_not_handed_on() -> None:
    found = read({**GIVEN, "provider": "small"})
    assert found["ignored"] == ["cpus", "disk", "memory"]
    assert {(host["cpus"], host["memory_mib"], host["image"]) for host in found["hosts"]} == {(None, None, "debian-12")}


def test_the_section_of_another_provider_may_stay() -> None:
    assert read({**GIVEN, "provider": "small"})["settings"] == {}


def test_the_inventorys_own_folder_is_the_default() -> None:
    given = {key: value for key, value in GIVEN.items() if key != "inventory"}
    assert read(given, folder="/etc/site")["inventory"] == "/etc/site"


GROUPS = {"loadbalancers": ["lb1", "lb2"], "shop_blue": ["blue1"], "empty": []}


def test_existing_hosts_are_those_of_the_inventory() -> None:
    found = read({"groups": {"loadbalancers": {}, "shop_blue": {"memory": "2 GiB"}}}, GROUPS)
    assert [(host["name"], host["memory_mib"]) for host in found["hosts"]] == [
        ("lb1", None),
        ("lb2", None),
        ("blue1", 2048),
    ]
    assert (found["provider"], found["makes"], found["inventory"]) == ("existing", False, None)


def test_a_host_of_two_groups_is_looked_at_once() -> None:
    found = read({"groups": {"loadbalancers": {}, "both": {}}}, {**GROUPS, "both": ["lb1"]})
    assert [host["name"] for host in found["hosts"]] == ["lb1", "lb2"]


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"shop_green": {}}, "is not in the inventory"),
        ({"empty": {}}, "has no hosts in the inventory"),
        ({"loadbalancers": {"count": 3}}, "is 3, but the inventory has 2"),
    ],
)
def test_existing_groups_are_held_against_the_inventory(groups: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read({"groups": groups}, GROUPS)


def hosts(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "group": "shop_blue", "cpus": None} for name in names]


def test_who_is_there_keeps_the_number_and_the_others_get_the_smallest_that_are_free() -> None:
    there = [{"name": "b2", "number": 2, "id": "x"}, {"name": "b9", "number": 4}]
    found = plan(hosts("b1", "b2", "b3", "b4"), there)
    assert [(one["name"], one["number"]) for one in found["missing"]] == [("b1", 1), ("b3", 3), ("b4", 5)]
    assert [(one["name"], one["number"], one["id"]) for one in found["kept"]] == [("b2", 2, "x")]
    assert [one["name"] for one in found["surplus"]] == ["b9"]


def test_a_host_that_is_there_and_is_not_what_the_definition_says_is_named() -> None:
    wanted = [{"name": "b1", "group": "shop_blue", "cpus": 2, "memory_mib": None, "image": "debian-12"}]
    found = plan(wanted, [{"name": "b1", "number": 1, "group": "shop_green", "cpus": 1, "memory_mib": 512}])
    assert found["differ"] == [
        "b1: group is shop_green, and the definition says shop_blue",
        "b1: cpus is 1, and the definition says 2",
    ]


def test_two_machines_with_the_label_of_one_host_are_refused() -> None:
    with pytest.raises(InputError, match="two machines carry the label of the host b1"):
        plan(hosts("b1"), [{"name": "b1", "number": 1}, {"name": "b1", "number": 2}])


def test_an_address_is_the_number_in_the_network() -> None:
    assert address("198.18.64.0/24", 1) == "198.18.64.11"
    assert address("198.18.64.0/24", 244) == "198.18.64.254"


@pytest.mark.parametrize(
    ("network", "number", "words"),
    [
        ("198.18.64.0/24", 245, "room for 244 hosts"),
        ("198.18.64.0/29", 1, "room for 0 hosts"),
        ("198.18.64.0/24", 0, "none for number 0"),
        ("198.18.64.5/24", 1, "is not a network"),
        ("elsewhere", 1, "is not a network"),
    ],
)
def test_a_network_without_room_is_refused(network: str, number: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        address(network, number)


def test_what_a_provider_needs_and_is_not_there_is_named_with_the_way_to_get_it() -> None:
    about = {"needs": {"collections": ["openstack.cloud"], "python": ["openstack=openstacksdk", "json"]}}
    with pytest.raises(InputError) as caught:
        refuse_without("openstack", about, lambda name: name == "json")
    assert str(caught.value) == (
        "provider openstack needs the collection openstack.cloud and the Python package openstacksdk on the "
        "controller: "
        "ansible-galaxy collection install openstack.cloud; pip install openstacksdk"
    )
    refuse_without("openstack", about, lambda _name: True)
