# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer at the other end of SSH: an sshd of its own on a loopback port, and Ansible's tasks timed through it."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .fleet import ROOT, free_port, program, until


@contextmanager
def host(folder: Path) -> Iterator[dict[str, Any]]:
    """The variables of an inventory host that is this machine, over SSH."""
    folder.mkdir(mode=0o700)
    sshd = program("SSHD", "/usr/sbin/sshd", "openssh-server")
    port = free_port()
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    config = folder / "sshd_config"
    config.write_text(
        f"""Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = (folder / "log").open("wb")
    process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=log)
    options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o IdentitiesOnly=yes -o LogLevel=ERROR"
    try:
        until("sshd runs", lambda: process.poll() is not None or b"listening" in (folder / "log").read_bytes())
        if process.poll() is not None:
            sys.exit(f"bench: {sshd} does not run: {(folder / 'log').read_text().strip()}")
        yield {
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(folder / "user_key"),
            "ansible_ssh_common_args": options,
            "ansible_python_interpreter": sys.executable,
        }
    finally:
        process.kill()
        process.wait()
        log.close()


def seconds(folder: Path, variables: Mapping[str, Any], tasks: list[dict[str, Any]]) -> dict[str, list[float]]:
    """How long each task took, by its name, as ``ansible-playbook`` sees it."""
    folder.mkdir()
    play = {"hosts": "balancer", "gather_facts": False, "tasks": tasks}
    (folder / "play.yml").write_text(json.dumps([play]))
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"balancer": dict(variables)}}}))
    times = folder / "times"
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "task_times",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "TASK_TIMES": str(times),
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(folder / "hosts.yml")]
    done = subprocess.run(
        [*command, str(folder / "play.yml")], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"bench: a task failed: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    found: dict[str, list[float]] = {}
    for line in map(json.loads, times.read_text().splitlines()):
        found.setdefault(line["task"], []).append(line["seconds"])
    return found
