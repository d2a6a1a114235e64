# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario of molecule/, on the lab that they share or on hosts of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "molecule"
PAGES = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*/molecule.yml")}
LONG = ("colocated_released", "data_migrated", "fleet_provisioned")


def marks(name: str) -> list[pytest.MarkDecorator]:
    """A scenario with hosts of its own is one on real VMs."""
    if not PAGES[name].get("shared_state", True):
        return [pytest.mark.vms]
    return [pytest.mark.long] if name in LONG else []


SCENARIOS = [pytest.param(name, marks=marks(name)) for name in sorted(PAGES) if name != "default"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, run: Callable[[str, str, list[str]], list[str]]) -> None:
    page = PAGES[scenario]
    lab = "default" if page.get("shared_state", True) else scenario
    problems = run(scenario, lab, page["scenario"]["test_sequence"])
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
