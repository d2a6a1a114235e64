# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM that runs both colors, after the second was promoted."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://shop_blue"]


def test_both_versions_run_side_by_side(host: Host) -> None:
    running = host.check_output("docker ps --format '{{.Names}} {{.Ports}}'").splitlines()
    assert sorted(line.split()[0] for line in running) == ["shop-blue-v1", "shop-green-v2"], running
    ports = {line.split()[0]: line for line in running}
    assert ":8080->8080" in ports["shop-blue-v1"]
    assert ":8081->8080" in ports["shop-green-v2"]
