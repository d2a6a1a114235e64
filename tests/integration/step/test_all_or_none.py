# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Balancers that fail in the middle of a shift, and shifts that must not begin."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError, StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.modules import haproxy_split_info
from step_machine import SERVERS, SPLIT_5, SPLIT_25, STABLE, Machine, WebServer, get, weights

Web = Callable[[str], WebServer]


class Interrupted(RuntimeSocket):
    """HAProxy's socket, with something that happens just before weights are sent."""

    def __init__(self, path: str, happens: Callable[[], object], timeout: float = 5.0) -> None:
        super().__init__(path, timeout)
        self.happens = happens

    def act(self, commands: Sequence[str]) -> None:
        self.happens()
        super().act(commands)


@contextmanager
def resumed(machine: Machine) -> Iterator[None]:
    try:
        yield
    finally:
        os.kill(machine.haproxy.processes[-1].pid, signal.SIGCONT)


@pytest.fixture
def served(machine: Machine, web: Web) -> Machine:
    """All servers answer."""
    ports = {color: {name: web(name).port for name in names} for color, names in SERVERS.items()}
    machine.write(STABLE, ports)
    machine.haproxy.reload()
    return machine


def test_a_balancer_that_stops_answering_in_the_middle_of_a_shift_falls_back_by_its_lease(machine: Machine) -> None:
    pid = machine.haproxy.processes[-1].pid
    sock = Interrupted(machine.haproxy.socket, lambda: os.kill(pid, signal.SIGSTOP), timeout=0.3)
    with resumed(machine), pytest.raises(BalancerError, match=r"did not answer within 0\.3 s") as raised:
        machine.take(SPLIT_5, edges={"sock": sock})
    assert raised.value.details["restored"] is False
    assert "Putting back the weights from before failed as well" in str(raised.value)
    assert machine.led, "who cannot be asked is under a lease"
    # HAProxy still takes some of the commands that it finds when it comes back, or all of them.
    machine.set_runtime(weights(SPLIT_5))
    machine.fire()
    assert machine.runtime == weights(STABLE)
    assert machine.disk_shares == STABLE


def test_a_haproxy_that_dies_in_the_middle_of_a_shift_comes_back_with_what_is_committed(machine: Machine) -> None:
    process = machine.haproxy.processes[-1]

    def die() -> None:
        process.kill()
        process.wait()

    with pytest.raises(BalancerError, match="HAProxy is not running") as raised:
        machine.take(SPLIT_5, edges={"sock": Interrupted(machine.haproxy.socket, die)})
    assert raised.value.details["restored"] is False
    machine.haproxy.start()
    assert machine.runtime == weights(STABLE)
    machine.fire()
    assert (machine.runtime, machine.lease) == (weights(STABLE), None)


def test_a_reload_between_two_stages_falls_back_and_the_next_stage_sets_what_it_is_to_set(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.haproxy.reload()
    assert machine.runtime == weights(STABLE), "runtime alone does not survive a reload"
    outcome = machine.take(SPLIT_25)
    assert outcome.weights_before == weights(STABLE), "the journal tells from where"
    assert machine.runtime == weights(SPLIT_25)


def test_weights_set_by_hand_between_two_stages_are_put_right_and_told(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.haproxy.runtime.act(["set server shop/green2 weight 200"])
    outcome = machine.take(SPLIT_25)
    assert outcome.weights_before["green2"] == 200
    shift = _journal.read(machine.paths.journal).events[-1]
    assert shift["data"]["before"] == outcome.shares_before != SPLIT_5
    assert machine.runtime == weights(SPLIT_25)


@pytest.mark.parametrize("level", ["user", "operator"])
def test_a_socket_without_the_right_to_shift_leaves_no_lease_behind(machine: Machine, level: str) -> None:
    before = machine.runtime
    with pytest.raises(BalancerError) as raised:
        machine.take(SPLIT_5, edges={"sock": RuntimeSocket(f"{machine.haproxy.socket}.{level}")})
    assert "level admin" in str(raised.value)
    assert (machine.runtime, machine.lease, machine.timers.running) == (before, None, {})


class TestCapacity:
    """Green has two servers, of which one is down, and blue two that are up."""

    @pytest.fixture
    def half(self, served: Machine) -> Machine:
        served.haproxy.runtime.act(["set server shop/green2 state maint"])
        return served

    def test_what_the_servers_that_are_up_cannot_carry_is_refused_before_anything_moves(self, half: Machine) -> None:
        machine = half
        before = machine.seen()
        with pytest.raises(StateError, match=r"green cannot carry 100 % .* 1 of 2 servers up, .* Nothing was changed"):
            machine.promote(max_load=1.5)
        assert machine.seen() == before
        with pytest.raises(StateError, match="green cannot carry"):
            machine.take({"blue": 0.0, "green": 100.0}, check_mode=True, max_load=1.5)

    def test_what_they_can_carry_is_set(self, half: Machine) -> None:
        half.take(SPLIT_25, max_load=0.5)
        assert half.runtime == weights(SPLIT_25)

    def test_a_server_of_more_capacity_carries_more(self, half: Machine) -> None:
        half.promote(max_load=1.0, capacities={"green1": 2})
        assert half.runtime["green1"] == 2 * half.runtime["green2"]

    def test_a_way_back_never_asks(self, half: Machine) -> None:
        half.promote()
        half.haproxy.runtime.act(["set server shop/blue1 state maint"])
        half.back(max_load=0.01)
        assert half.runtime == weights(STABLE)

    def test_a_first_release_has_nobody_to_be_compared_with(self, machine: Machine) -> None:
        machine.set_runtime(dict.fromkeys(weights(STABLE), 0))
        machine.take({"blue": 0.0, "green": 100.0}, max_load=0.01)
        assert machine.runtime["green1"] == 256


class TestObserved:
    @staticmethod
    def info(machine: Machine, observe: float = 0) -> dict[str, Any]:
        return haproxy_split_info.run(
            {
                "service": "shop",
                "servers": None,
                "socket": machine.haproxy.socket,
                "config_dir": machine.paths.config_dir,
                "state_dir": machine.paths.state_dir,
                "run_dir": machine.paths.run_dir,
                "runtime": True,
                "observe": observe,
            }
        )

    def test_it_is_the_split_since_the_last_shift(self, served: Machine) -> None:
        get(served.haproxy.listen, 300)
        assert self.info(served)["observed"] == {"shares": STABLE, "requests": 300, "since": "start"}
        served.take(SPLIT_25)
        assert self.info(served)["observed"]["requests"] == 0
        get(served.haproxy.listen, 400)
        info = self.info(served)
        assert info["observed"] == {"shares": SPLIT_25, "requests": 400, "since": "shift"}
        assert info["differences"] == [
            "Runtime leads the disk: HAProxy works with blue 75 %, green 25 %, committed is blue 100 %, green 0 %."
        ]
        served.haproxy.reload()
        get(served.haproxy.listen, 10)
        assert self.info(served)["observed"] == {"shares": STABLE, "requests": 10, "since": "start"}

    def test_weights_that_somebody_set_and_took_back_are_seen_in_the_counters(self, served: Machine) -> None:
        served.promote()
        served.haproxy.runtime.act([f"set server shop/{name} weight 256" for name in SERVERS["blue"]])
        get(served.haproxy.listen, 400)
        served.haproxy.runtime.act([f"set server shop/{name} weight 0" for name in SERVERS["blue"]])
        (difference,) = self.info(served)["differences"]
        assert "since the last shift went blue 50 %, green 50 %, and the weights give blue 0 %" in difference

    def test_it_is_the_split_between_two_looks(self, served: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        get(served.haproxy.listen, 50)
        asked = partial(haproxy_split_info.look, sleep=lambda _seconds: get(served.haproxy.listen, 20))
        monkeypatch.setattr(haproxy_split_info, "look", asked)
        assert self.info(served, observe=3)["observed"] == {"shares": STABLE, "requests": 20, "since": "look"}

    def test_a_reload_between_two_looks_is_told(self, served: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        sock = haproxy_split_info.look(served.haproxy.runtime, "shop", 0)
        assert sock.since == "look"
        served.haproxy.reload()
        monkeypatch.setattr(haproxy_split_info, "look", lambda *_arguments: sock)
        with pytest.raises(BalancerError, match="HAProxy was reloaded between the two looks"):
            self.info(served, observe=1)
