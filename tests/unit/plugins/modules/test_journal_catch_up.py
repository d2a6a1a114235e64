# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer is told that it missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lock, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths
from ansible_collections.sluice.bluegreen.plugins.modules import journal_catch_up

STARTED = ("release_started", {"version": "v1", "color": "blue"})
SHARES = {"blue": 0.0, "green": 100.0}


@pytest.fixture
def balancers(tmp_path: Path) -> dict[str, ServicePaths]:
    """``lb1`` knows all; ``lb2`` catches up, with the lock of release r2."""
    paths = {name: ServicePaths("shop", str(tmp_path / name), str(tmp_path / f"{name}-run")) for name in ("lb1", "lb2")}
    _lock.acquire(paths["lb2"], "r2", "alice@ci", 900)
    for name in paths:
        note(paths[name], *STARTED)
    return paths


def note(paths: ServicePaths, event: str, data: dict[str, Any]) -> None:
    _journal.append(paths.journal, event, "r1", data)


def catch_up(balancers: dict[str, ServicePaths]) -> list[str]:
    events = _journal.read(balancers["lb1"].journal).events
    params = {
        "release_id": "r2",
        "source": "lb1",
        "state": _state.derive(events),
        "events": events,
        "journal": "required",
    }
    found = journal_catch_up.run(balancers["lb2"], params, False, pytest.fail)
    return [event["event"] for event in found["missed"]]


def test_only_what_it_does_not_have_is_missed(balancers: dict[str, ServicePaths]) -> None:
    note(balancers["lb1"], "promoted", {"version": "v1", "color": "blue"})
    assert catch_up(balancers) == ["promoted"]


def test_a_shift_from_another_split_is_the_same_shift(balancers: dict[str, ServicePaths]) -> None:
    note(balancers["lb1"], "shift", {"shares": SHARES, "before": {"blue": 60.0, "green": 40.0}})
    note(balancers["lb2"], "shift", {"shares": SHARES, "before": {"blue": 100.0, "green": 0.0}})
    assert catch_up(balancers) == []


def test_what_it_was_told_before_is_not_missed_again(balancers: dict[str, ServicePaths]) -> None:
    note(balancers["lb1"], "promoted", {"version": "v1", "color": "blue"})
    assert catch_up(balancers) == ["promoted"]
    note(balancers["lb1"], "reverted", {"from_color": "blue", "to_color": "green"})
    assert catch_up(balancers) == ["reverted"]
