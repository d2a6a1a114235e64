"""Runs ``ansible-playbook`` and tells what happened; ``SLUICE_ANSIBLE_BIN`` is the folder of another ansible-core's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("SLUICE_ANSIBLE_BIN") or Path(sys.executable).parent)
LIMIT = 300


@dataclass(frozen=True)
class Told:
    """One task on one host; ``status`` is ok, failed, ignored, unreachable or skipped."""

    play: str
    task: str
    action: str
    host: str
    status: str
    result: Mapping[str, Any]

    @property
    def msg(self) -> str:
        return str(self.result.get("msg", ""))


@dataclass(frozen=True)
class Run:
    """A finished ``ansible-playbook``."""

    status: int
    told: list[Told]
    stats: Mapping[str, Any]
    output: str

    @property
    def done(self) -> list[Told]:
        """The tasks that ran, whatever came of them."""
        return [one for one in self.told if one.status != "skipped"]

    @property
    def problems(self) -> list[Told]:
        return [one for one in self.told if one.status in ("failed", "unreachable")]

    @property
    def changed(self) -> list[Told]:
        return [one for one in self.told if one.result.get("changed")]

    def of(self, task: str) -> list[Told]:
        """What a task did, on every host."""
        return [one for one in self.done if one.task == task or one.task.endswith(f" : {task}")]


def run(
    folder: Path, playbook: str | list[Any], inventory: Mapping[str, Any], extra: Mapping[str, Any], *options: str
) -> Run:
    """Run a playbook by its name (``sluice.bluegreen.release``), or a list of plays, in ``folder``."""
    with started(folder, playbook, inventory, extra, *options) as process:
        return finished(process)


def started(
    folder: Path, playbook: str | list[Any], inventory: Mapping[str, Any], extra: Mapping[str, Any], *options: str
) -> subprocess.Popen[str]:
    """The same while it runs, in a session of its own; :func:`finished` reads what it said."""
    (folder / "hosts.yml").write_text(yaml.safe_dump(dict(inventory), sort_keys=False), encoding="utf-8")
    (folder / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n", encoding="utf-8")
    if not isinstance(playbook, str):
        (folder / "play.yml").write_text(yaml.safe_dump(playbook, sort_keys=False), encoding="utf-8")
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        # The second has what comes with the ansible package of this environment, for a core of another.
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'build' / 'collections'}:{sysconfig.get_path('purelib')}",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).parent / "connections"),
        "ANSIBLE_STDOUT_CALLBACK": "task_told",
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_HOST_KEY_CHECKING": "false",
        "ANSIBLE_TIMEOUT": "2",
        "ANSIBLE_PIPELINING": "true",
    }
    name = playbook if isinstance(playbook, str) else "play.yml"
    command = [str(BIN / "ansible-playbook"), "-i", "hosts.yml", name, "-e", json.dumps(dict(extra)), *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str]) -> Run:
    """Wait for its end, with a limit."""
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    lines = [json.loads(line[5:]) for line in output.splitlines() if line.startswith("TOLD ")]
    told = [Told(**line) for line in lines if "task" in line]
    stats = next((line["stats"] for line in lines if "stats" in line), {})
    return Run(process.returncode, told, stats, output)
