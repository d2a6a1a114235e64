# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every write that was promised is there in both forms, after a release and the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

testinfra_hosts = ["ansible://lb1"]


@pytest.fixture
def promised(output: Path) -> dict[int, int]:
    """The last cents that were promised for each entry."""
    lines = (output / "writes-1000000").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("!")] == [], "writes that were not answered"
    return {int(number): int(cents) for number, cents in (line.split() for line in lines)}


def test_no_write_is_lost_and_both_columns_say_the_same(ledger: Callable[[str], str], promised: dict[int, int]) -> None:
    assert len(promised) > 100
    rows = ledger("SELECT id, cents, round(amount * 100)::bigint FROM entries").splitlines()
    found = {int(number): (int(cents), int(amount)) for number, cents, amount in (row.split() for row in rows)}
    assert found == {number: (cents, cents) for number, cents in promised.items()}


def test_v1_serves_again(ledger: Callable[[str], str], ask: Callable[[], Any]) -> None:
    assert ledger("SELECT count(*) FROM entries WHERE cents IS NULL") == "0"
    assert ask().version == "v1"


def test_the_hook_ran_once_for_each_deployment_and_left_no_container(journal: Any, output: Path) -> None:
    hooks = [event["data"] for event in journal.of("hook")]
    assert [(hook["hook"], hook["outcome"]) for hook in hooks] == [("before_deploy/0/expand", "done")] * 2
    assert "keeps v1 warm until " in (output / "warm.log").read_text(encoding="utf-8")
