# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What provider libvirt sees before it makes anything, asked of libvirt's test driver. VMs are for `make test-vm`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from real_ansible import Run, run
from site_files import inventory

pytestmark = pytest.mark.long

NAMESPACE = "https://github.com/sluice-bluegreen/sluice.bluegreen"
NETWORK = "<network><name>{name}</name></network>"
VM = """
<domain type='test'>
  <name>{name}</name>{metadata}<memory>65536</memory><os><type>hvm</type></os>
</domain>"""
NODE = """
<node>
  <network><name>default</name></network>
  <pool type='dir'><name>default</name><target><path>/default</path></target>
    <volume><name>debian.qcow2</name><capacity>1048576</capacity><target><path>/default/debian.qcow2</path></target></volume>
    {volumes}
  </pool>
  {more}
</node>"""


def label(fleet: str, name: str, number: int) -> str:
    note = json.dumps({"fleet": fleet, "name": name, "group": "shop_blue", "number": number, "memory_mib": 512})
    text = base64.b64encode(note.encode()).decode()
    return f"<metadata><sluice:host xmlns:sluice='{NAMESPACE}'>{text}</sluice:host></metadata>"


@pytest.fixture
def fleet(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA\n", encoding="utf-8")
    return {
        "name": "shop",
        "provider": "libvirt",
        "inventory": str(tmp_path / "site"),
        "ssh_public_key": str(tmp_path / "key.pub"),
        "defaults": {"memory": "640 MiB", "image": "debian.qcow2"},
        "groups": {"shop_blue": {"count": 2, "name": "blue"}},
        "libvirt": {"uri": f"test://{tmp_path}/node.xml"},
    }


def look(folder: Path, fleet: dict[str, Any], more: str = "", volumes: str = "", **changes: Any) -> Run:
    (folder / "node.xml").write_text(NODE.format(more=more, volumes=volumes), encoding="utf-8")
    fleet = {**fleet, "libvirt": {**fleet["libvirt"], **changes}}
    return run(folder, "sluice.bluegreen.provision", inventory(), {"bluegreen_fleet": fleet, "wait": False}, "--check")


def refusal(told: Run) -> str:
    assert told.status != 0, told.output
    assert told.changed == []
    return str(told.problems[0].msg)


def test_a_dry_run_tells_what_is_there_and_what_it_would_make_and_makes_nothing(
    tmp_path: Path, fleet: dict[str, Any]
) -> None:
    there = VM.format(name="sluice-shop-blue1", metadata=label("shop", "blue1", 7))
    # Its name begins as those of this fleet do, and its label is that of another one.
    other = VM.format(name="sluice-shop-prod-blue1", metadata=label("shop-prod", "blue1", 1))
    told = look(tmp_path, fleet, there + other)
    assert told.status == 0, told.output
    assert "shop (libvirt): 1 hosts are there, 1 to make: blue2" in told.output
    assert "stays as it is: blue1: memory (MiB) is 512, and the definition says 640" in told.output


def test_what_has_the_name_of_a_host_and_was_not_made_for_it_is_refused(tmp_path: Path, fleet: dict[str, Any]) -> None:
    unlabelled = VM.format(name="sluice-shop-blue1", metadata="")
    of_another = VM.format(name="sluice-shop-blue2", metadata=label("sold", "blue2", 1))
    disk = "<volume><name>sluice-shop-blue1.qcow2</name><capacity>1</capacity></volume>"
    told = refusal(look(tmp_path, fleet, unlabelled + of_another, disk))
    assert "sluice-shop-blue1.qcow2 is there and was not made for the fleet shop" in told
    assert {"sluice-shop-blue1,", "sluice-shop-blue2,"} <= set(told.split())


def test_a_network_that_somebody_else_made_is_refused(tmp_path: Path, fleet: dict[str, Any]) -> None:
    told = refusal(look(tmp_path, fleet, NETWORK.format(name="sluice-shop")))
    assert "the network sluice-shop is there and was not made for the fleet shop" in told


def test_an_image_a_network_or_a_pool_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, fleet: dict[str, Any]
) -> None:
    for key, value, said in (
        ("image", "debian-13.qcow2", "has no volume debian-13.qcow2; it has debian.qcow2"),
        ("network", "lan", "there is no network lan; there is default"),
    ):
        wanted = {**fleet, "defaults": {**fleet["defaults"], key: value}}
        assert said in refusal(look(tmp_path, wanted))
    assert "has no active storage pool fast; it has default" in refusal(look(tmp_path, fleet, pool="fast"))


def test_hosts_without_an_image_are_named(tmp_path: Path, fleet: dict[str, Any]) -> None:
    told = refusal(look(tmp_path, {**fleet, "defaults": {}}))
    assert "blue1, blue2 has no image. Write one into bluegreen_fleet.defaults" in told


def test_where_no_libvirt_answers_the_way_to_one_is_told(tmp_path: Path, fleet: dict[str, Any]) -> None:
    told = refusal(look(tmp_path, fleet, uri=f"qemu+unix:///system?socket={tmp_path}/nowhere"))
    assert "no libvirt answers at qemu+unix:///system" in told
    assert "apt-get install python3-libvirt python3-lxml python3-pycdlib" in told
