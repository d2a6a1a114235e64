# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancers, after the second color was promoted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

testinfra_hosts = ["ansible://loadbalancers"]


def test_the_vm_is_two_servers_and_the_new_one_has_the_traffic(
    runtime_weights: dict[str, int], disk_weights: dict[str, int]
) -> None:
    assert set(runtime_weights) == {"blue1-blue", "blue1-green"}
    assert runtime_weights == disk_weights
    assert runtime_weights["blue1-blue"] == 0
    assert runtime_weights["blue1-green"] > 0


def test_every_answer_is_from_v2(ask: Callable[[], Any]) -> None:
    assert {(answer.status, answer.version) for answer in (ask() for _ in range(20))} == {(200, "v2")}


def test_the_old_color_is_kept_warm(servers: dict[str, dict[str, str]]) -> None:
    assert servers["blue1-blue"]["status"].startswith("UP")
