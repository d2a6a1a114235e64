# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM that had v3."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://blue1"]


def test_it_runs_what_it_ran_before_and_nothing_else(host: Host) -> None:
    running = host.check_output("docker ps --filter label=sluice.bluegreen.service=shop --format '{{.Names}}'")
    assert running == "shop-blue-v1"
