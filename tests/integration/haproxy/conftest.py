# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy and web servers that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from haproxy_process import HAProxy, WebServer, haproxy_program, web_servers


@pytest.fixture(scope="session")
def program() -> str:
    return haproxy_program()


@pytest.fixture
def haproxy(tmp_path: Path, program: str) -> Iterator[HAProxy]:
    balancer = HAProxy(tmp_path, program)
    yield balancer
    balancer.stop()


@pytest.fixture
def web() -> Iterator[Callable[[str], WebServer]]:
    with web_servers() as start:
        yield start
