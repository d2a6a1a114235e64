# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM that can run containers."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://green1"]


@pytest.mark.parametrize("package", ["docker.io", "iptables", "python3-requests"])
def test_what_containers_need_is_installed(host: Host, package: str) -> None:
    assert host.package(package).is_installed


def test_the_engine_runs_now_and_after_a_boot(host: Host) -> None:
    service = host.service("docker")
    assert service.is_running
    assert service.is_enabled


def test_the_engine_answers_and_runs_with_what_is_in_its_settings(host: Host) -> None:
    settings = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert settings["live-restore"] is True
    assert settings["log-opts"] == {"max-file": "3", "max-size": "10m"}
    told = host.check_output("docker info --format '{{.LoggingDriver}} {{.LiveRestoreEnabled}}'")
    assert told == f"{settings['log-driver']} true"


def test_the_mirror_and_the_authority_of_a_registry_are_known(host: Host) -> None:
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["registry-mirrors"] == [
        "https://mirror.example.com"
    ]
    authority = host.file("/etc/docker/certs.d/registry.example.com:5000/ca.crt")
    assert authority.content_string.startswith("-----BEGIN CERTIFICATE-----")


def test_the_firewall_is_loaded_now_and_after_a_boot(host: Host) -> None:
    service = host.service("sluice-docker-firewall")
    assert service.is_running
    assert service.is_enabled
