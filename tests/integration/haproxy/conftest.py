# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy and web servers that end with their test.

The program is /usr/sbin/haproxy, or what the environment variable HAPROXY names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from haproxy_process import HAProxy, WebServer


@pytest.fixture(scope="session")
def program() -> str:
    found = shutil.which(os.environ.get("HAPROXY", "/usr/sbin/haproxy"))
    assert found, "these tests need HAProxy: apt-get install haproxy"
    return found


@pytest.fixture
def haproxy(tmp_path: Path, program: str) -> Iterator[HAProxy]:
    balancer = HAProxy(tmp_path, program)
    yield balancer
    balancer.stop()


@pytest.fixture
def web() -> Iterator[Callable[[str], WebServer]]:
    servers: list[WebServer] = []

    def start(name: str) -> WebServer:
        servers.append(WebServer(name))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
