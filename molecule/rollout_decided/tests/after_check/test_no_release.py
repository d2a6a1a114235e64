# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in check mode on a fleet that never had one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://loadbalancers"]


def test_check_mode_took_neither_lock_nor_journal(host: Host) -> None:
    assert not host.file("/var/lib/sluice/shop").exists
    left = [name for name in ("lock.json", "lease.json") if host.file(f"/run/sluice/shop/{name}").exists]
    assert left == []


def test_check_mode_moved_no_traffic(ask: Callable[[], Any], runtime_weights: dict[str, int]) -> None:
    assert ask().status == 503
    assert runtime_weights == {"blue1": 0, "green1": 0}
