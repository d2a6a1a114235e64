"""A whole site for jobs of AWX: two balancers and four VMs, with everything real but systemd and the VMs' engines."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import mutex, read_json
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from awx_job import Event, Job, answers, cancelled_once, run_job
from balancer_machine import NAMES, Balancer
from haproxy_process import free_port, open_port, until
from test_never_stranded import SPLIT_50, site, v1_serves, v2_deployed, v2_serves
from vm_engine import Engine

__all__ = ["Fleet", "fleet", "site", "v1_serves", "v2_deployed", "v2_paused", "v2_serves"]

Machines = dict[str, Balancer]


@dataclass(frozen=True)
class Fleet:
    """``page`` is the service's, to be changed before a job; ``silent`` is a port at which nobody answers yet."""

    machines: Machines
    blue: dict[str, Engine]
    green: dict[str, Engine]
    site: dict[str, Any]
    page: dict[str, Any]
    silent: socket.socket
    folder: Path

    def launch(self, core: str, playbook: str, *options: str, given: dict[str, str] | None = None, **more: Any) -> Job:
        """A job with what a person answers: ``given``, and what its survey has for the rest."""
        return run_job(self.folder, core, playbook, self.site, answers(playbook, **(given or {})), *options, **more)

    @property
    def moved(self) -> dict[str, Any]:
        """Whatever a job could change, by the host where it is; a lock that runs out meanwhile is still the same."""
        locks = {name: _lock.current(one.paths) or {} for name, one in self.machines.items()}
        balancers = {
            name: (one.told, one.runtime, one.disk, locks[name].get("release_id"), locks[name].get("holder"))
            for name, one in self.machines.items()
        }
        return {**balancers, **{name: list(engine.orders) for name, engine in (self.blue | self.green).items()}}

    def orders(self, color: str) -> list[str]:
        """What was asked of the color's engines."""
        return [order for engine in getattr(self, color).values() for order in engine.orders]

    def has(self, other: str) -> None:
        """Another service, which was never released, on the same hosts."""
        self.site["all"]["vars"]["bluegreen_services"][other] = {
            **self.page,
            "container": {"port": 8081},
            "listen": {"bind": "*:81"},
        }
        ports = {color: dict.fromkeys(names, open_port()) for color, names in NAMES.items()}
        weights = dict.fromkeys((*NAMES["blue"], *NAMES["green"]), 0)
        for machine in self.machines.values():
            machine.haproxy.service(ports, weights, dict.fromkeys(NAMES, 0.0), name=other, listen=free_port())
            machine.haproxy.reload()

    def cancel(self, core: str, playbook: str, when: Callable[[Sequence[Event]], bool], **given: str) -> None:
        """A job that is cancelled ``when`` it has come so far; afterwards traffic is where it is committed."""
        usual = self.page["lease"]
        self.page["lease"] = "15s"
        job = self.launch(core, playbook, given=given, cancel=cancelled_once(when))
        self.page["lease"] = usual
        assert (job.status, job.artifacts) == ("canceled", {}), job.output
        self.settles()

    def nobody_is_healthy(self) -> None:
        """Until ``silent`` listens; and a job waits for that, however long."""
        self.page["container"]["publish"] = self.silent.getsockname()[1]
        self.page["health"]["timeout"] = "1h"

    def balancers_call_blue(self, state: str) -> None:
        """``up`` or ``down``, until they check it again in a minute."""
        for machine in self.machines.values():
            machine.haproxy.runtime.act([f"set server shop/{name} health {state}" for name in self.blue])

    def settles(self) -> None:
        """Every balancer goes back to what is committed, and whoever died keeps nobody out."""
        every = self.machines.values()
        until("traffic is where it is committed", lambda: all(settled(one) for one in every), 180)
        until("nobody is kept out", lambda: not any((_lock.current(one.paths) or {}).get("live") for one in every), 180)


def settled(machine: Balancer) -> bool:
    """Whether no lease is left, its fallback is written down to the end, and traffic is where the disk says."""
    with mutex(machine.paths.mutex):
        return read_json(machine.paths.lease) is None and machine.runtime == split_weights(NAMES, machine.disk)


@pytest.fixture
def fleet(
    machines: Machines,
    site: dict[str, Any],
    blue_engines: dict[str, Engine],
    engines: dict[str, Engine],
    tmp_path: Path,
) -> Iterator[Fleet]:
    """Blue runs v1 and green v2; what the journals say is for the test. A stage that hears nothing passes."""
    for name, entry in site["all"]["children"]["shop_blue"]["hosts"].items():
        site["all"]["children"]["shop_blue"]["hosts"][name] = {
            **blue_engines[name].entry,
            "bluegreen_address": entry["bluegreen_address"],
        }
    page = site["all"]["vars"]["bluegreen_services"]["shop"]
    page["stage_defaults"] = {"dwell": "1s", "timeout": "2s", "on_timeout": "promote"}
    # A machine that is busy is no reason to go back.
    page["lease"] = "5m"
    with socket.socket() as silent:
        silent.bind(("", 0))
        yield Fleet(machines, blue_engines, engines, site, page, silent, tmp_path)


def v2_paused(machines: Machines) -> None:
    """At 50 %, with v1 stable."""
    v2_deployed(machines)
    for machine in machines.values():
        machine.note("stage_passed", "r2", stage=1, split=50)
        machine.commit(SPLIT_50)
        machine.note("committed", "r2", shares=SPLIT_50)
        machine.note("paused", "r2", cause="timeout")
