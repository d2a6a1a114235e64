# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM whose firewall was switched off again."""

from __future__ import annotations

import json

from testinfra.host import Host

testinfra_hosts = ["ansible://green1"]


def test_the_rules_are_gone_and_stay_away(host: Host) -> None:
    assert host.run("nft list table inet sluice_docker").rc != 0
    assert not host.file("/etc/systemd/system/sluice-docker-firewall.service").exists
    assert not host.file("/etc/sluice/docker-firewall.nft").exists


def test_somebody_who_is_not_root_changed_the_settings_and_restarted_the_engine(host: Host) -> None:
    assert "registry-mirrors" not in json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert json.loads(host.check_output("docker info --format '{{json .RegistryConfig.Mirrors}}'")) in (None, [])
