# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run of a fleet that is not there yet."""

from __future__ import annotations

from pathlib import Path

from docker import from_env

LABEL = "sluice.bluegreen.fleet"


def test_a_dry_run_made_no_host_and_no_inventory(output: Path, fleet: dict[str, str]) -> None:
    engine = from_env()
    assert engine.containers.list(all=True, filters={"label": f"{LABEL}={fleet['name']}"}) == []
    assert engine.networks.list(filters={"label": f"{LABEL}={fleet['name']}"}) == []
    assert not (output / "site").exists()
