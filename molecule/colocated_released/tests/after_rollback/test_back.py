# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the way back to the other color of the same VM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

testinfra_hosts = ["ansible://loadbalancers"]


def test_every_answer_is_from_v1_again(ask: Callable[[], Any], disk_weights: dict[str, int]) -> None:
    assert {(answer.status, answer.version) for answer in (ask() for _ in range(20))} == {(200, "v1")}
    assert disk_weights["blue1-green"] == 0


def test_no_request_was_lost_on_the_way_there_and_back(load: list[Any]) -> None:
    assert len(load) > 1000, "too few requests to tell"
    assert [request for request in load if request.status != 200] == []
    assert {request.version for request in load} == {"v1", "v2"}
