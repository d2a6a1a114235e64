# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A HAProxy that others manage, with a service added to it."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://lb2"]

LOOK = 'find /etc/haproxy /etc/default /etc/systemd/system /usr/local/lib -xdev -printf "%p %m %U %s %T@ %C@\\n" | sort'
# A folder's own time changes with what is added to it.
GROWN = {"/etc/haproxy", "/etc/haproxy/conf.d", "/usr/local/lib"}
OURS = {
    "/etc/haproxy/conf.d/shop.cfg",
    "/etc/haproxy/sluice",
    "/etc/haproxy/sluice/latency-v1.map",
    "/etc/haproxy/sluice/shop.roles.map",
    "/etc/haproxy/sluice/shop.users.map",
}


def files(look: str) -> dict[str, str]:
    """By path what was said of it."""
    return {line.split(" ")[0]: line for line in look.splitlines() if line.startswith("/")}


def test_nothing_of_others_was_changed_or_removed_and_only_own_files_were_added(host: Host) -> None:
    before = files(host.file("/run/scenario-before").content_string)
    after = files(host.check_output(LOOK))
    assert len(before) > len(OURS)
    assert {path for path in before if path not in GROWN and after.get(path) != before[path]} == set()
    added = {path for path in after if path not in before and not path.startswith("/usr/local/lib/sluice")}
    assert added == OURS


def test_haproxy_was_not_restarted(host: Host) -> None:
    shown = host.check_output("systemctl show --property=MainPID,NRestarts,ExecMainStartTimestamp haproxy")
    assert host.file("/run/scenario-before").content_string.startswith(shown)


def test_what_others_serve_is_still_served(host: Host) -> None:
    assert host.check_output("curl --silent http://127.0.0.1:8000/") == "theirs"
    assert host.check_output("curl --silent http://127.0.0.1:8001/") == "more"


def test_the_service_listens_with_its_certificate_and_http_2(host: Host) -> None:
    shown = host.check_output(
        "curl --silent --output /dev/null --cacert /etc/haproxy/certs/shop.pem --resolve shop:443:127.0.0.1"
        " --write-out '%{http_version} %{http_code}' https://shop/"
    )
    assert shown == "2 503", "nobody serves it yet"


def test_the_service_has_every_timeout_of_its_own(host: Host) -> None:
    result = host.run("haproxy -c -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/conf.d")
    assert result.rc == 0, result.stderr
    assert "timeout" not in result.stdout + result.stderr, "theirs has no section defaults"
