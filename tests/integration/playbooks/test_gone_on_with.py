"""What a gate knew of the stable color outlives a pause, in the journal of a balancer with a real HAProxy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal
from balancer_machine import Balancer
from haproxy_process import WebServer, get
from real_ansible import run
from test_second_look import v2_deployed

# Without an answer in the first stage, whose gate so pauses.
READY = {"name": "ready", "source": "command", "command": ["sh", "-c", "test $SLUICE_STAGE = 2 || exit 75"]}


@pytest.fixture
def users(machines: dict[str, Balancer], web: WebServer) -> Iterator[None]:
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.wait(0.02):
            get(machines["lb1"].haproxy.listen, 1, keep=False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    yield
    stopped.set()
    asking.join()


@pytest.mark.usefixtures("users")
def test_100_per_cent_is_judged_after_a_pause_by_what_the_stage_before_knew(
    machines: dict[str, Balancer], green_vms: dict[str, Any], listening: int, tmp_path: Path
) -> None:
    balancer = machines["lb1"]
    gates = {"errors": {"margin": "20pp", "warmup": "0s"}, "thresholds": [READY]}
    first = {"split": 50, "dwell": "1s", "timeout": "5s"}
    site = v2_deployed(balancer, green_vms, listening, gates, first, {"split": 100, "dwell": "1s", "timeout": "50s"})
    paused = run(tmp_path, "sluice.bluegreen.rollout", site, {"service": "shop"})
    assert paused.stats["bluegreen_result"]["outcome"] == "paused", paused.output
    requests, errors = balancer.state["release"]["known"]["stable"]
    assert requests >= 5, balancer.told
    promoted = run(tmp_path, "sluice.bluegreen.promote", site, {"service": "shop"})
    assert promoted.stats["bluegreen_result"]["outcome"] == "promoted", promoted.output
    passed = [event for event in _journal.read(balancer.paths.journal).events if event["event"] == "stage_passed"]
    stable = passed[-1]["data"]["gate"]["evidence"]["stable"]
    assert stable == {"requests": requests, "errors": errors}, "and not what HAProxy has counted until now"
