"""Two balancers with real HAProxy processes, reached without ssh."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_ansible import ROOT
from site_files import LOCAL

sys.path.insert(0, str(ROOT / "tests" / "integration" / "haproxy"))

from haproxy_process import HAProxy

COLORS = {"blue": {"blue1": 9, "blue2": 9}, "green": {"green1": 9, "green2": 9}}
NOTHING = {"blue": 0.0, "green": 0.0}


@pytest.fixture(scope="session")
def program() -> str:
    found = shutil.which(os.environ.get("HAPROXY", "/usr/sbin/haproxy"))
    assert found, "these tests need HAProxy: apt-get install haproxy"
    return found


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
