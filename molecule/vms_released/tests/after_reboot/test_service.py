# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients get after that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

testinfra_hosts = ["ansible://loadbalancers"]


def test_v1_answers_through_every_balancer(ask: Callable[[], Any]) -> None:
    assert {(answer.status, answer.version) for answer in (ask() for _ in range(5))} == {(200, "v1")}


def test_the_release_that_was_lost_is_given_up(journal: Any) -> None:
    assert journal.of("rolled_back")[-1]["data"]["gives_up"]
    assert journal.broken_links == []
