# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario of molecule/, on the lab that they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "molecule"
SCENARIOS = sorted(path.parent.name for path in FOLDER.glob("*/molecule.yml") if path.parent.name != "default")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, run: Callable[[str, list[str]], list[str]]) -> None:
    page = yaml.safe_load((FOLDER / scenario / "molecule.yml").read_text(encoding="utf-8"))
    problems = run(scenario, page["scenario"]["test_sequence"])
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
