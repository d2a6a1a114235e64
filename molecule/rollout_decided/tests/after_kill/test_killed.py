# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After ansible-playbook was killed in the middle of a stage: the balancers helped themselves, and a person went on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

testinfra_hosts = ["ansible://loadbalancers"]


@pytest.fixture
def expired(journal: Any) -> dict[str, Any]:
    events: list[dict[str, Any]] = journal.of("lease_expired")
    assert len(events) == 1
    return events[0]


def test_the_journal_says_that_the_lease_ran_out_and_where_traffic_went(expired: dict[str, Any]) -> None:
    assert "-v3-" in expired["release_id"]
    assert expired["data"]["shares"] == {"blue": 0.0, "green": 100.0}


def test_the_rollback_gave_up_the_release_that_was_killed(journal: Any, expired: dict[str, Any]) -> None:
    given_up = [event["data"].get("gives_up") for event in journal.of("rolled_back")]
    assert given_up[-1] == expired["release_id"]


def test_the_version_before_serves_alone(
    ask: Callable[[], Any], runtime_weights: dict[str, int], disk_weights: dict[str, int]
) -> None:
    assert ask().version == "v2"
    assert runtime_weights == disk_weights
    assert runtime_weights["blue1"] == 0


def test_no_line_of_the_journal_was_lost_or_changed(journal: Any) -> None:
    assert journal.broken_links == []


def test_neither_lock_nor_lease_is_left(left_behind: list[str]) -> None:
    assert left_behind == []
