# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of molecule/: what each is, and which are run beside each other."""

from __future__ import annotations

from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "molecule"
PAGES = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*/molecule.yml")}
LONG = ("colocated_released", "data_migrated", "fleet_provisioned")
BESIDE = (("docker_host_ready",), ("deploy_healthy",), ("haproxy_configured", "haproxy_others_kept"))
"""Those that wait for packages, restarts and images most of the time, with nothing in them that goes by a clock: each
row has hosts that no other row has, and is run in turn beside the other rows. All other scenarios run alone."""


def own_hosts(scenario: str) -> bool:
    """Whether it makes hosts of its own, which are real VMs, instead of sharing the lab of ``default``."""
    return not PAGES[scenario].get("shared_state", True)


def lab_of(scenario: str) -> str:
    """The scenario that makes its hosts."""
    return scenario if own_hosts(scenario) else "default"


def sequence(scenario: str) -> list[str]:
    """Its steps, as ``molecule test`` takes them."""
    steps: list[str] = PAGES[scenario]["scenario"]["test_sequence"]
    return steps
