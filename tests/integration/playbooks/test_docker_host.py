# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``site`` tells the role of the VMs, and what that role refuses before it has changed anything."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from balancer_machine import can_mount
from real_ansible import ROOT, Run, run
from site_files import LOCAL, inventory, vm

DEBIAN = {
    "distribution": "Debian",
    "distribution_major_version": "12",
    "distribution_release": "bookworm",
    "os_family": "Debian",
    "service_mgr": "systemd",
}
# What it says of the containers of services, and of nothing else.
DOCKER = """[ "$*" = "ps --filter=label=sluice.bluegreen.service --format={{.Ports}}" ] || exit 1
echo "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
echo
echo "192.0.2.7:9000->9000/tcp"
"""


def prepare(folder: Path, **extra: Any) -> Run:
    """``site`` up to what the first VM says; balancers are out of reach and have no address but their names."""
    here = {"blue1": vm(21, **LOCAL)}
    away = {"lb1": {"ansible_host": "lb1.example.com", "ansible_port": 1}, "lb2": {"bluegreen_address": "192.0.2.2"}}
    spoilt = inventory(groups__loadbalancers=away, groups__shop_blue=here)
    return run(folder, "sluice.bluegreen.site", spoilt, extra, "--limit", "localhost,blue1")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (
            {"docker_host_firewall": True},
            "blue1: docker_host_firewall_from and docker_host_firewall_also take addresses and networks, not "
            "lb1.example.com; give a balancer that has only a name its bluegreen_address",
        ),
        ({"docker_host_registry_ca": {"r:5000": "/etc/ca.pem"}}, "in PEM form, which that of r:5000 is not"),
        ({"docker_host_source": "snap"}, "must be one of: distribution, docker"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_changed(
    tmp_path: Path, extra: dict[str, Any], words: str
) -> None:
    told = prepare(tmp_path, **extra)
    assert told.status != 0
    assert any(words in one.msg for one in told.problems), told.problems
    assert told.changed == []


class Adopted:
    """A machine of Debian that has an engine with settings of its own; needs root and the right to mount."""

    def __init__(self, folder: Path, settings: str | None) -> None:
        if not can_mount():
            pytest.fail("needs root and the right to mount")
        self.folder = folder
        self.etc = folder / "etc-docker"
        for name in ("etc-docker", "bin", "places/docker"):
            (folder / name).mkdir(parents=True)
        if settings is not None:
            (self.etc / "daemon.json").write_text(settings)
        self.engine = "docker.io installed"
        self.program(
            "python",
            f"""unshare --mount --propagation private -- /bin/sh -ec '
                mount -t overlay overlay -o lowerdir={folder}/places:/etc /etc
                mount --bind {self.etc} /etc/docker
                PATH={folder}/bin:$PATH exec {sys.executable} "$@"' sh "$@\"""",
        )

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def play(self, tasks_from: str, *more: dict[str, Any], **variables: Any) -> Run:
        self.program("dpkg-query", f"echo {self.engine}")
        tasks = [
            {"ansible.builtin.set_fact": {**DEBIAN, "cacheable": True}},
            {"ansible.builtin.include_role": {"name": "sluice.bluegreen.docker_host", "tasks_from": tasks_from}},
            *more,
        ]
        entry = {**LOCAL, "ansible_python_interpreter": str(self.folder / "bin/python"), "ansible_become": False}
        # As if the engine was installed by this very run, so that nothing is restarted.
        entry |= {"__docker_host_installed": {"changed": True}, **variables}
        plays = [{"hosts": "vm1", "gather_facts": False, "tasks": tasks}]
        return run(self.folder, plays, {"all": {"hosts": {"vm1": entry}}}, {})


class TestAnEngineThatIsThere:
    REFUSED = (
        "Nothing was changed on vm1: its /etc/docker/daemon.json has {has}, and without it the engine would no longer "
        "find the images and containers that it has. Set {variable} to the same to keep them, or change that file "
        "yourself first."
    )

    @pytest.mark.parametrize(
        ("has", "variable", "given"),
        [
            ({"data-root": "/srv/docker"}, "docker_host_data_root", {"docker_host_data_root": "/srv/docker"}),
            ({"storage-driver": "zfs"}, "docker_host_storage_driver", {"docker_host_storage_driver": "zfs"}),
            (
                {"userns-remap": "deploy"},
                "docker_host_settings['userns-remap']",
                {"docker_host_settings": {"userns-remap": "deploy"}},
            ),
        ],
    )
    def test_it_is_not_made_to_look_elsewhere(
        self, tmp_path: Path, has: dict[str, str], variable: str, given: dict[str, Any]
    ) -> None:
        vm1 = Adopted(tmp_path, json.dumps({"log-driver": "journald", **has}))
        refused = vm1.play("preflight")
        ((key, value),) = has.items()
        assert [one.msg for one in refused.problems] == [self.REFUSED.format(has=f"{key} {value}", variable=variable)]
        other = vm1.play("preflight", docker_host_data_root="/other", docker_host_user_namespaces=True)
        assert f"{key} {value}" in other.problems[0].msg
        assert vm1.play("preflight", **given).problems == []

    @pytest.mark.parametrize("settings", [None, "", '{"log-driver": "journald"}'])
    def test_what_keeps_its_place_is_adopted(self, tmp_path: Path, settings: str | None) -> None:
        assert Adopted(tmp_path, settings).play("preflight").problems == []

    def test_settings_without_an_engine_have_nothing_to_lose(self, tmp_path: Path) -> None:
        vm1 = Adopted(tmp_path, '{"data-root": "/srv/docker"}')
        vm1.engine = "docker.io not-installed"
        assert vm1.play("preflight").problems == []

    def test_what_it_had_is_kept_beside_what_it_gets(self, tmp_path: Path) -> None:
        vm1 = Adopted(tmp_path, '{"log-driver": "journald"}')
        for times in (1, 2):
            assert vm1.play("configure").problems == []
            assert json.loads((vm1.etc / "daemon.json").read_text())["log-driver"] == "json-file"
            kept = [path.read_text() for path in vm1.etc.glob("daemon.json.*~")]
            assert kept == ['{"log-driver": "journald"}'], f"after run {times}"

    def test_a_version_that_serves_keeps_its_port_open_when_its_page_names_another(self, tmp_path: Path) -> None:
        vm1 = Adopted(tmp_path, None)
        vm1.program("docker", DOCKER)
        rules = {"src": str(ROOT / "roles/docker_host/templates/firewall.nft.j2"), "dest": str(tmp_path / "rules")}
        told = vm1.play(
            "preflight",
            {"ansible.builtin.template": rules},
            docker_host_firewall=True,
            docker_host_firewall_ports=[8090],
            docker_host_firewall_from=["192.0.2.1"],
            docker_host_firewall_also=[],
        )
        assert told.problems == []
        written = (tmp_path / "rules").read_text()
        assert re.findall(r"saddr { 192.0.2.1 } .* proto-dst (\d+) accept", written) == ["8080", "8090", "9000"]
        assert "tcp dport { 8080, 8090, 9000 } jump allowed" in written
