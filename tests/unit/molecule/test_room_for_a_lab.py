# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that this machine has no room for is refused before its first host is made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("allowed", "enough"), [(159, False), (160, True)])
def test_a_lab_of_32_hosts(tmp_path: Path, allowed: int, enough: bool) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"lab": {"hosts": {f"vm{number}": {} for number in range(32)}}}))
    tasks = {
        "ansible.builtin.include_tasks": f"{ROOT}/molecule/shared/tasks/room.yml",
        "vars": {"lab_inotify_instances": f"{allowed}"},
    }
    playbook = tmp_path / "room.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [tasks]}]))
    program = Path(sys.executable).parent / "ansible-playbook"
    ran = subprocess.run(
        [program, "-i", inventory, playbook], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert (ran.returncode == 0) is enough, ran.stdout + ran.stderr
    told = " ".join(ran.stdout.split())
    assert ("32 hosts with systemd need up to 160" in told) is not enough
    assert ("sysctl -w fs.inotify.max_user_instances=1024" in told) is not enough
