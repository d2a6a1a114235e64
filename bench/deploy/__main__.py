# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench-deploy``: a change of one layer, deployed to lab hosts by this collection and by a playbook by hand.

Prints a table, and puts its numbers into build/bench.json beside those that are there. Makes and removes the hosts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import docker

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench-deploy"
BIN = Path(sys.executable).parent
CHANGE = 1_000_000
NAME = "bench"
MEANING = {
    "s": "this collection's deploy, from start to end (s)",
    "mb_per_vm": "what each VM received meanwhile (MB)",
    "by_hand_s": "copy, docker_image_load, docker_container (s)",
    "by_hand_mb_per_vm": "what each VM received then (MB)",
    "module_runs": "runs of modules on a VM, in all of deploy",
}


def inventory(vms: int) -> dict[str, Any]:
    """One balancer, ``vms`` of the candidate's color, and one of the other that is never reached."""
    key = ROOT / "build" / "lab" / NAME
    ssh = f"-o UserKnownHostsFile={key}/known_hosts.{{{{ inventory_hostname }}}} -o IdentitiesOnly=yes"
    lab = {
        "lab_name": NAME,
        "lab_subnet": "198.18.40.0/24",
        "lab_release": "bookworm",
        "ansible_host": "127.0.0.1",
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": f"{key}/id_ed25519",
        "ansible_ssh_common_args": f"{ssh} -o StrictHostKeyChecking=yes",
    }
    blue = {
        f"blue{n}": {"ansible_port": 24100 + n, "bluegreen_address": f"198.18.40.{100 + n}"} for n in range(1, vms + 1)
    }
    page = {
        "image": "shop",
        "hosts": {"blue": "shop_blue", "green": "shop_green"},
        "container": {"port": 8080},
        "health": {"path": "/healthz", "timeout": "5m", "interval": "500ms", "consecutive": 2},
        "listen": {"bind": "*:80"},
        "deploy": {"archive": f"{BUILD}/{{service}}-{{version}}.tar"},
    }
    return {
        "all": {
            "vars": {"bluegreen_services": {"shop": page}},
            "children": {
                "lab": {
                    "vars": lab,
                    "children": {
                        "loadbalancers": {
                            "hosts": {"lb1": {"ansible_port": 24099, "bluegreen_address": "198.18.40.11"}}
                        },
                        "shop_blue": {"hosts": blue},
                    },
                },
                "shop_green": {"hosts": {"green1": {"bluegreen_address": "198.18.40.250"}}},
            },
        }
    }


def playbook(*arguments: str, runs: Path | None = None) -> float:
    """How long it took; ends the benchmark where it fails."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORKS": "20"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / "build" / "collections")
    if runs:
        runs.unlink(missing_ok=True)
        environment.update(
            ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).parent / "callbacks"),
            ANSIBLE_CALLBACKS_ENABLED="module_runs",
            MODULE_RUNS=str(runs),
        )
    command = [str(BIN / "ansible-playbook"), "-i", str(BUILD / "hosts.yml"), *arguments]
    began = time.monotonic()
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    if done.returncode:
        sys.exit(f"bench: {' '.join(arguments)} failed: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    return took


def received(engine: Any, vms: int) -> float:
    """Bytes that a VM has received so far, on the average, by its own interface."""
    counter = ["cat", "/sys/class/net/eth0/statistics/rx_bytes"]
    hosts = [engine.containers.get(f"sluice-{NAME}-blue{number}") for number in range(1, vms + 1)]
    return sum(int(host.exec_run(counter).output) for host in hosts) / vms


def write_images(engine: Any) -> None:
    """``shop:v1`` of the lab, and a ``v2`` with one more layer of a megabyte that does not compress."""
    (BUILD / "change").mkdir(parents=True, exist_ok=True)
    (BUILD / "change" / "blob").write_bytes(os.urandom(CHANGE))
    recipe = "FROM shop:v1\nCOPY blob /srv/blob\nENV VERSION=v2\n"
    (BUILD / "change" / "Dockerfile").write_text(recipe)
    engine.images.build(path=str(BUILD / "change"), tag="shop:bench", rm=True)
    engine.images.get("shop:bench").tag("shop", "v2bench")
    for version, image in {"v1": "shop:v1", "v2bench": "shop:v2bench"}.items():
        with (BUILD / f"shop-{version}.tar").open("wb") as archive:
            for chunk in engine.images.get(image).save(named=image):
                archive.write(chunk)
    for image in ("shop:bench", "shop:v2bench"):
        engine.images.remove(image)


BY_HAND = [
    {
        "hosts": "shop_blue",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.copy": {"src": f"{BUILD}/shop-v2bench.tar", "dest": "/root/image.tar", "mode": "0600"}},
            {"community.docker.docker_image_load": {"path": "/root/image.tar"}},
            {
                "community.docker.docker_container": {
                    "name": "shop",
                    "image": "shop:v2bench",
                    "published_ports": ["8080:8080"],
                }
            },
            {
                "ansible.builtin.uri": {"url": "http://127.0.0.1:8080/healthz"},
                "register": "health",
                "until": "health.status == 200",
                "retries": 600,
                "delay": 0.5,
            },
        ],
    }
]
# As if the change had never been here.
FORGET = [
    {
        "hosts": "shop_blue",
        "gather_facts": False,
        "tasks": [
            {"community.docker.docker_container": {"name": name, "state": "absent", "force_kill": True}}
            for name in ("shop", "shop-blue-v2bench")
        ]
        + [{"community.docker.docker_image_remove": {"name": "shop:v2bench", "force": True}}],
    }
]


def measure(vms: int) -> dict[str, float]:
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "hosts.yml").write_text(json.dumps(inventory(vms)))
    (BUILD / "by_hand.yml").write_text(json.dumps(BY_HAND))
    (BUILD / "forget.yml").write_text(json.dumps(FORGET))
    engine = docker.from_env()
    playbook("molecule/shared/create.yml", "molecule/shared/images.yml")
    write_images(engine)
    playbook("playbooks/site.yml", "--limit", "all:localhost:!green1")
    playbook("playbooks/deploy.yml", "-e", "service=shop", "-e", "version=v1")
    runs = BUILD / "runs"
    before = received(engine, vms)
    took = playbook("playbooks/deploy.yml", "-e", "service=shop", "-e", "version=v2bench", runs=runs)
    sent = received(engine, vms) - before
    counts = Counter(json.loads(line)["host"] for line in runs.read_text().splitlines())
    playbook(str(BUILD / "forget.yml"))
    before = received(engine, vms)
    by_hand = playbook(str(BUILD / "by_hand.yml"))
    sent_by_hand = received(engine, vms) - before
    values = {
        "s": took,
        "mb_per_vm": sent / 1e6,
        "by_hand_s": by_hand,
        "by_hand_mb_per_vm": sent_by_hand / 1e6,
        "module_runs": float(max(counts[f"blue{n}"] for n in range(1, vms + 1))),
    }
    return {f"deploy_{vms}_{name}": round(value, 2) for name, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.deploy", description=(__doc__ or "").strip())
    parser.add_argument("vms", nargs="*", type=int, default=[2, 8], help="how many VMs of the candidate, one run each")
    path = ROOT / "build" / "bench.json"
    for vms in parser.parse_args().vms:
        try:
            found = measure(vms)
        finally:
            playbook("molecule/shared/destroy.yml")
        for name, value in found.items():
            print(f"  {name:34}{value:12.4g}  {MEANING[name.split('_', 2)[2]]}", flush=True)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, **found}, indent=1, sort_keys=True) + "\n")
    print(f"All numbers are in {path.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
