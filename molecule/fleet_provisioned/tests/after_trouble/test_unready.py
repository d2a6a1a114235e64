# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of three did not come up; the others can be used."""

from __future__ import annotations

from pathlib import Path

import yaml
from docker import from_env


def test_the_host_that_did_not_come_up_has_a_group_of_its_own(output: Path) -> None:
    groups = yaml.safe_load((output / "site" / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]
    found = {name: set(group["hosts"]) for name, group in groups["fleet"]["children"].items()}
    assert found == {"loadbalancers": {"fleetlb1"}, "shop_blue": {"fleetblue1"}, "unready": {"fleetblue2"}}


def test_the_host_that_stood_still_runs_again(fleet: dict[str, str]) -> None:
    assert from_env().containers.get(f"sluice-{fleet['name']}-fleetblue1").status == "running"
