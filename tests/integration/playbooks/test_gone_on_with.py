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
from site_files import inventory, vm

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
    site = inventory(
        groups__loadbalancers={"lb1": balancer.entry},
        groups__shop_blue={f"blue{n}": {**vm(20 + n), "bluegreen_address": f"127.0.0.{20 + n}"} for n in (1, 2)},
        groups__shop_green=green_vms,
        page__container={"port": 8080, "publish": listening},
        page__health={"tcp": True, "interval": "1s", "timeout": "20s"},
        page__tick="1s",
        page__lease="20s",
        page__gates={"errors": {"margin": "20pp", "warmup": "0s"}, "thresholds": [READY]},
        page__drain={"timeout": "1s"},
        page__strategy=[{"split": 50, "dwell": "1s", "timeout": "5s"}, {"split": 100, "dwell": "1s", "timeout": "50s"}],
    )
    balancer.promoted("r1", "v1", "blue")
    balancer.deployed("r2", "v2", "green")
    paused = run(tmp_path, "sluice.bluegreen.rollout", site, {"service": "shop"})
    assert paused.stats["bluegreen_result"]["outcome"] == "paused", paused.output
    requests, errors = balancer.state["release"]["known"]["stable"]
    assert requests >= 5, balancer.told
    promoted = run(tmp_path, "sluice.bluegreen.promote", site, {"service": "shop"})
    assert promoted.stats["bluegreen_result"]["outcome"] == "promoted", promoted.output
    passed = [event for event in _journal.read(balancer.paths.journal).events if event["event"] == "stage_passed"]
    stable = passed[-1]["data"]["gate"]["evidence"]["stable"]
    assert stable == {"requests": requests, "errors": errors}, "and not what HAProxy has counted until now"
