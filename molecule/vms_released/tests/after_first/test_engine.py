# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs of both colors after the first release: an engine on each, a container on those of blue."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://vms"]


def test_the_engine_runs_under_systemd_now_and_after_a_boot(host: Host) -> None:
    service = host.service("docker")
    assert service.is_running
    assert service.is_enabled


def test_v1_runs_on_blue_only(host: Host, name: str) -> None:
    running = host.check_output("docker ps --filter label=sluice.bluegreen.service=shop --format '{{.Image}}'")
    assert running == ("shop:v1" if name == "blue1" else "")


def test_only_what_the_vm_lacked_was_sent_to_it(host: Host, name: str) -> None:
    layers = "docker image inspect --format '{{json .RootFS.Layers}}' "
    if name == "blue1":
        assert host.check_output(f"{layers} shop:v1") == host.check_output(f"{layers} sample-base:1")
    else:
        assert host.run(f"{layers} shop:v1").rc != 0
