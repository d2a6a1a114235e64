# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of simulated VMs behind two balancers, each a HAProxy process with the modules that a release runs there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

from ..traffic.fleet import ROOT, answering, program

# isort: split
sys.path.insert(0, str(ROOT / "tests" / "integration" / "playbooks"))

from balancer_machine import Balancer, can_mount

from ..traffic.fleet import ROUNDROBIN_MOST

BIN = Path(sys.executable).parent
HERE = Path(__file__).parent
COLORS = ("blue", "green")
BALANCERS = ("lb1", "lb2")
SAMPLED_EVERY = 0.5


@dataclass(frozen=True)
class Cost:
    """What one ``ansible-playbook`` cost: seconds in all, each task's seconds and results, MB at most, module runs.

    ``main_mb`` is the resident memory of the process itself, ``all_mb`` that of it and all its children, where what
    they share counts once.
    """

    status: int
    output: str
    seconds: float
    main_mb: float
    all_mb: float
    tasks: list[dict[str, Any]]
    runs: Mapping[str, int]

    @property
    def vms(self) -> list[str]:
        """Those on which a module ran."""
        return [host for host in self.runs if host.startswith(COLORS)]

    @property
    def most_runs(self) -> int:
        """Of the VM that had most."""
        return max((self.runs[vm] for vm in self.vms), default=0)

    @property
    def seconds_on_vms(self) -> float:
        return float(sum(task["seconds"] for task in self.tasks if task["on_vms"]))

    @property
    def results_on_vms(self) -> int:
        return int(sum(task["results"] for task in self.tasks if task["on_vms"]))


class Fleet:
    """So many VMs, half of them of each color, and the ways to run a playbook on them."""

    def __init__(self, folder: Path, vms: int, port: int, balancers: Mapping[str, Any], processes: bool) -> None:
        self.folder = folder
        self.vms = vms
        self.processes = processes
        (folder / "vms").mkdir()
        for name, entries in {
            "site": {name: {"ansible_connection": "simulated"} for name in balancers},
            "release": balancers,
        }.items():
            (folder / f"{name}.json").write_text(json.dumps(inventory(vms, port, entries)), encoding="utf-8")

    def change(self, vm: str, **variables: Any) -> None:
        """Give a VM variables of its own."""
        path = self.folder / "release.json"
        found = json.loads(path.read_text())
        for group in found["all"]["children"].values():
            if vm in group["hosts"]:
                group["hosts"][vm].update(variables)
        path.write_text(json.dumps(found))

    def play(self, playbook: str, hosts: str = "release", forks: int = 20, **extra: Any) -> Cost:
        runs, costs, log = (self.folder / name for name in ("runs", "costs", "log"))
        for path in (runs, costs):
            path.write_text("")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
            "ANSIBLE_CALLBACK_PLUGINS": f"{HERE / 'callbacks'}:{HERE.parent / 'deploy' / 'callbacks'}",
            "ANSIBLE_CALLBACKS_ENABLED": "module_runs,play_costs",
            "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connections"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
            "ANSIBLE_REMOTE_TMP": str(self.folder / "remote"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_FORKS": str(forks),
            "SIMULATED_FOLDER": str(self.folder / "vms"),
            "SIMULATED_PROCESSES": str(self.processes),
            "MODULE_RUNS": str(runs),
            "PLAY_COSTS": str(costs),
        }
        (self.folder / "ansible.cfg").touch()
        inventories = ["-i", str(self.folder / f"{hosts}.json")]
        command = [str(BIN / "ansible-playbook"), *inventories, playbook, "-e", json.dumps(extra)]
        began = time.monotonic()
        with log.open("w") as said:
            process = Popen(command, stdin=DEVNULL, stdout=said, stderr=said, env=environment, cwd=self.folder)
            memory = Memory(process.pid)
            _pid, status = os.waitpid(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        return Cost(
            process.returncode,
            log.read_text(),
            seconds,
            memory.main / 1e6,
            memory.stop() / 1e6,
            [json.loads(line) for line in costs.read_text().splitlines()],
            Counter(json.loads(line)["host"] for line in runs.read_text().splitlines()),
        )


class Memory(threading.Thread):
    """Looks at a process and its children as long as it is there; the most that was seen."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.main = self.all = 0
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.wait(SAMPLED_EVERY):
            with contextlib.suppress(OSError):
                self.main = max(self.main, _kept(self.pid, "Rss:"))
            found = 0
            for pid in _family(self.pid):
                with contextlib.suppress(OSError):
                    found += _kept(pid, "Pss:")
            self.all = max(self.all, found)

    def stop(self) -> int:
        self.over.set()
        self.join()
        return self.all


def _kept(pid: int, what: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += _family(int(child))
    return found


def names(vms: int) -> dict[str, list[str]]:
    return {color: [f"{color}{number}" for number in range(1, vms // 2 + 1)] for color in COLORS}


def inventory(vms: int, port: int, balancers: Mapping[str, Any]) -> dict[str, Any]:
    stage = {"dwell": "0s", "timeout": "1s", "on_timeout": "promote"}
    page = {
        "image": "registry.example.com/shop",
        "hosts": {"blue": "shop_blue", "green": "shop_green"},
        "container": {"port": 8080, "publish": port},
        "health": {"path": "/", "interval": "1s", "consecutive": 1, "timeout": "10m"},
        "listen": {"bind": "*:80"},
        "tick": "1s",
        "lease": "2m",
        "gates": {"errors": {"warmup": "0s"}},
        "drain": {"timeout": "1s"},
        "strategy": [{"split": 100, **stage}],
    }
    # Each has an address of this machine's own network.
    addresses = {
        name: f"127.{10 + index}.{number // 250}.{number % 250 + 1}"
        for index, of_color in enumerate(names(vms).values())
        for number, name in enumerate(of_color)
    }
    simulated = {"ansible_connection": "simulated", "docker_host_firewall": True}
    groups = {
        f"shop_{color}": {
            "hosts": {name: {"bluegreen_address": addresses[name]} for name in of_color},
            "vars": simulated,
        }
        for color, of_color in names(vms).items()
    }
    reached = {name: {**entry, "bluegreen_address": "127.0.0.1"} for name, entry in balancers.items()}
    local = {"ansible_connection": "local"}
    return {
        "all": {
            "hosts": {"localhost": local},
            "vars": {"bluegreen_services": {"shop": page}, "ansible_python_interpreter": sys.executable},
            "children": {**groups, "loadbalancers": {"hosts": reached}},
        }
    }


@contextmanager
def fleet(vms: int, processes: bool = False) -> Iterator[Fleet]:
    """The VMs, and two balancers on which blue has all traffic with v1; gone with the block."""
    if not can_mount():
        sys.exit("bench: needs root and the right to mount, for a balancer's own /etc, /run and /var/lib")
    haproxy = program("HAPROXY", "/usr/sbin/haproxy", "haproxy")
    # Sockets have short paths.
    with tempfile.TemporaryDirectory(prefix="sluice-") as short, contextlib.ExitStack() as left:
        folder = Path(short)
        port = left.enter_context(answering(folder / "answers", address="0.0.0.0"))
        ports = {color: dict.fromkeys(of_color, port) for color, of_color in names(vms).items()}
        balance = "roundrobin" if vms <= ROUNDROBIN_MOST else "random(1)"
        entries = {}
        for name in BALANCERS:
            layout = {"extra": f"    balance {balance}\n", "check": "check inter 1h"}
            balancer = Balancer(folder / name, haproxy, ports, **layout)
            left.callback(balancer.stop)
            balancer.promoted("r1", "v1", "blue")
            entries[name] = balancer.entry
        found = Fleet(folder, vms, port, entries, processes)
        for name in names(vms)["blue"]:
            running = {"color": "blue", "version": "v1", "release_id": "r1", "running": True}
            images = {"image": "", "image_id": "sha256:v1"}
            (folder / "vms" / name).write_text(json.dumps([{"name": "shop-blue-v1", **running, **images}]))
        yield found
