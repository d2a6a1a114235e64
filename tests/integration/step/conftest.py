"""A balancer with a real HAProxy process; the one thing that is not real is who runs the timers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from step_machine import STABLE, HAProxy, Machine, WebServer, haproxy_program, web_servers


@pytest.fixture(scope="session")
def program() -> str:
    return haproxy_program()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def haproxy(folder: Path, program: str) -> Iterator[HAProxy]:
    balancer = HAProxy(folder, program)
    yield balancer
    balancer.stop()


@pytest.fixture
def machine(haproxy: HAProxy, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Blue is stable with v1 and serves all, committed; release r1 of v2 is deployed to green and holds the lock."""
    # What a killed process leaves behind stays in the test's own folder.
    scratch = folder / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    machine = Machine(haproxy, folder)
    haproxy.start()
    machine.note("release_started", "r0", {"version": "v1", "color": "blue"})
    machine.note("committed", "r0", {"shares": STABLE})
    machine.note("promoted", "r0")
    machine.begin("r1")
    return machine


@pytest.fixture
def web() -> Iterator[Callable[[str], WebServer]]:
    with web_servers() as start:
        yield start
