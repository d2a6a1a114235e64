# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a VM that there is not: a module that arrives whole, as over SSH, is answered without a process.

So what a playbook costs is what it costs the controller, and the VM is known by what was done to it. Whatever is no
module (a folder for a file, say) is done here, in a folder that is removed afterwards.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: simulated
short_description: A VM that answers modules as one with a Docker Engine would
description: For the benchmark of large fleets, and for the test that counts.
options:
  folder:
    description: Where what each VM runs is kept, a file for each.
    type: path
    env: [{name: SIMULATED_FOLDER}]
    required: true
  unhealthy:
    description: Versions that do not become healthy.
    type: list
    elements: str
    default: []
    vars: [{name: simulated_unhealthy}]
  lost_with:
    description: Module with which the VM cannot be reached.
    type: str
    default: ""
    vars: [{name: simulated_lost_with}]
  overtaken_by:
    description: Operation that comes to the VM whenever another one has looked.
    type: str
    default: ""
    vars: [{name: simulated_overtaken_by}]
  processes:
    description: Whether each module starts a Python all the same, as it does on a real VM.
    type: bool
    default: false
    env: [{name: SIMULATED_PROCESSES}]
extends_documentation_fragment: [connection_pipelining]
"""

# What ansible-core 2.19 puts at the end of the module that it sends.
_SENT = re.compile(rb"^ *_ansiballz_main\(\n(.*)^\)$", re.MULTILINE | re.DOTALL)
_GIVEN = re.compile(rb"^(module_fqn|params)=(.*),$", re.MULTILINE)

Arguments = Mapping[str, Any]
Containers = list[dict[str, Any]]


def image_id(image: str) -> str:
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def engine_info(asked: Arguments, containers: Containers) -> dict[str, Any]:
    known = ("name", "color", "version", "release_id", "running", "image", "image_id")
    found = [{key: one[key] for key in known} for one in containers if asked.get("color") in (None, one["color"])]
    digest = image_id(asked["resolve"]) if asked.get("resolve") else ""
    return {"containers": found, "images": [], "digest": digest}


def docker_container(asked: Arguments, containers: Containers) -> dict[str, Any]:
    labels = {name.rpartition(".")[2]: value for name, value in asked["labels"].items()}
    made = {key: labels[key] for key in ("color", "version", "release_id")}
    found = image_id(asked["image"])
    containers[:] = [one for one in containers if one["name"] != asked["name"]]
    containers.append(
        {**made, "name": asked["name"], "running": False, "image": labels.get("image", ""), "image_id": found}
    )
    return {"changed": True, "container": {"Image": found}}


def container_switch(asked: Arguments, containers: Containers) -> dict[str, Any]:
    stopped, started = [], []
    for one in containers:
        if one["color"] == asked["color"]:
            wanted = one["name"] == asked["container"]
            if one["running"] != wanted:
                (started if wanted else stopped).append(one["name"])
            one["running"] = wanted
    runs = any(one["name"] == asked["container"] for one in containers)
    return {
        "changed": bool(stopped or started),
        "stopped": stopped,
        "started": started,
        "runs": runs,
        "removed": [],
        "images_removed": [],
    }


FACTS = {
    "distribution": "Debian",
    "distribution_major_version": "12",
    "distribution_release": "bookworm",
    "os_family": "Debian",
    "service_mgr": "systemd",
}
HAPROXY = {
    "services": {},
    "committed": {},
    "foreign": [],
    "running": True,
    "up": {},
    "problem": "",
    "outdated": [],
    "level": "admin",
    "haproxy": {"version": "2.6.12", "pid": 1, "uptime": 60},
}
COMMANDS = {"dpkg-query": "docker.io installed\n", "/usr/sbin/haproxy": "HAProxy version 2.6.12 prometheus-exporter\n"}


def command(asked: Arguments, _containers: Containers) -> dict[str, Any]:
    said = COMMANDS[asked["argv"][0]]
    return {"changed": True, "rc": 0, "stdout": said, "stdout_lines": said.splitlines(), "stderr": ""}


ANSWERS: dict[str, Callable[[Arguments, Containers], Mapping[str, Any]]] = {
    "ping": lambda _asked, _containers: {"ping": "pong"},
    "engine_info": engine_info,
    "docker_image_pull": lambda asked, _containers: {"changed": True, "image": {"Id": image_id(asked["name"])}},
    "docker_container": docker_container,
    "container_claim": lambda asked, _containers: {"operation": asked["release_id"]},
    "container_switch": container_switch,
    # What `site` does, whose answers are those of a host on which nothing is left to do.
    "setup": lambda _asked, _containers: {"ansible_facts": FACTS},
    "command": command,
    "stat": lambda _asked, _containers: {"stat": {"exists": False}},
    "slurp": lambda _asked, _containers: {"content": base64.b64encode(b"haproxy\0/etc/haproxy/conf.d\0").decode()},
    "haproxy_config_info": lambda _asked, _containers: HAPROXY,
    **dict.fromkeys(
        ("apt", "balancer_tools", "copy", "file", "lineinfile", "systemd", "systemd_service"),
        lambda _asked, _containers: {},
    ),
}

# What another operation that came to the VM meanwhile keeps from doing anything.
FENCED = ("container_claim", "container_switch")


def sent(payload: bytes) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the module in what was sent."""
    end = _SENT.search(payload)
    if not end:
        raise AnsibleConnectionFailure("a module came in a form that the simulation does not know")
    given = {key: ast.literal_eval(value.decode()) for key, value in _GIVEN.findall(end[1])}
    return given[b"module_fqn"].rpartition(".")[2], json.loads(given[b"params"])["ANSIBLE_MODULE_ARGS"]


class Connection(LocalConnection):
    transport = "simulated"
    has_pipelining = True

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        if not in_data:
            ran: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
            return ran
        if self.get_option("processes"):
            subprocess.run(
                [sys.executable, "-c", "import json, sys; sys.stdin.buffer.read()"], input=in_data, check=True
            )
        module, asked = sent(in_data)
        if module == self.get_option("lost_with"):
            raise AnsibleConnectionFailure("nobody is there")
        if module not in ANSWERS:
            raise AnsibleConnectionFailure(f"the simulation has no answer for the module {module}")
        path = Path(self.get_option("folder"), self._play_context.remote_addr)
        last = path.with_suffix(".operation")
        seen = last.read_text(encoding="utf-8") if last.exists() else ""
        if module in FENCED:
            if asked.get("expects") not in (None, seen) and seen != asked["release_id"]:
                return 0, json.dumps({"failed": True, "msg": f"release {seen} has worked on it since"}).encode(), b""
            last.write_text(asked["release_id"], encoding="utf-8")
        before = path.read_text(encoding="utf-8") if path.exists() else "[]"
        containers: Containers = json.loads(before)
        answer = {"changed": False, **ANSWERS[module](asked, containers)}
        if module == "engine_info":
            answer["operation"] = seen
            if self.get_option("overtaken_by"):
                last.write_text(self.get_option("overtaken_by"), encoding="utf-8")
        if module == "container_switch" and asked.get("version") in self.get_option("unhealthy"):
            answer.update(failed=True, msg=f"{asked['version']} is not healthy here")
        after = json.dumps(containers)
        if after != before:
            path.write_text(after, encoding="utf-8")
        return 0, json.dumps(answer).encode(), b""
