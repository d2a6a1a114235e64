# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After v2 had all the traffic and v1 got it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://loadbalancers"]


def test_v1_serves_again_now_and_after_a_restart(
    ask: Callable[[], Any], runtime_weights: dict[str, int], disk_weights: dict[str, int]
) -> None:
    assert {ask().version for _ in range(5)} == {"v1"}
    assert runtime_weights == disk_weights
    assert runtime_weights["green1"] == 0


def test_v2_is_kept_warm(servers: dict[str, dict[str, str]]) -> None:
    assert servers["green1"]["status"].startswith("UP")


def test_the_journal_tells_the_releases_and_the_way_back(journal: Any) -> None:
    assert [event["data"]["version"] for event in journal.of("promoted")][:2] == ["v1", "v2"]
    assert journal.broken_links == []


def test_neither_lock_nor_lease_is_left(host: Host) -> None:
    left = [name for name in ("lock.json", "lease.json") if host.file(f"/run/sluice/shop/{name}").exists]
    assert left == []
    assert "sluice-lease" not in host.check_output("systemctl list-timers --all --no-legend")
