# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both colors on the same VMs, whose servers are not called as the VMs are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from balancer_machine import Balancer, can_mount
from haproxy_process import WebServer, short_folder
from real_ansible import run
from site_files import inventory
from vm_engine import Engine

COLORS = ("blue", "green")


def test_those_that_go_on_running_when_the_color_is_retired_are_not_stopped(
    engines: dict[str, Engine], web: WebServer, program: str, listening: int, tmp_path: Path
) -> None:
    if not can_mount():
        pytest.fail("needs root and the right to mount")
    vms = dict(zip(("vm1", "vm2"), engines.values()))
    ports = {color: {f"{name}-{color}": web.port for name in vms} for color in COLORS}
    with short_folder() as folder:
        balancer = Balancer(Path(folder, "lb1"), program, ports)
        try:
            balancer.promoted("r1", "v2", "green")
            balancer.promoted("r2", "v1", "blue")
            entries: dict[str, Any] = {
                name: {**engine.entry, "bluegreen_address": f"127.0.0.{n}"}
                for n, (name, engine) in enumerate(vms.items(), 31)
            }
            site = inventory(
                groups__loadbalancers={"lb1": balancer.entry},
                groups__shop_blue=entries,
                groups__shop_green=...,
                page__topology="colocated",
                page__hosts={"blue": "shop_blue", "green": "shop_blue"},
                page__container={"port": 8080, "publish": {"blue": listening, "green": 1}},
                page__retire={"keep": 1},
            )
            done = run(tmp_path, "sluice.bluegreen.retire", site, {"service": "shop", "at_once": True})
        finally:
            balancer.stop()
    assert done.status == 0, done.output
    assert "v2 on green is stopped, and goes on on vm1-green" in done.stats["bluegreen_result"]["message"]
    assert [engine.running for engine in vms.values()] == [["shop-green-v2"], []]
