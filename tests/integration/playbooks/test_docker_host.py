# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``site`` tells the role of the VMs, and what that role refuses before it has changed anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from real_ansible import Run, run
from site_files import LOCAL, inventory, vm


def prepare(folder: Path, **extra: Any) -> Run:
    """``site`` up to what the first VM says; balancers are out of reach and have no address but their names."""
    here = {"blue1": vm(21, **LOCAL)}
    away = {"lb1": {"ansible_host": "lb1.example.com", "ansible_port": 1}, "lb2": {"bluegreen_address": "192.0.2.2"}}
    spoilt = inventory(groups__loadbalancers=away, groups__shop_blue=here)
    return run(folder, "sluice.bluegreen.site", spoilt, extra, "--limit", "localhost,blue1")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (
            {"docker_host_firewall": True},
            "blue1: docker_host_firewall_from and docker_host_firewall_also take addresses and networks, not "
            "lb1.example.com; give a balancer that has only a name its bluegreen_address",
        ),
        ({"docker_host_registry_ca": {"r:5000": "/etc/ca.pem"}}, "in PEM form, which that of r:5000 is not"),
        ({"docker_host_source": "snap"}, "must be one of: distribution, docker"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_changed(
    tmp_path: Path, extra: dict[str, Any], words: str
) -> None:
    told = prepare(tmp_path, **extra)
    assert told.status != 0
    assert any(words in one.msg for one in told.problems), told.problems
    assert told.changed == []
