# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old form is gone, no write is, and nobody goes back to the version that needs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

testinfra_hosts = ["ansible://lb1"]


def test_no_write_of_either_time_is_lost(ledger: Callable[[str], str], output: Path) -> None:
    promised: dict[int, int] = {}
    for name in ("writes-1000000", "writes-2000000"):
        lines = (output / name).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line.startswith("!")] == [], "writes that were not answered"
        promised.update((int(number), int(cents)) for number, cents in (line.split() for line in lines))
    assert len(promised) > 200
    rows = ledger("SELECT id, cents FROM entries").splitlines()
    assert {int(number): int(cents) for number, cents in (row.split() for row in rows)} == promised


def test_the_old_column_is_gone(ledger: Callable[[str], str]) -> None:
    asked = "SELECT column_name FROM information_schema.columns WHERE table_name = 'entries' ORDER BY 1"
    assert ledger(asked).split() == ["cents", "id"]


def test_a_way_back_to_what_needs_it_is_refused(output: Path) -> None:
    refused = (output / "refused.log").read_text(encoding="utf-8")
    assert "so v1 may not be able to serve after it" in refused
