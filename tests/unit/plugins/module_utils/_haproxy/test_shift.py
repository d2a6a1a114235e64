# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shift on one balancer: observe, compare, act, observe again, against a HAProxy played in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket

COLUMNS = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port"


class PlayedHAProxy(RuntimeSocket):
    """Weights in memory; ``on_set`` may refuse, ignore or fail at the moment of a command."""

    def __init__(self, weights: dict[str, int]) -> None:
        super().__init__("/run/haproxy/admin.sock")
        self.weights = dict(weights)
        self.pid = 100
        self.sent: list[str] = []
        self.on_set: Callable[[str, int], str | None] = lambda name, weight: None

    def run(self, commands: Sequence[str]) -> list[str]:
        return [self._answer(command) for command in commands]

    def _answer(self, command: str) -> str:
        words = command.split()
        if command == "show info":
            return f"Version: 2.6.12\nPid: {self.pid}\nUptime_sec: 10"
        if words[:2] == ["show", "env"]:
            return "Variable not found"
        if words[:3] == ["show", "servers", "state"]:
            rows = [f"3 shop {n} {name} 10.0.0.{n} 2 0 {w} 1 80" for n, (name, w) in enumerate(self.weights.items(), 1)]
            return "\n".join(["1", COLUMNS, *rows])
        assert words[:2] == ["set", "server"], command
        self.sent.append(command)
        name, weight = words[2].split("/")[1], int(words[4])
        refusal = self.on_set(name, weight)
        if refusal is None:
            self.weights[name] = weight
        return refusal or ""


BEFORE = {"blue1": 256, "blue2": 256, "green1": 0, "green2": 0}
WANTED = {"blue1": 247, "blue2": 247, "green1": 13, "green2": 13}


def test_only_what_differs_is_sent_and_what_was_and_is_gets_reported() -> None:
    haproxy = PlayedHAProxy({**BEFORE, "blue2": 247})
    result = shift(haproxy, "shop", WANTED)
    assert result.changed
    assert result.before == {**BEFORE, "blue2": 247}
    assert result.after == haproxy.weights == WANTED
    assert sorted(result.commands) == [
        "set server shop/blue1 weight 247",
        "set server shop/green1 weight 13",
        "set server shop/green2 weight 13",
    ]
    assert haproxy.sent == result.commands


def test_weights_rise_before_any_falls_so_that_the_backend_is_never_without_one() -> None:
    haproxy = PlayedHAProxy({"blue1": 256, "green1": 0})
    totals = []

    def watch(name: str, weight: int) -> None:
        totals.append(sum({**haproxy.weights, name: weight}.values()))

    haproxy.on_set = watch
    shift(haproxy, "shop", {"blue1": 0, "green1": 256})
    shift(haproxy, "shop", {"blue1": 256, "green1": 0})
    assert min(totals) > 0


def test_weights_that_are_set_already_change_nothing_and_send_nothing() -> None:
    haproxy = PlayedHAProxy(WANTED)
    result = shift(haproxy, "shop", WANTED)
    assert not result.changed
    assert result.commands == haproxy.sent == []


def test_check_mode_says_each_command_and_sends_none() -> None:
    haproxy = PlayedHAProxy(BEFORE)
    result = shift(haproxy, "shop", WANTED, check_mode=True)
    assert result.changed
    assert len(result.commands) == 4
    assert result.after == WANTED
    assert haproxy.sent == []
    assert haproxy.weights == BEFORE


def test_servers_missing_in_haproxy_or_unknown_to_the_inventory_are_listed_and_nothing_is_sent() -> None:
    haproxy = PlayedHAProxy({"blue1": 256, "old1": 0})
    with pytest.raises(
        BalancerError, match=r"does not have green1, green2 and has old1, not in the inventory"
    ) as raised:
        shift(haproxy, "shop", {"blue1": 1, "green1": 1, "green2": 1})
    assert "Run sluice.bluegreen.site" in str(raised.value)
    assert raised.value.details["missing"] == ["green1", "green2"]
    assert raised.value.details["unexpected"] == ["old1"]
    assert haproxy.sent == []


def test_a_refused_weight_names_command_and_reply_and_puts_the_others_back() -> None:
    haproxy = PlayedHAProxy(BEFORE)
    haproxy.on_set = lambda name, weight: "No such server." if (name, weight) == ("blue2", 247) else None
    with pytest.raises(BalancerError) as raised:
        shift(haproxy, "shop", WANTED)
    assert "refused `set server shop/blue2 weight 247`: No such server." in str(raised.value)
    assert "The weights from before are set again." in str(raised.value)
    assert raised.value.details["restored"] is True
    assert raised.value.details["reply"] == "No such server."
    assert haproxy.weights == BEFORE


def test_a_weight_that_is_taken_but_not_kept_is_found_by_reading_back() -> None:
    haproxy = PlayedHAProxy(BEFORE)
    haproxy.on_set = lambda name, weight: "" if name == "green2" else None
    with pytest.raises(BalancerError, match=r"1 of 4 servers have another one, green2 0 instead of 13") as raised:
        shift(haproxy, "shop", WANTED)
    assert raised.value.details["differs"] == {"green2": {"wanted": 13, "found": 0}}
    assert haproxy.weights == BEFORE


def test_a_reload_in_the_middle_leaves_haproxy_with_what_is_committed() -> None:
    haproxy = PlayedHAProxy({"blue1": 200, "green1": 56})
    committed = {"blue1": 256, "green1": 0}

    def reload(name: str, weight: int) -> str:
        haproxy.pid += 1
        haproxy.weights = dict(committed)
        return ""

    haproxy.on_set = reload
    with pytest.raises(BalancerError, match=r"HAProxy was reloaded meanwhile \(process 100, now 10") as raised:
        shift(haproxy, "shop", {"blue1": 128, "green1": 128})
    assert "HAProxy now works with what is committed on its disk" in str(raised.value)
    assert raised.value.details["restored"] is False
    assert haproxy.weights == committed, "nothing is put back over a committed split"


def test_a_balancer_that_cannot_put_back_says_so_too() -> None:
    haproxy = PlayedHAProxy(BEFORE)
    calls = []

    def die(name: str, weight: int) -> str | None:
        calls.append(name)
        if len(calls) > 2:
            raise BalancerError("HAProxy at /run/haproxy/admin.sock closed the connection.")
        return None

    haproxy.on_set = die
    with pytest.raises(BalancerError, match="Putting back the weights from before failed as well") as raised:
        shift(haproxy, "shop", WANTED)
    assert raised.value.details["restored"] is False
