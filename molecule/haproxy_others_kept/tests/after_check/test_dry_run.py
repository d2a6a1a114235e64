# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A HAProxy that others manage, after a dry run of adding a service to it."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://lb2"]

LOOK = 'find /etc/haproxy /etc/default /etc/systemd/system /usr/local/lib -xdev -printf "%p %m %U %s %T@ %C@\\n" | sort'


def test_nothing_was_added_changed_or_restarted(host: Host) -> None:
    shown = host.check_output("systemctl show --property=MainPID,NRestarts,ExecMainStartTimestamp haproxy")
    assert f"{shown}\n{host.check_output(LOOK)}\n" == host.file("/run/scenario-before").content_string
