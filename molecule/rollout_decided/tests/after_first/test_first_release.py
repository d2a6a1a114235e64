# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first release of a service: it has nobody to take traffic from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

testinfra_hosts = ["ansible://loadbalancers"]


def test_every_balancer_sends_everything_to_blue(runtime_weights: dict[str, int], disk_weights: dict[str, int]) -> None:
    assert runtime_weights == disk_weights
    assert runtime_weights["blue1"] > 0
    assert runtime_weights["green1"] == 0


def test_v1_answers(ask: Callable[[], Any]) -> None:
    answer = ask()
    assert (answer.status, answer.version) == (200, "v1")
