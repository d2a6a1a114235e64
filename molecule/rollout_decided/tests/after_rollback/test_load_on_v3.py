# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients saw of it."""

from __future__ import annotations

from typing import Any


def test_only_requests_that_v3_answered_failed(load: list[Any]) -> None:
    assert len(load) > 1000, "too few requests to tell"
    assert {request.version for request in load if request.status != 200} == {"v3"}
