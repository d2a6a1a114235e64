# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's templates, rendered by Ansible and read by HAProxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config, _report
from haproxy_process import free_port

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "haproxy"
SERVERS = [
    {"name": "blue1", "color": "blue", "address": "127.0.0.1", "port": 8081},
    {"name": "blue2.example.com", "color": "blue", "address": "127.0.0.1", "port": 8082},
    {"name": "green1", "color": "green", "address": "::1", "port": 8083},
]
HEALTH = {
    "tcp": False,
    "path": "/healthz?a=1,2&b=%20",
    "status": [200],
    "host_header": None,
    "port": None,
}
SERVICES: dict[str, dict[str, Any]] = {
    "plain": {"health": HEALTH, "balance": "roundrobin"},
    "bare": {},
    "tcp": {"health": {"tcp": True, "path": "/", "status": [200]}, "balance": "random(1)"},
    "several": {"health": {**HEALTH, "status": [200, 204], "port": 9000, "host_header": "shop.example.com"}},
    "hashed-one_2": {"balance": "hdr(x-user)", "hash_type": "consistent"},
    "one": {"servers": SERVERS[:1]},
    "unequal": {"servers": [{**server, "capacity": number} for number, server in enumerate(SERVERS, start=1)]},
}
SHARES = {
    "unequal": {"blue": 75.0, "green": 25.0},
    "plain": {"blue": 66.7, "green": 33.3},
    "one": {"blue": 100.0, "green": 0.0},
}
MAINS: dict[str, dict[str, Any]] = {
    "default": {},
    "without_stats": {"haproxy_stats": False},
    "everything": {
        "haproxy_maxconn": 100,
        "haproxy_stats_networks": ["127.0.0.0/8", "2001:db8::/32"],
        "haproxy_stats_users": {"alice": "$6$salt$abcdefghij./"},
        "haproxy_log": [],
        "haproxy_log_requests": False,
        "haproxy_global_extra": ["tune.bufsize 16384"],
        "haproxy_defaults_extra": ["option http-server-close"],
    },
}
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [{role}/defaults/main.yml, {role}/vars/main.yml]
  tasks:
    - ansible.builtin.template: {{src: "{role}/templates/haproxy.cfg.j2", dest: "{folder}/{{{{ item.key }}}}.cfg"}}
      loop: "{{{{ mains | dict2items }}}}"
      vars:
        haproxy_maxconn: "{{{{ item.value.haproxy_maxconn | default(0) }}}}"
        haproxy_stats: "{{{{ item.value.haproxy_stats | default(true) }}}}"
        haproxy_stats_networks: "{{{{ item.value.haproxy_stats_networks | default([]) }}}}"
        haproxy_stats_users: "{{{{ item.value.haproxy_stats_users | default({{}}) }}}}"
        haproxy_log: "{{{{ item.value.haproxy_log | default(['/dev/log local0']) }}}}"
        haproxy_log_requests: "{{{{ item.value.haproxy_log_requests | default(true) }}}}"
        haproxy_global_extra: "{{{{ item.value.haproxy_global_extra | default([]) }}}}"
        haproxy_defaults_extra: "{{{{ item.value.haproxy_defaults_extra | default([]) }}}}"
    - ansible.builtin.template:
        src: "{role}/templates/service.cfg.j2"
        dest: "{folder}/conf.d/{{{{ item.name }}}}.cfg"
      loop: "{{{{ services }}}}"
      vars:
        __haproxy_service: "{{{{ item }}}}"
        __haproxy_shares: "{{{{ shares[item.name] | default({{'blue': 0, 'green': 0}}) }}}}"
        __haproxy_weights: "{{{{ item.servers | sluice.bluegreen.split_weights(__haproxy_shares) }}}}"
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, program: str) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "conf.d").mkdir()
    services = [
        {"name": name, "servers": SERVERS, "listen": {"bind": f"127.0.0.1:{free_port()}"}, **service}
        for name, service in SERVICES.items()
    ]
    version = subprocess.run([program, "-vv"], capture_output=True, text=True, check=True).stdout
    variables = {"services": services, "shares": SHARES, "mains": MAINS, "haproxy_socket": str(folder / "admin.sock")}
    maps = shutil.copytree(ROLE / "files", folder / "maps")
    for service in services:
        for kind in ("users", "roles"):
            (maps / f"{service['name']}.{kind}.map").touch()
    variables |= {"haproxy_maps_dir": str(maps)}
    variables |= {"__haproxy_build": {"rc": 0, "stdout": version}, "haproxy_stats_bind": f"127.0.0.1:{free_port()}"}
    (folder / "variables.json").write_text(json.dumps(variables))
    (folder / "play.yml").write_text(PLAY.format(role=ROLE, folder=folder))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-e", f"@{folder}/variables.json", folder / "play.yml"],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_LOCALHOST_WARNING": "false",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("main", sorted(MAINS))
def test_haproxy_accepts_the_main_file_alone_and_with_every_service(rendered: Path, program: str, main: str) -> None:
    path = str(rendered / f"{main}.cfg")
    _config.check_config(program, path, str(rendered / "nothing"))
    _config.check_config(program, path, str(rendered / "conf.d"))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_file_says_what_is_committed_and_a_commit_of_the_same_changes_no_byte(
    rendered: Path, name: str
) -> None:
    text = _config.read_service_file(str(rendered / "conf.d" / f"{name}.cfg"))
    assert text is not None
    assert _config.is_service_file(text)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    shares, weights = _config.committed_shares(text), _config.committed_weights(text, name)
    assert shares == SHARES.get(name, {"blue": 0.0, "green": 0.0})
    assert _config.with_weights(text, name, weights, shares) == text
    colors = _config.committed_colors(text, name)
    assert [*colors["blue"], *colors["green"]] == list(weights)


def test_the_revision_covers_everything_but_the_committed_split(rendered: Path) -> None:
    revisions = {}
    for name in SERVICES:
        text = (rendered / "conf.d" / f"{name}.cfg").read_text()
        revisions[name] = _config.revision(text, name)
    assert all(revisions.values())
    assert len(set(revisions.values())) == len(SERVICES)
    mains = {_config.revision((rendered / f"{name}.cfg").read_text(), _config.MAIN) for name in MAINS}
    assert len(mains - {None}) == len(MAINS)


def test_weights_follow_capacities_and_the_file_tells_them_again(rendered: Path) -> None:
    path = str(rendered / "conf.d" / "unequal.cfg")
    disk = _report.read_disk(path, "unequal")
    assert disk.capacities == {"blue1": 128, "blue2.example.com": 256, "green1": 1}, "1 of 3 is alone in its color"
    assert disk.weights["blue2.example.com"] == 2 * disk.weights["blue1"]
    capacities = {server["name"]: number for number, server in enumerate(SERVERS, start=1)}
    assert _report.report(disk, None, dict(disk.colors), capacities)["differences"] == []
    found = _report.report(disk, None, dict(disk.colors), {**capacities, "blue1": 2})["differences"]
    assert found == ["The inventory gives servers other capacities than the disk: blue1."]
