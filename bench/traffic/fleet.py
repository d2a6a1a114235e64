# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy processes to measure, made with the helpers of the integration tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build" / "collections"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "integration" / "haproxy"))

import haproxy_process
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths
from ansible_collections.sluice.bluegreen.plugins.module_utils._service import ROUNDROBIN_MOST
from haproxy_process import HAProxy, free_port, until
from role_template import version_of

ROOT = Path(__file__).resolve().parents[2]

# HAProxy itself reads the lines of 20,000 servers for ten seconds and more.
haproxy_process.PATIENCE = 120.0

COLORS = ("blue", "green")
STABLE = {"blue": 100.0, "green": 0.0}
RELEASE = "bench"


def program(variable: str, default: str, package: str) -> str:
    """The path of a program, or an end with the way to get it."""
    found = shutil.which(os.environ.get(variable, default))
    if not found:
        sys.exit(
            f"bench: there is no {default}; as root on Debian: apt-get install {package}, or name it in {variable}"
        )
    return found


@contextmanager
def haproxy(folder: Path) -> Iterator[HAProxy]:
    """A process that ends with the block; its main file has what the role writes for reloads and repeated requests."""
    folder.mkdir()
    found = HAProxy(folder, program("HAPROXY", "/usr/sbin/haproxy", "haproxy"))
    extra = "    retries 5\n    option redispatch 1\n    retry-on conn-failure empty-response\n    http-reuse safe\n"
    if version_of(found.program) != "2.2":
        extra += "    option idle-close-on-response\n"
    found.main.write_text(found.main.read_text().replace("    retries 0\n", extra))
    try:
        yield found
    finally:
        for process in found.processes[-1:]:
            if process.poll() is not None:
                print(f"bench: HAProxy {process.pid} had ended by itself, with {process.returncode}", file=sys.stderr)
        found.stop()


def servers(count: int) -> list[dict[str, Any]]:
    """So many of each color."""
    return [{"name": f"{color}{number}", "color": color} for color in COLORS for number in range(1, count + 1)]


def names(count: int) -> dict[str, list[str]]:
    return {color: [server["name"] for server in servers(count) if server["color"] == color] for color in COLORS}


def big_service(balancer: HAProxy, count: int, port: int) -> dict[str, Any]:
    """Run a service of so many servers a color, all at ``port`` and on blue; the parameters of a module for it."""
    of_color = names(count)
    # The default of the service's page: roundrobin holds no more.
    balance = "roundrobin" if 2 * count <= ROUNDROBIN_MOST else "random(1)"
    ports = {color: dict.fromkeys(found, port) for color, found in of_color.items()}
    extra = f"    balance {balance}\n"
    path = balancer.service(ports, split_weights(of_color, STABLE), STABLE, extra=extra, check="check inter 1h")
    path.write_text(
        "".join(
            f"{line}\n{extra if line.startswith('backend shop_') else ''}" for line in path.read_text().splitlines()
        )
    )
    balancer.start()
    paths = ServicePaths("shop", str(balancer.folder / "lib"), str(balancer.folder / "run"), str(balancer.conf_dir))
    _lock.acquire(paths, RELEASE, "bench", 86400)
    return {
        "service": "shop",
        "socket": balancer.socket,
        "config_dir": paths.config_dir,
        "state_dir": paths.state_dir,
        "run_dir": paths.run_dir,
        "release_id": RELEASE,
        "servers": servers(count),
    }


@contextmanager
def answering(folder: Path, threads: int = 1, address: str = "127.0.0.1") -> Iterator[int]:
    """The port of a HAProxy that answers every request itself, which costs less than any web server."""
    folder.mkdir()
    port = free_port()
    config = folder / "answers.cfg"
    config.write_text(
        f"""global
    nbthread {threads}
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
frontend answers
    bind {address}:{port}
    http-request return status 200 content-type text/plain string ok
"""
    )
    command = [program("HAPROXY", "/usr/sbin/haproxy", "haproxy"), "-db", "-f", str(config)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("the answers come", lambda: _answers(port))
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
