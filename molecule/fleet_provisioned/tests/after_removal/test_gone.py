# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that is gone, beside what others have made."""

from __future__ import annotations

from pathlib import Path

from docker import from_env


def test_only_what_carries_the_label_of_the_fleet_is_gone(fleet: dict[str, str]) -> None:
    named = from_env().containers.list(all=True, filters={"name": f"sluice-{fleet['name']}-"})
    assert {container.name.rsplit("-", 1)[1] for container in named} == {"stranger", "sister"}


def test_the_network_and_the_inventory_are_gone(output: Path, fleet: dict[str, str]) -> None:
    assert from_env().networks.list(names=[f"^sluice-{fleet['name']}$"]) == []
    assert not (output / "site" / "hosts.yml").exists()
