# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of a page's traffic, as the role's template writes it, is one that HAProxy takes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config
from ansible_collections.sluice.bluegreen.plugins.module_utils._schema import Reader
from ansible_collections.sluice.bluegreen.plugins.module_utils._traffic import read_traffic
from haproxy_process import HAProxy, free_port, self_signed
from role_template import servers, write

SHARES = {"blue": 75.0, "green": 25.0}
TCP = {"tcp": True, "status": []}
OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "user_cookie": {"split": {"by": "user", "cookie": "uid"}},
    "user-header": {"split": {"by": "user", "header": "X-User"}},
    "user_address": {"split": {"by": "user"}},
    "user_tcp": {"split": {"by": "user"}, "mode": "tcp"},
    "vm": {"split": {"by": "vm"}},
    "pins": {
        "pins": [
            {"to": "candidate", "header": "X-Beta", "value": "yes"},
            {"to": "stable", "cookie": "beta", "value": "-no"},
            {"to": "candidate", "path": "/canary"},
            {"to": "stable", "from": ["198.51.100.0/24", "2001:db8::/32"]},
        ]
    },
    "pins_tcp": {"mode": "tcp", "pins": [{"to": "candidate", "from": "192.0.2.0/24"}]},
    "preview": {"preview": {"from": ["192.0.2.0/24", "2001:db8::/32"]}},
    "preview_all": {"preview": {"header": "X-See"}, "split": {"by": "user"}, "pins": [{"to": "stable", "path": "/"}]},
    "affinity": {"affinity": {}},
    "affinity_user": {"affinity": {"cookie": "NODE"}, "split": {"by": "user", "cookie": "uid"}},
    "limits": {"limits": {"connections": 100, "address": {"connections": 10, "requests": 50, "period": "2500ms"}}},
    "limits_tcp": {"mode": "tcp", "limits": {"connections": 5, "address": {"connections": 2}}},
}


def normalised(name: str, given: dict[str, Any]) -> dict[str, Any]:
    problems: list[Any] = []
    top = Reader(given, "", problems)
    traffic = read_traffic(top)
    top.done()
    assert not problems
    return {"name": name, "servers": servers(blue=[9001, 9002], green=[9003]), "health": TCP, **traffic}


@pytest.mark.parametrize("managed", [True, False], ids=["managed", "beside_others"])
def test_haproxy_takes_every_option_and_a_commit_changes_only_what_is_committed(
    haproxy: HAProxy, program: str, managed: bool
) -> None:
    revisions = set()
    for name, given in OPTIONS.items():
        service = {
            **normalised(name, given),
            "listen": {"bind": f"127.0.0.1:{free_port()}", "tls": None, "http2": False},
        }
        path = write(haproxy, service, SHARES, haproxy_managed=managed)
        text = path.read_text()
        weights = _config.committed_weights(text, name)
        assert _config.with_weights(text, name, weights, SHARES) == text, name
        revisions.add(_config.revision(text, name))
        other = write(haproxy, service, {"blue": 0.0, "green": 100.0}, haproxy_managed=managed).read_text()
        after = _config.with_weights(text, name, _config.committed_weights(other, name), {"blue": 0.0, "green": 100.0})
        assert after == other, f"{name}: a commit gives what the role would write"
        assert _config.revision(other, name) == _config.revision(text, name), f"{name}: and needs no reload"
    assert len(revisions) == len(OPTIONS)
    main = str(haproxy.main)
    if not managed:
        haproxy.main.write_text("global\n    log 127.0.0.1:9 local0\n")
    done = subprocess.run(
        [program, "-c", "-f", main, "-f", str(haproxy.conf_dir)], capture_output=True, text=True, check=False
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "[WARNING]" not in told, told


def test_tls_and_http2_and_a_port_for_previews_are_taken(haproxy: HAProxy, program: str, tmp_path: Path) -> None:
    tls = {"certificates": [str(self_signed(tmp_path))]}
    listen = {"bind": f"127.0.0.1:{haproxy.listen}", "tls": tls, "http2": True}
    preview = normalised("shop", {"preview": {"bind": f"127.0.0.1:{free_port()}", "from": "192.0.2.0/24"}})
    write(haproxy, {**preview, "listen": listen}, SHARES)
    _config.check_config(program, str(haproxy.main), str(haproxy.conf_dir))
