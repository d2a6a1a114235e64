# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy as systemd runs it: a master process that lives on, and whose environment a reload inherits before 3.1."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _loaded, _report
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from haproxy_process import HAProxy, free_port, until
from role_template import servers, write

COLORS = {"blue": ["blue1"], "green": ["green1"]}
STABLE = {"blue": 100.0, "green": 0.0}
ALL_GREEN = {"blue": 0.0, "green": 100.0}
BY_USER = {"by": "user", "cookie": "uid"}


class Master:
    """A master process and its worker."""

    def __init__(self, haproxy: HAProxy) -> None:
        self.haproxy = haproxy
        command = [haproxy.program, "-W", "-db", "-f", str(haproxy.main), "-f", str(haproxy.conf_dir)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("there is a worker", lambda: self.worker is not None)

    @property
    def worker(self) -> int | None:
        return self.haproxy._pid()

    def reload(self) -> None:
        before, asked = self.worker, 0.0

        def another() -> bool:
            nonlocal asked
            # A master that has only just started may miss it.
            if time.monotonic() - asked > 2:
                asked = time.monotonic()
                self.process.send_signal(signal.SIGUSR2)
            return self.worker not in (None, before)

        until("another worker answers", another)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def page() -> dict[str, object]:
    return {"name": "shop", "servers": servers(blue=[free_port()], green=[free_port()])}


@pytest.fixture
def master(haproxy: HAProxy, page: dict[str, object]) -> Iterator[Master]:
    write(haproxy, {**page, "split": BY_USER}, ALL_GREEN)
    found = Master(haproxy)
    yield found
    found.stop()


@pytest.mark.parametrize("by", ["requests", "vm"])
def test_traffic_goes_back_after_the_page_has_stopped_to_split_by_user(
    master: Master, page: dict[str, object], by: str
) -> None:
    path = write(master.haproxy, {**page, "split": {"by": by}}, ALL_GREEN)
    master.reload()
    weights = split_weights(COLORS, STABLE)
    shift(master.haproxy.runtime, "shop", weights)
    runtime = _report.read_runtime(master.haproxy.runtime, "shop")
    assert dict(runtime.weights) == weights
    disk = _report.read_disk(str(path), "shop")
    assert [one for one in _report.report(disk, runtime, COLORS)["differences"] if "user" in one] == []


def test_a_file_that_was_taken_away_and_came_back_is_not_taken_for_loaded(master: Master) -> None:
    haproxy = master.haproxy
    path = haproxy.conf_dir / "shop.cfg"
    text = path.read_text()

    def outdated() -> list[str]:
        found = _loaded.compare(str(haproxy.main), str(haproxy.conf_dir), haproxy.runtime)
        assert found["running"], found["problem"]
        return [name for name in found["outdated"] if name == "shop"]

    assert outdated() == []
    path.unlink()
    master.reload()
    path.write_text(text)
    assert outdated() == ["shop"]
    master.reload()
    assert outdated() == []
