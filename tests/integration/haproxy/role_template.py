# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's template of a service, rendered as Ansible does it but without a play, for tests that need many."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible.plugins.filter.core import FilterModule
from ansible.plugins.test.core import TestModule
from ansible_collections.sluice.bluegreen.plugins.filter import split_weights, user_threshold
from haproxy_process import HAProxy

ROLE = Path(__file__).resolve().parents[3] / "roles" / "haproxy"


@functools.cache
def version_of(program: str) -> str:
    """Such as 2.6."""
    told = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"HA-?Proxy version ([0-9]+\.[0-9]+)", told)
    assert found, told
    return found[1]


def render(service: Mapping[str, Any], shares: Mapping[str, float], version: str, **variables: Any) -> str:
    """The file of ``service``; ``variables`` replace the role's defaults."""
    given = {
        **_defaults(),
        "inventory_hostname": "lb1",
        **variables,
        "__haproxy_service": service,
        "__haproxy_shares": shares,
        "__haproxy_version": version,
        "__haproxy_weights": split_weights.split_weights(
            service["servers"], shares, service.get("split", {}).get("by", "requests")
        ),
    }
    given["__haproxy_histogram"] = given["haproxy_histogram"]
    return str(_template().render(given))


@functools.cache
def _defaults() -> dict[str, Any]:
    files = [ROLE / folder / "main.yml" for folder in ("defaults", "vars")]
    return {name: value for file in files for name, value in yaml.safe_load(file.read_text()).items()}


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
    of_ansible = {name: known for name, known in FilterModule().filters().items() if name not in environment.filters}
    own = split_weights.FilterModule().filters() | user_threshold.FilterModule().filters()
    environment.filters.update(of_ansible | {f"sluice.bluegreen.{name}": known for name, known in own.items()})
    environment.tests.update(TestModule().tests())
    return environment.from_string((ROLE / "templates" / "service.cfg.j2").read_text())


def write(haproxy: HAProxy, service: Mapping[str, Any], shares: Mapping[str, float], **variables: Any) -> Path:
    """The file of ``service`` in the folder of ``haproxy``, which listens where it says, and its maps as the role."""
    maps = haproxy.folder / "maps"
    if not maps.exists():
        shutil.copytree(ROLE / "files", maps)
    for kind in ("users", "roles"):
        (maps / f"{service['name']}.{kind}.map").touch()
    page = {"listen": {"bind": f"127.0.0.1:{haproxy.listen}"}, "health": {"tcp": True, "status": []}, **service}
    path = haproxy.conf_dir / f"{page['name']}.cfg"
    path.write_text(render(page, shares, version_of(haproxy.program), haproxy_maps_dir=str(maps), **variables))
    return path


def servers(**colors: list[int]) -> list[dict[str, Any]]:
    """A service's list of servers: color to ports; their names are the color and a number from 1."""
    return [
        {"name": f"{color}{number}", "color": color, "address": "127.0.0.1", "port": port}
        for color, ports in colors.items()
        for number, port in enumerate(ports, 1)
    ]
