# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After v3 was sent back on the evidence of its errors: v2 serves alone, v1 is warm beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

testinfra_hosts = ["ansible://loadbalancers"]


@pytest.fixture
def rolled_back(journal: Any) -> dict[str, Any]:
    """The last: the one before it is that of the release that was killed."""
    events: list[dict[str, Any]] = journal.of("rolled_back")
    assert "-v3-" in events[-1]["release_id"]
    return events[-1]


def test_the_stable_color_serves_alone_now_and_after_a_restart(
    runtime_weights: dict[str, int], disk_weights: dict[str, int]
) -> None:
    assert runtime_weights == disk_weights
    assert runtime_weights["green1"] > 0
    assert runtime_weights["blue1"] == 0


def test_every_answer_is_from_v2(ask: Callable[[], Any]) -> None:
    assert {(answer.status, answer.version) for answer in (ask() for _ in range(20))} == {(200, "v2")}


def test_the_color_that_failed_is_up_again_with_what_it_ran_before(
    servers: dict[str, dict[str, str]], journal: Any, rolled_back: dict[str, Any]
) -> None:
    assert servers["blue1"]["status"].startswith("UP")
    restored = [event for event in journal.of("restored") if event["release_id"] == rolled_back["release_id"]]
    assert [event["data"] for event in restored] == [{"color": "blue", "version": "v1"}]


def test_the_journal_has_the_cause_and_the_evidence(rolled_back: dict[str, Any]) -> None:
    assert rolled_back["data"]["cause"] == "errors"
    evidence = rolled_back["data"]["evidence"]
    assert evidence["candidate"]["errors"] >= 5, evidence
    assert evidence["stable"]["errors"] == 0, evidence
    assert evidence["candidate"]["requests"] < evidence["stable"]["requests"], evidence


def test_the_release_said_so_and_why(rolled_back: dict[str, Any], output: Path) -> None:
    said = (output / "release.log").read_text(encoding="utf-8")
    assert f"shop: rolled_back: {rolled_back['data']['message']}" in " ".join(said.split())


def test_no_line_of_the_journal_was_lost_or_changed(journal: Any) -> None:
    assert journal.broken_links == []


def test_neither_lock_nor_lease_is_left(left_behind: list[str]) -> None:
    assert left_behind == []
