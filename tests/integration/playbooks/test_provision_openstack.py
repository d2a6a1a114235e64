# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider openstack against a stand-in that speaks as much of the API as it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openstack_cloud import PASSWORD, Cloud
from real_ansible import Run, run
from site_files import LOCAL

pytestmark = pytest.mark.long

INVENTORY = {"all": {"hosts": {"localhost": dict(LOCAL)}}}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    found = Cloud()
    clouds(tmp_path, found.url, PASSWORD)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    yield found
    found.stop()


def clouds(folder: Path, url: str, password: str) -> None:
    auth = {
        "auth_url": f"{url}/identity/v3",
        "username": "me",
        "password": password,
        "project_name": "ours",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    text = yaml.safe_dump({"clouds": {"mycloud": {"auth": auth, "region_name": "here"}}})
    (folder / "clouds.yaml").write_text(text, encoding="utf-8")


def fleet(folder: Path, **changes: Any) -> dict[str, Any]:
    (folder / "key.pub").write_text("ssh-ed25519 AAAA fleet\n", encoding="utf-8")
    return {
        "name": "shop-os",
        "provider": "openstack",
        "inventory": str(folder / "site"),
        "ssh_public_key": str(folder / "key.pub"),
        "defaults": {"cpus": 1, "memory": "1 GiB", "image": "debian-12", "network": "internal", **changes},
        "groups": {"loadbalancers": {"count": 1, "name": "lb"}, "shop_blue": {"count": 1, "cpus": 2}},
        "openstack": {"cloud": "mycloud"},
    }


def provision(folder: Path, given: dict[str, Any], *options: str) -> Run:
    extra = {"bluegreen_fleet": given, "wait": False}
    return run(folder, "sluice.bluegreen.provision", INVENTORY, extra, *options)


def test_a_fleet_is_made_in_the_smallest_flavors_that_are_enough_and_only_it_is_removed(
    tmp_path: Path, cloud: Cloud
) -> None:
    other = cloud.add("shop-os-2", {"sluice-bluegreen-fleet": "shop-os-2"})["id"]
    told = provision(tmp_path, fleet(tmp_path), "--check")
    assert told.status == 0, told.output
    assert "0 hosts are there, 2 to make: lb1, shop-blue1" in told.of("Tell the plan")[0].msg
    assert cloud.written == [], "a dry run wrote something"

    made = provision(tmp_path, fleet(tmp_path))
    assert made.status == 0, made.output
    asked = {body["server"]["name"]: body["server"]["flavorRef"] for _, _, body in cloud.written}
    assert asked == {"shop-os-lb1": "2", "shop-os-shop-blue1": "3"}
    written = yaml.safe_load((tmp_path / "site" / "hosts.yml").read_text(encoding="utf-8"))
    groups = written["all"]["children"]["fleet"]["children"]
    assert groups["loadbalancers"]["hosts"]["lb1"] == {"ansible_host": "192.0.2.2", "bluegreen_address": "192.0.2.2"}

    again = provision(tmp_path, fleet(tmp_path))
    assert (again.status, again.changed) == (0, []), again.output

    extra = {"bluegreen_fleet": fleet(tmp_path), "confirm": "shop-os"}
    gone = run(tmp_path, "sluice.bluegreen.deprovision", INVENTORY, extra)
    assert gone.status == 0, gone.output
    assert set(cloud.servers) == {other}


def test_somebody_elses_server_of_that_name_is_refused_and_not_touched(tmp_path: Path, cloud: Cloud) -> None:
    cloud.add("shop-os-lb1", {})
    told = provision(tmp_path, fleet(tmp_path))
    assert told.status != 0
    assert "shop-os-lb1 is there, without the label" in told.problems[0].msg
    assert cloud.written == []


def test_what_the_cloud_does_not_have_is_named(tmp_path: Path, cloud: Cloud) -> None:
    told = provision(tmp_path, fleet(tmp_path, image="debian-99"))
    assert "the cloud has no image debian-99" in told.problems[0].msg
    items = provision(tmp_path, fleet(tmp_path, memory="8 GiB")).problems[0].result["results"]
    words = "no flavor has 1 CPUs and 8192 MiB of memory, as lb1 wants. There are tiny, small, medium"
    assert words in items[0]["msg"]
    assert cloud.written == []


def test_a_password_that_is_refused_is_named_and_not_shown(tmp_path: Path, cloud: Cloud) -> None:
    clouds(tmp_path, cloud.url, "wr0ng-secret")
    told = provision(tmp_path, fleet(tmp_path))
    assert told.status != 0
    assert "nobody can log in to the cloud mycloud" in told.problems[-1].msg
    assert "wr0ng-secret" not in told.output
