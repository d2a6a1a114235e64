# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients saw of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_no_request_was_lost(load: list[Any]) -> None:
    assert len(load) > 1000, "too few requests to tell"
    assert [request for request in load if request.status != 200] == []


def test_both_versions_had_their_share_through_both_balancers(load: list[Any]) -> None:
    assert len({(request.balancer, request.version) for request in load}) == 4


def test_after_the_release_every_answer_was_from_v2(load: list[Any], output: Path) -> None:
    released = float((output / "released").read_text(encoding="utf-8"))
    after = [request.version for request in load if request.at > released]
    assert len(after) > 100
    assert set(after) == {"v2"}
