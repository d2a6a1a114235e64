# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the only VM that serves was rebooted."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://blue1"]


def test_the_container_came_back_with_it(host: Host) -> None:
    up = float(host.file("/proc/uptime").content_string.split()[0])
    began = host.check_output(
        "date +%s --date \"$(docker inspect --format '{{.State.StartedAt}}' "
        '"$(docker ps --quiet --filter label=sluice.bluegreen.service=shop)")"'
    )
    now = float(host.check_output("date +%s"))
    assert now - int(began) < up, "the container is older than the boot"


def test_it_runs_what_it_ran_before(host: Host) -> None:
    running = host.check_output("docker ps --filter label=sluice.bluegreen.service=shop --format '{{.Image}}'")
    assert running == "shop:v1"
