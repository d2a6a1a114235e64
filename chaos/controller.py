# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ``ansible-playbook`` that says which task it is at, can be held before one, and can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from chaos.points import Moment, Task, read_tasks

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
BIN = Path(sys.executable).parent
# Ansible's own words for what a task, a play or the command line failed with.
MESSAGE = re.compile(r"^(?:\[ERROR\]|fatal|ERROR!?)[^\n]*|^\s+msg: .*$", re.MULTILINE)


class Playbook:
    """One run, from its making on; everything about it lies in ``folder``. It is the head of its own process group."""

    def __init__(
        self, folder: Path, name: str, extra: Mapping[str, Any], inventory: Path, hold: Optional[Moment] = None
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.name = name
        environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
            "ANSIBLE_CALLBACK_PLUGINS": str(FOLDER / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_point",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
            # Of its own for each service: sshd takes ten sessions over one connection, and a slow machine fills them.
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(Path(tempfile.gettempdir(), f"sluice-chaos-{folder.parent.name}")),
            "SLUICE_CHAOS_FOLDER": str(folder),
            "SLUICE_CHAOS_HOLD": str(hold.number if hold and hold.seconds is None else 0),
        }
        command = [str(BIN / "ansible-playbook"), "-i", str(inventory), name, "-e", json.dumps(dict(extra))]
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    @property
    def message(self) -> str:
        """The last thing that it failed with, in a line."""
        found = MESSAGE.findall(self.output)
        return " ".join(found[-1].split())[:300] if found else " ".join(self.output.split())[-300:]

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def tasks(self) -> list[Task]:
        path = self.folder / "tasks.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        return read_tasks([line for line in lines if line.endswith("\n")])

    def wait_for(self, moment: Moment, limit: float) -> bool:
        """Wait until it is there; False where it ended, or did not get there in ``limit`` seconds."""
        deadline = time.monotonic() + limit
        while not self._is_at(moment):
            if self.ended or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        time.sleep(moment.seconds or 0.0)
        return not self.ended

    def wait_past(self, title: str, limit: float) -> bool:
        """Wait until one of that title is over; False where the playbook ended before, or ``limit`` seconds did."""
        deadline = time.monotonic() + limit
        while not any(task.title == title for task in self.tasks()[:-1]):
            if self.ended or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _is_at(self, moment: Moment) -> bool:
        if moment.seconds is None:
            return (self.folder / "held").exists()
        path = self.folder / "tasks.jsonl"
        # A line for each task that has begun.
        return path.exists() and path.read_bytes().count(b"\n") >= moment.number

    def go(self) -> None:
        (self.folder / "go").touch()

    def wait(self, limit: float) -> Optional[int]:
        """Its exit status; None, and it is killed, where it takes longer than ``limit`` seconds."""
        try:
            return self.process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            self.kill_all()
            return None

    def kill_group(self) -> None:
        """What a cancelled job gets. The workers of ansible-core 2.19 are heads of their own groups, and live on."""
        if not self.ended:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def term_playbook(self) -> None:
        """SIGTERM to the one process. It is sent once; what that process does with it is its own affair."""
        self.process.terminate()
        # A held playbook sleeps in the callback.
        self.go()
        self.wait(60)

    def kill_all(self) -> None:
        """What a lost machine is: this process and every other that came from it, ssh's connections included."""
        mark = f"SLUICE_CHAOS_FOLDER={self.folder}".encode()
        # Twice, for what was being forked meanwhile.
        for _ in range(2):
            for process in Path("/proc").iterdir():
                if not process.name.isdigit() or int(process.name) == os.getpid():
                    continue
                with contextlib.suppress(OSError):
                    if mark in (process / "environ").read_bytes().split(b"\0"):
                        os.kill(int(process.name), signal.SIGKILL)
        self.process.wait()
