# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM that has just started again and publishes two ports, of which the firewall knows 8080."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://green1"]

ASK = "timeout {seconds} bash -c 'exec 3<>/dev/tcp/{address}/{port} && head -c 8 <&3'"


def asked(host: Host, other: str, port: int, seconds: int = 3) -> str:
    """What ``other`` gets from the VM at ``port`` within ``seconds``; nothing where it gets no answer."""
    address = host.interface("eth0").addresses[0]
    client = Host.get_host(f"ansible://{other}", ansible_inventory=host.backend.ansible_runner.inventory_file)
    return str(client.run(ASK.format(seconds=seconds, address=address, port=port)).stdout)


def test_a_balancer_reaches_the_port_of_the_service(host: Host) -> None:
    assert asked(host, "lb1", 8080, seconds=20) == "answered"


def test_another_vm_does_not(host: Host) -> None:
    assert asked(host, "blue1", 8080) == ""


@pytest.mark.parametrize("other", ["lb1", "blue1"])
def test_nobody_reaches_a_port_that_no_service_has(host: Host, other: str) -> None:
    assert asked(host, other, 8081) == ""


def test_the_vm_itself_reaches_both(host: Host) -> None:
    for port in (8080, 8081):
        assert host.run(ASK.format(seconds=20, address="127.0.0.1", port=port)).stdout == "answered"


def test_the_rules_were_loaded_before_the_engine(host: Host) -> None:
    order = host.check_output("systemctl show --property=Before sluice-docker-firewall")
    assert "docker.service" in order.split("=", 1)[1].split()
    assert "ct status dnat jump allowed" in host.check_output("nft list table inet sluice_docker")
