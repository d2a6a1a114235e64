"""Two balancers with real HAProxy processes, reached without ssh."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from balancer_machine import NAMES, Balancer, can_mount
from real_ansible import ROOT
from site_files import LOCAL
from vm_engine import Engine

sys.path.insert(0, str(ROOT / "tests" / "integration" / "haproxy"))

from haproxy_process import HAProxy, WebServer, haproxy_program, open_port, short_folder, web_servers

COLORS = {color: {f"{color}{number}": open_port() for number in (1, 2)} for color in ("blue", "green")}
NOTHING = {"blue": 0.0, "green": 0.0}


@pytest.fixture(scope="session")
def program() -> str:
    return haproxy_program()


@pytest.fixture
def balancers(tmp_path: Path, program: str) -> Iterator[dict[str, dict[str, Any]]]:
    """The inventory's entries of ``lb1`` and ``lb2``, prepared for a service that was never released."""
    processes: list[HAProxy] = []
    entries = {}
    for name in ("lb1", "lb2"):
        (tmp_path / name).mkdir()
        haproxy = HAProxy(tmp_path / name, program)
        processes.append(haproxy)
        haproxy.service(COLORS, {server: 0 for servers in COLORS.values() for server in servers}, NOTHING)
        haproxy.start()
        entries[name] = {
            **LOCAL,
            "haproxy_socket": haproxy.socket,
            "haproxy_config": str(haproxy.main),
            "haproxy_config_dir": str(haproxy.conf_dir),
        }
    yield entries
    for process in processes:
        process.stop()


@pytest.fixture
def listening() -> Iterator[int]:
    """A port at which every address of this machine answers a health check over TCP."""
    with socket.create_server(("", 0), backlog=128) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def web() -> Iterator[WebServer]:
    """Stands in for every server of the service."""
    with web_servers() as start:
        yield start("any")


@pytest.fixture
def engines() -> Iterator[dict[str, Engine]]:
    """The engines of ``green1`` and ``green2``, which run v2 of the image that was deployed."""
    with engines_of("green") as found:
        for engine in found.values():
            engine.runs("v2", "green")
        yield found


@pytest.fixture
def blue_engines() -> Iterator[dict[str, Engine]]:
    """Those of ``blue1`` and ``blue2``, which run v1."""
    with engines_of("blue") as found:
        for engine in found.values():
            engine.runs("v1", "blue")
        yield found


@contextlib.contextmanager
def engines_of(color: str) -> Iterator[dict[str, Engine]]:
    with short_folder() as folder, contextlib.ExitStack() as stack:
        found = {name: stack.enter_context(Engine(Path(folder, f"{name}.sock"))) for name in NAMES[color]}
        for engine in found.values():
            stack.callback(engine.shutdown)
        yield found


@pytest.fixture
def green_vms(engines: dict[str, Engine]) -> dict[str, dict[str, Any]]:
    """The inventory's entries of ``green1`` and ``green2``, which are this machine, each with an engine of its own."""
    return {
        name: {**engine.entry, "bluegreen_address": f"127.0.0.{31 + n}"}
        for n, (name, engine) in enumerate(engines.items())
    }


@pytest.fixture
def machines(web: WebServer, program: str) -> Iterator[dict[str, Balancer]]:
    """``lb1`` and ``lb2`` as two machines, before the same servers."""
    if not can_mount():
        pytest.fail("needs root and the right to mount")
    ports = {color: dict.fromkeys(names, web.port) for color, names in NAMES.items()}
    found: dict[str, Balancer] = {}
    with short_folder() as folder:
        try:
            for name in ("lb1", "lb2"):
                found[name] = Balancer(Path(folder, name), program, ports)
            yield found
        finally:
            for balancer in found.values():
                balancer.stop()
