# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that is up, and the inventory that leads to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml
from docker import from_env

BIN = Path(sys.executable).parent


def test_the_inventory_that_was_written_leads_to_every_host_as_root(output: Path) -> None:
    command = [BIN / "ansible", "fleet", "-i", output / "site", "-m", "command", "-a", "id -un", "--one-line"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    lines = sorted(line.split(" | ")[0] + line.rsplit(")", 1)[-1] for line in told.stdout.splitlines() if "|" in line)
    assert lines == ["fleetblue1 root", "fleetlb1 root"], told.stdout + told.stderr


def test_ansible_logs_in_as_somebody_who_is_not_root(output: Path) -> None:
    fleet = yaml.safe_load((output / "site" / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]["fleet"]
    assert fleet["vars"]["ansible_user"] == "ansible"
    assert fleet["vars"]["ansible_become"] is True


def test_every_host_is_as_large_as_the_definition_says_and_says_whose_it_is(fleet: dict[str, str]) -> None:
    found = from_env().containers.list(filters={"label": f"sluice.bluegreen.fleet={fleet['name']}"})
    assert len(found) == 2
    for container in found:
        assert container.attrs["HostConfig"]["NanoCpus"] == 10**9
        assert container.attrs["HostConfig"]["Memory"] == 512 * 1024**2
        note = json.loads(container.labels["sluice-bluegreen-host"])
        assert container.name == f"sluice-{fleet['name']}-{note['name']}"


def test_the_port_of_the_balancer_is_published_on_the_loopback_only(fleet: dict[str, str]) -> None:
    balancer = from_env().containers.get(f"sluice-{fleet['name']}-fleetlb1")
    bindings = [one for binding in balancer.ports.values() for one in binding or []]
    assert {one["HostIp"] for one in bindings} == {"127.0.0.1"}
    assert set(balancer.ports) == {"22/tcp", "80/tcp"}
