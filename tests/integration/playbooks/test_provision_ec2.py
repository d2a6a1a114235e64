# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider ec2 against a server that answers as EC2 does. Nobody can log in there, so nobody is waited for."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_ansible import Run, run
from site_files import LOCAL

pytestmark = pytest.mark.long

REGION = "eu-central-1"
LABEL = "sluice.bluegreen.fleet"
INVENTORY = {"all": {"hosts": {"localhost": dict(LOCAL)}}}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJk3pXeWc0m0Xq4Jc1yCqHkq5v5d0b3YQm6m1Zb1Xx0a fleet"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an EC2 that has nothing yet, for which the environment has credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    # Not for all that collect tests: only `make test-long` has it.
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    tell(address, "reset", "")
    yield address
    server.stop()


def tell(address: str, what: str, body: str) -> None:
    request = urllib.request.Request(f"{address}/moto-api/{what}", body.encode(), {"Content-Type": "text/plain"})
    urllib.request.urlopen(request, timeout=10).close()


class Account:
    """What the account has, seen with Amazon's own client."""

    def __init__(self, address: str) -> None:
        import boto3

        self.client = boto3.client("ec2", region_name=REGION, endpoint_url=address)
        self.image = self.client.describe_images()["Images"][0]["ImageId"]

    def make(self, name: str, **labels: str) -> str:
        """The id of an instance that somebody else has made."""
        tags = [{"Key": key, "Value": value} for key, value in {"Name": name, **labels}.items()]
        made = self.client.run_instances(
            ImageId=self.image,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        return str(made["Instances"][0]["InstanceId"])

    def running(self) -> dict[str, dict[str, Any]]:
        """By id what runs."""
        found = self.client.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
        return {
            one["InstanceId"]: {**one, "tags": {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}}
            for reservation in found["Reservations"]
            for one in reservation["Instances"]
        }

    def ours(self) -> dict[str, dict[str, Any]]:
        """By name what carries the label of the fleet."""
        return {one["tags"]["Name"]: one for one in self.running().values() if one["tags"].get(LABEL) == "shop-aws"}


def definition(folder: Path, cloud: str, image: str, **counts: int) -> dict[str, Any]:
    (folder / "key.pub").write_text(f"{KEY}\n", encoding="utf-8")
    return {
        "name": "shop-aws",
        "provider": "ec2",
        "inventory": str(folder / "site"),
        "ssh_public_key": str(folder / "key.pub"),
        "defaults": {"cpus": 2, "memory": "2 GiB", "disk": "12 GiB", "image": "debian-12"},
        "groups": {
            "loadbalancers": {"count": counts.get("lb", 1), "name": "lb"},
            "shop_blue": {"count": counts.get("blue", 1), "name": "blue", "memory": "4 GiB"},
        },
        "ec2": {"region": REGION, "endpoint_url": cloud, "images": {"debian-12": image}},
    }


def provision(folder: Path, fleet: dict[str, Any], *options: str, **extra: Any) -> Run:
    return run(
        folder, "sluice.bluegreen.provision", INVENTORY, {"bluegreen_fleet": fleet, "wait": False, **extra}, *options
    )


def deprovision(folder: Path, fleet: dict[str, Any], **extra: Any) -> Run:
    return run(folder, "sluice.bluegreen.deprovision", INVENTORY, {"bluegreen_fleet": fleet, **extra})


def hosts_of(folder: Path) -> dict[str, dict[str, Any]]:
    """By group the hosts of the inventory that was written."""
    written = yaml.safe_load((folder / "site" / "hosts.yml").read_text(encoding="utf-8"))
    return {name: group["hosts"] for name, group in written["all"]["children"]["fleet"]["children"].items()}


def test_a_fleet_is_made_once_grows_by_what_is_missing_and_goes_without_touching_what_others_made(
    tmp_path: Path, cloud: str
) -> None:
    account = Account(cloud)
    others = {account.make("lb1", **{LABEL: "shop-test"}), account.make("shop-aws-lb1")}
    fleet = definition(tmp_path, cloud, account.image)

    told = provision(tmp_path, fleet, "--check", "--diff")
    assert told.status == 0, told.output
    assert "shop-aws (ec2): 0 hosts are there, 2 to make: lb1, blue1" in told.of("Tell the plan")[0].msg
    assert set(account.running()) == others, "a dry run made something"
    assert not (tmp_path / "site").exists()

    made = provision(tmp_path, fleet)
    assert made.status == 0, made.output
    ours = account.ours()
    assert {name: one["InstanceType"] for name, one in ours.items()} == {
        "shop-aws-lb1": "t3.small",
        "shop-aws-blue1": "t3.medium",
    }
    assert hosts_of(tmp_path)["loadbalancers"]["lb1"] == {
        "ansible_host": ours["shop-aws-lb1"]["PublicIpAddress"],
        "bluegreen_address": ours["shop-aws-lb1"]["PrivateIpAddress"],
    }
    volume = account.client.describe_volumes(
        VolumeIds=[ours["shop-aws-lb1"]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]]
    )
    assert volume["Volumes"][0]["Size"] == 12
    text = (tmp_path / "site" / "hosts.yml").read_text(encoding="utf-8")

    again = provision(tmp_path, fleet)
    assert (again.status, again.changed) == (0, []), again.output
    assert (tmp_path / "site" / "hosts.yml").read_text(encoding="utf-8") == text

    account.client.stop_instances(InstanceIds=[ours["shop-aws-blue1"]["InstanceId"]])
    grown = provision(tmp_path, definition(tmp_path, cloud, account.image, lb=0, blue=2))
    assert grown.status == 0, grown.output
    assert any("lb1: above the count, and kept" in line for line in grown.of("Tell the plan")[0].result["msg"])
    assert set(account.ours()) == {"shop-aws-lb1", "shop-aws-blue1", "shop-aws-blue2"}
    assert account.ours()["shop-aws-blue1"]["InstanceId"] == ours["shop-aws-blue1"]["InstanceId"], "made anew"

    refused = deprovision(tmp_path, fleet, confirm="shop-test")
    assert refused.status != 0
    assert "say -e confirm=shop-aws (shop-test was given)" in refused.problems[0].msg
    assert len(account.ours()) == 3

    gone = deprovision(tmp_path, fleet, confirm="shop-aws")
    assert gone.status == 0, gone.output
    assert set(account.running()) == others
    assert not (tmp_path / "site" / "hosts.yml").exists()


def test_credentials_that_are_refused_are_named_before_anything_is_made(tmp_path: Path, cloud: str) -> None:
    account = Account(cloud)
    fleet = definition(tmp_path, cloud, account.image)
    tell(cloud, "reset-auth", "0")
    refused = provision(tmp_path, fleet)
    tell(cloud, "reset-auth", json.dumps(10**6))
    assert refused.status != 0
    assert "Provider ec2: AWS does not accept the credentials" in refused.problems[0].msg
    assert "AWS_ACCESS_KEY_ID" in refused.problems[0].msg
    assert account.running() == {}
    assert not (tmp_path / "site").exists()


def test_an_image_without_an_ami_and_a_size_that_nothing_has_are_refused(tmp_path: Path, cloud: str) -> None:
    account = Account(cloud)
    fleet = definition(tmp_path, cloud, account.image)
    fleet["defaults"]["image"] = "debian-13"
    assert "there is no AMI for debian-13" in provision(tmp_path, fleet).problems[0].msg
    fleet["defaults"] = {"cpus": 64, "image": account.image}
    items = provision(tmp_path, fleet).problems[0].result["results"]
    assert "has 64 CPUs and 0 MiB of memory, as lb1 wants" in items[0]["msg"]
    assert account.running() == {}
