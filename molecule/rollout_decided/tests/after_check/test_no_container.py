# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in check mode on VMs that never had one."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://vms"]


def test_check_mode_started_no_container(host: Host) -> None:
    assert host.check_output("docker ps --all --quiet --filter label=sluice.bluegreen.service=shop") == ""
