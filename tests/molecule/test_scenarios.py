# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario of molecule/, on the lab that they share or on hosts of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages import LONG, PAGES, own_hosts


def marks(name: str) -> list[pytest.MarkDecorator]:
    if own_hosts(name):
        return [pytest.mark.vms]
    return [pytest.mark.long] if name in LONG else []


SCENARIOS = [pytest.param(name, marks=marks(name)) for name in sorted(PAGES) if name != "default"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, run: Callable[[str], list[str]]) -> None:
    problems = run(scenario)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
