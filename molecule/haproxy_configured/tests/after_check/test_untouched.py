# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on a host that has nothing yet."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://loadbalancers"]


def test_check_mode_installed_nothing(host: Host) -> None:
    assert not host.package("haproxy").is_installed


@pytest.mark.parametrize("path", ["/etc/haproxy", "/etc/default/haproxy", "/usr/local/lib/sluice", "/var/lib/sluice"])
def test_check_mode_wrote_nothing(host: Host, path: str) -> None:
    assert not host.file(path).exists
