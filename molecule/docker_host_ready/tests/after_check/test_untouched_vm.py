# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on a VM that has nothing yet."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://green1"]


def test_check_mode_installed_no_engine(host: Host) -> None:
    assert not host.package("docker.io").is_installed


def test_check_mode_wrote_no_settings(host: Host) -> None:
    assert not host.file("/etc/docker").exists


def test_check_mode_closed_no_port(host: Host) -> None:
    assert not host.file("/etc/sluice/docker-firewall.nft").exists
    assert not host.package("nftables").is_installed
