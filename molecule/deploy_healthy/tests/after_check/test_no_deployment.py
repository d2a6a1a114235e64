# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on a VM that has neither image nor container."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://blue1"]


def test_check_mode_started_no_container(host: Host) -> None:
    assert host.check_output("docker ps --all --quiet --filter label=sluice.bluegreen.service=shop") == ""


def test_check_mode_loaded_no_image_and_left_no_archive(host: Host) -> None:
    assert host.check_output("docker images --quiet shop") == ""
    assert host.check_output("find /var/lib/sluice/images -type f 2> /dev/null || true") == ""
