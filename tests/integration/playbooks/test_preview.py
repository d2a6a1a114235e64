# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment looks at the candidate through the balancer's preview, before any traffic moves."""

from __future__ import annotations

from pathlib import Path

import pytest
from haproxy_process import HAProxy, WebServer, short_folder
from real_ansible import run
from role_template import servers, write
from test_health import HEALTH, LOCAL, play

STABLE = {"blue": 100.0, "green": 0.0}


def test_a_candidate_that_its_preview_does_not_show_is_not_healthy(
    tmp_path: Path, program: str, request: pytest.FixtureRequest
) -> None:
    web = WebServer("green1")
    request.addfinalizer(web.server_close)
    request.addfinalizer(web.shutdown)
    hosts, plays = {}, []
    for name, header, timeout in (("shown", "X-Sluice-Preview", "30s"), ("hidden", "X-Other", "1s")):
        folder = short_folder()
        request.addfinalizer(folder.cleanup)
        haproxy = HAProxy(Path(folder.name), program)
        request.addfinalizer(haproxy.stop)
        page = {"name": "shop", "servers": servers(blue=[9], green=[web.port])}
        # Blue answers nobody here, so whoever is not shown green sees no healthy answer.
        write(haproxy, {**page, "preview": {"header": header, "from": ["192.0.2.0/24"], "bind": None}}, STABLE)
        haproxy.start()
        service = {
            **page,
            "health": {**HEALTH, "timeout": timeout, "consecutive": 1},
            "listen": {"bind": f"*:{haproxy.listen}", "tls": None},
            "preview": {"header": "X-Sluice-Preview", "from": [], "bind": None},
        }
        hosts[name] = {**LOCAL, "haproxy_socket": haproxy.socket}
        verify = {"rollout_service": service, "rollout_candidate": "green", "rollout_version": "v2"}
        plays.append(play(name, "rollout", "verify", **verify))
    ran = run(tmp_path, plays, {"all": {"hosts": hosts}}, {})
    problems = {one.host: one.msg for one in ran.problems}
    assert set(problems) == {"hidden"}, ran.output
    assert "hidden (preview) http://127.0.0.1:" in problems["hidden"]
    assert "status 503, expected 200" in problems["hidden"]
