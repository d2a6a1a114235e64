# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs: v2 runs, v1 is stopped, and no hook left a container or its secrets."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://blue1", "ansible://green1"]


def test_only_the_version_that_serves_runs(host: Host, name: str) -> None:
    listed = host.check_output(
        "docker ps --all --format '{{.Names}} {{.State}}' --filter label=sluice.bluegreen.service=shop"
    )
    wanted = {"blue1": "shop-blue-v1 exited", "green1": "shop-green-v2 running"}
    assert listed == wanted[name]


def test_only_the_containers_of_versions_have_secrets_there(host: Host, name: str) -> None:
    wanted = {"blue1": ["shop-blue-v1"], "green1": ["shop-green-v2"]}
    assert host.check_output("ls /var/lib/sluice/secrets").split() == wanted[name]
