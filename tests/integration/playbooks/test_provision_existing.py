# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are there already are only looked at, and each that cannot be used has a line of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from real_ansible import Run, run
from site_files import LOCAL, OUT_OF_REACH, inventory, vm


def look(folder: Path, site: dict[str, Any], *options: str, **extra: Any) -> Run:
    return run(folder, "sluice.bluegreen.provision", site, {"wait_timeout": 3, **extra}, *options)


def local(number: int, **changes: Any) -> dict[str, Any]:
    return vm(number, **{**LOCAL, **changes})


def site(**green: Any) -> dict[str, Any]:
    """All hosts are this machine, but for what ``green`` says of green1."""
    return inventory(
        groups__loadbalancers={"lb1": local(11)},
        groups__shop_blue={"blue1": local(21)},
        groups__shop_green={"green1": {**local(31), **green}},
    )


def test_without_a_definition_the_hosts_of_the_services_are_looked_at(tmp_path: Path) -> None:
    told = look(tmp_path, site(), "--check")
    assert told.status == 0, told.output
    assert {one.host for one in told.of("Judge it")} == {"lb1", "blue1", "green1"}
    assert told.changed == []


def test_every_host_that_cannot_be_used_has_its_line_and_the_others_are_still_looked_at(tmp_path: Path) -> None:
    fleet = {"groups": {"loadbalancers": {"memory": "20 TiB"}, "shop_blue": {}, "shop_green": {}}}
    told = look(tmp_path, site(**{**OUT_OF_REACH, "ansible_connection": "ssh"}), bluegreen_fleet=fleet)
    assert told.status != 0
    lines = told.of("Name the hosts that are not ready")[0].msg.splitlines()
    assert lines[0] == "2 of 3 hosts are not ready:"
    assert any(line.startswith("lb1: has ") and "20971520 MiB are wanted" in line for line in lines), lines
    assert any(line.startswith("green1: ") and "timed out" in line for line in lines), lines
    assert not any(line.startswith("blue1") for line in lines)


def test_two_colors_that_share_a_host_are_refused_before_any_host_is_asked(tmp_path: Path) -> None:
    shared = inventory(groups__shop_blue={"blue1": local(21)}, groups__shop_green={"blue1": local(21)})
    told = look(tmp_path, shared)
    assert told.status != 0
    assert "in both shop_blue (blue) and shop_green (green): blue1" in told.problems[0].msg
    assert told.of("Wait until it lets Ansible in") == []


def test_what_was_not_made_is_not_removed(tmp_path: Path) -> None:
    told = run(tmp_path, "sluice.bluegreen.deprovision", site(), {"confirm": "existing"})
    assert told.status != 0
    assert "Provider existing makes no hosts, so there are none to take away" in told.problems[0].msg


def test_a_definition_that_is_wrong_names_every_provider_that_there_is(tmp_path: Path) -> None:
    told = look(tmp_path, site(), bluegreen_fleet={"provider": "cloud", "groups": {}})
    assert told.status != 0
    assert "Known values: docker, ec2, existing" in told.problems[0].msg
    assert "groups: has no group" in told.problems[0].msg


def test_an_inventory_that_somebody_wrote_by_hand_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA\n", encoding="utf-8")
    fleet = {
        "name": "shop",
        "provider": "docker",
        "inventory": str(tmp_path / "site"),
        "ssh_public_key": str(tmp_path / "key.pub"),
        "groups": {"shop_blue": {"count": 1}},
    }
    told = look(tmp_path, site(), bluegreen_fleet=fleet)
    assert told.status != 0
    assert "was not written for the fleet shop, and is not replaced" in told.problems[0].msg
