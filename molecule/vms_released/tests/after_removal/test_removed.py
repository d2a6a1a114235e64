# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet was removed, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from docker import from_env


@pytest.fixture
def seen(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "removed.json").read_text(encoding="utf-8"))
    return found


def test_nothing_was_removed_without_the_name(seen: dict[str, Any]) -> None:
    assert {f"sluice-vms-{name}" for name in ("edge1", "edge2", "blue1", "green1", "other")} == set(seen["before"])


def test_the_vm_of_somebody_else_is_left_alone(seen: dict[str, Any]) -> None:
    assert seen["after"] == ["sluice-vms-other"]


def test_their_disks_and_their_network_went_with_them(seen: dict[str, Any]) -> None:
    assert seen["volumes"] == []
    assert seen["networks"] == []


def test_their_inventory_went_too() -> None:
    assert not Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "build", "lab", "vms", "hosts.yml").exists()


def test_the_engine_of_this_machine_has_all_its_bridges() -> None:
    # Another engine had brought layers onto the VMs' disk, and might have taken the bridge of this one for its own.
    networks = from_env().networks.list(filters={"driver": "bridge"})
    names = [net.attrs["Options"].get("com.docker.network.bridge.name", f"br-{net.id[:12]}") for net in networks]
    assert "docker0" in names
    assert [name for name in names if not Path("/sys/class/net", name).exists()] == []
