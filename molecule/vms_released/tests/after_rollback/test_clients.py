# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients saw of a release and of the way back."""

from __future__ import annotations

from typing import Any


def test_no_request_was_lost(load: list[Any]) -> None:
    assert len(load) > 500, "too few requests to tell"
    assert [request for request in load if request.status != 200] == []


def test_both_versions_had_their_share_through_both_balancers(load: list[Any]) -> None:
    assert len({(request.balancer, request.version) for request in load}) == 4


def test_the_last_answers_were_from_v1(load: list[Any]) -> None:
    assert {request.version for request in load[-5:]} == {"v1"}
