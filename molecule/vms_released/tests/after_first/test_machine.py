# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that share nothing with the one that carries them."""

from __future__ import annotations

import os
from pathlib import Path

from testinfra.host import Host

testinfra_hosts = ["ansible://lab"]


def test_it_runs_a_kernel_of_its_own(host: Host) -> None:
    assert host.check_output("uname --kernel-release") != os.uname().release
    assert host.check_output("systemd-detect-virt") in ("qemu", "kvm")
    assert host.run("systemd-detect-virt --container").rc != 0


def test_systemd_is_its_first_process(host: Host) -> None:
    assert host.file("/proc/1/comm").content_string.strip() == "systemd"


def test_the_login_is_not_root(host: Host) -> None:
    assert host.user("ansible").uid >= 1000


def test_each_has_a_key_of_its_own() -> None:
    file = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "build", "lab", "vms", "known_hosts")
    keys = [line.split()[1:] for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(keys) == 4
    assert len({key for kind, key in keys if kind == "ssh-ed25519"}) == 4
