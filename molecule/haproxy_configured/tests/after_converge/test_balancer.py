# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer that is ready for its services, and serves none of them yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://loadbalancers"]


def test_haproxy_is_installed_and_runs_now_and_after_a_boot(host: Host) -> None:
    assert host.package("haproxy").is_installed
    service = host.service("haproxy")
    assert service.is_running
    assert service.is_enabled


def test_the_whole_configuration_is_valid(host: Host) -> None:
    result = host.run("haproxy -c -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/conf.d")
    assert result.rc == 0, result.stderr


def test_the_running_process_was_started_with_the_folder_of_the_services(host: Host) -> None:
    main = host.check_output("systemctl show --property=MainPID --value haproxy")
    words = host.file(f"/proc/{main}/cmdline").content_string.split("\0")
    assert ("-f", "/etc/haproxy/conf.d") in list(zip(words, words[1:])), words


def test_only_root_and_the_group_of_haproxy_may_use_the_runtime_api(host: Host) -> None:
    socket = host.file("/run/haproxy/admin.sock")
    assert socket.is_socket
    assert (socket.user, socket.group, oct(socket.mode)) == ("root", "haproxy", "0o660")


def test_only_root_may_use_the_socket_of_the_master_process(host: Host) -> None:
    socket = host.file("/run/haproxy-master.sock")
    assert socket.user == "root"
    assert socket.mode & 0o022 == 0, f"others may write to it: {oct(socket.mode)}"


def test_the_services_file_begins_with_the_committed_split(host: Host) -> None:
    lines = host.file("/etc/haproxy/conf.d/shop.cfg").content_string.splitlines()
    assert lines[0] == '# sluice.bluegreen service=shop shares={"blue": 0.0, "green": 0.0}'


def test_nobody_but_root_and_haproxy_can_read_the_services_file_or_change_it(host: Host) -> None:
    file = host.file("/etc/haproxy/conf.d/shop.cfg")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o640")


def test_before_a_first_release_every_request_is_told_that_nobody_serves(ask: Callable[[], Any]) -> None:
    assert ask().status == 503


def test_the_statistics_page_answers(statistics: Any) -> None:
    assert statistics.status == 200
    assert "shop_blue" in statistics.text


def test_haproxy_has_every_server_with_no_weight(runtime_weights: dict[str, int], disk_weights: dict[str, int]) -> None:
    assert runtime_weights == disk_weights == {"blue1": 0, "green1": 0}


@pytest.mark.parametrize("tool", ["_lease_expired", "_haproxy.check"])
def test_what_the_balancer_runs_by_itself_is_there_and_can_be_started(host: Host, tool: str) -> None:
    result = host.run(f"cd / && PYTHONPATH=/usr/local/lib/sluice /usr/bin/python3 -m sluice_bluegreen.{tool} --help")
    assert result.rc == 0, result.stderr
