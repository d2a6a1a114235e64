# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients saw of it, and what the person who released was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_only_requests_that_v3_answered_failed(load: list[Any]) -> None:
    assert len(load) > 1000, "too few requests to tell"
    assert {request.version for request in load if request.status != 200} == {"v3"}


def test_the_release_ended_with_the_reason(output: Path) -> None:
    said = (output / "release.log").read_text(encoding="utf-8")
    assert "shop: rolled_back: " in said
