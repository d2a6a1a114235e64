"""A release that meets errors at 100 %, on a balancer with everything real but systemd and the VMs' engines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from balancer_machine import STABLE, Balancer
from haproxy_process import WebServer, get
from real_ansible import Run, run
from site_files import inventory, vm
from vm_engine import Engine

GREEN = {"blue": 0.0, "green": 100.0}


class Users(threading.Thread):
    """Ask a balancer; while ``fail`` says so of the servers that have traffic, two of three requests are failed."""

    def __init__(self, balancer: Balancer, web: WebServer, fail: Callable[[set[str]], bool]) -> None:
        super().__init__(daemon=True)
        self.balancer = balancer
        self.web = web
        self.fail = fail
        self.stopped = threading.Event()
        self.start()

    def run(self) -> None:
        number = 0
        while not self.stopped.wait(0.02):
            serving = {name for name, weight in self.balancer.runtime.items() if weight}
            self.web.status = 500 if self.fail(serving) and number % 3 else 200
            get(self.balancer.haproxy.listen, 1, keep=False)
            number += 1

    def stop(self) -> None:
        self.stopped.set()
        self.join()


def at_100(serving: set[str]) -> bool:
    return not serving & {"blue1", "blue2"}


class Incident:
    """Begins when all traffic is on the candidate, and is over when it is not any more."""

    def __init__(self) -> None:
        self.seen = self.over = False

    def __call__(self, serving: set[str]) -> bool:
        self.over = self.over or (self.seen and not at_100(serving))
        self.seen = self.seen or at_100(serving)
        return self.seen and not self.over


@pytest.fixture
def balancer(machines: dict[str, Balancer]) -> Balancer:
    return machines["lb1"]


@pytest.fixture
def users(balancer: Balancer, web: WebServer) -> Iterator[Callable[..., None]]:
    running = []
    yield lambda fail: running.append(Users(balancer, web, fail))
    for one in running:
        one.stop()


def v2_deployed(
    balancer: Balancer, green_vms: dict[str, Any], listening: int, gates: dict[str, Any], *stages: dict[str, Any]
) -> dict[str, Any]:
    """An inventory with one balancer; blue serves v1, and green has v2, which has no traffic yet."""
    balancer.promoted("r1", "v1", "blue")
    balancer.deployed("r2", "v2", "green")
    return inventory(
        groups__loadbalancers={"lb1": balancer.entry},
        groups__shop_blue={f"blue{n}": {**vm(20 + n), "bluegreen_address": f"127.0.0.{20 + n}"} for n in (1, 2)},
        groups__shop_green=green_vms,
        page__container={"port": 8080, "publish": listening},
        page__health={"tcp": True, "interval": "1s", "timeout": "20s"},
        page__tick="1s",
        page__lease="20s",
        page__gates=gates,
        page__drain={"timeout": "1s"},
        page__strategy=list(stages),
    )


@pytest.fixture
def rollout(balancer: Balancer, green_vms: dict[str, Any], listening: int, tmp_path: Path) -> Callable[[], Run]:
    """Two stages that end soon, of v2 on green; whoever is slow has time."""
    stage = {"dwell": "1s", "timeout": "50s"}
    gates = {"errors": {"margin": "20pp", "cap": 1000, "warmup": "0s"}}
    site = v2_deployed(balancer, green_vms, listening, gates, {"split": 50, **stage}, {"split": 100, **stage})

    return lambda: run(tmp_path, "sluice.bluegreen.rollout", site, {"service": "shop"})


def milestones(balancer: Balancer) -> list[str]:
    """After the promotion of what is stable."""
    known = ("stage_passed", "second_look", "promoted", "rolled_back")
    return [event for event in balancer.events if event in known][1:]


@pytest.mark.long
def test_an_incident_at_100_per_cent_leads_to_a_second_look_and_a_promotion(
    balancer: Balancer, rollout: Callable[[], Run], users: Callable[..., None]
) -> None:
    users(Incident())
    done = rollout()
    assert (done.status, done.stats["bluegreen_result"]["outcome"]) == (0, "promoted"), done.output
    said = " ".join(one.msg for one in done.of("Say why"))
    assert "second look at 50 %: green: " in said, done.output
    assert "so once back to the stage before, where both colors are compared at the same time" in said
    assert "shop stage 1 (50 %), look 2" in done.output
    assert milestones(balancer) == ["stage_passed", "second_look", "stage_passed", "stage_passed", "promoted"]
    assert balancer.disk == GREEN
    tapes = {path.name for path in balancer.paths.tapes.iterdir()}
    assert tapes == {"r2-1.jsonl", "r2-2.jsonl", "r2-1-2.jsonl", "r2-2-2.jsonl"}


def test_a_version_that_is_bad_at_100_per_cent_only_is_rolled_back_after_its_second_look(
    balancer: Balancer, engines: dict[str, Engine], rollout: Callable[[], Run], users: Callable[..., None]
) -> None:
    users(at_100)
    done = rollout()
    result = done.stats["bluegreen_result"]
    assert done.status != 0
    assert (result["outcome"], result["cause"]) == ("rolled_back", "errors"), done.output
    assert milestones(balancer) == ["stage_passed", "second_look", "stage_passed", "rolled_back"]
    assert any("the gate's verdict" in told for told in balancer.told), "the gate itself takes the traffic back"
    assert balancer.disk == STABLE
    assert not any(balancer.runtime[name] for name in ("green1", "green2"))
    assert [engine.running for engine in engines.values()] == [[], []]
