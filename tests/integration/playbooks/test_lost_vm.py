# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM that cannot be reached any more just when its container is to be stopped or started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from balancer_machine import Balancer
from real_ansible import Run
from test_never_stranded import GREEN, all_on, play, site
from vm_engine import Engine

__all__ = ["play", "site"]

Machines = dict[str, Balancer]
Engines = dict[str, Engine]
Play = Callable[..., Run]
V2 = "shop-green-v2"
V3 = "shop-green-v3"


@pytest.fixture
def hole(site: dict[str, Any], tmp_path: Path) -> Path:
    """While it names a module, that one does not come to green1."""
    entry = site["all"]["children"]["shop_green"]["hosts"]["green1"]
    entry.update(ansible_connection="patchy", patchy_hole=str(tmp_path / "hole"))
    return tmp_path / "hole"


@pytest.fixture(autouse=True)
def v2_is_old(machines: Machines) -> None:
    """Blue serves v1, and green keeps v2 warm."""
    for machine in machines.values():
        machine.promoted("r1", "v2", "green")
        machine.promoted("r2", "v1", "blue")


def test_it_is_not_taken_for_stopped(engines: Engines, play: Play, hole: Path) -> None:
    hole.write_text("plugins.modules.container_switch")
    done = play("retire", at_once=True)
    assert [engine.running for engine in engines.values()] == [[V2], []], done.output
    result = done.stats["bluegreen_result"]
    assert (done.status != 0, result["outcome"]) == (True, "failed"), result
    assert "v2 was not stopped everywhere: green1: lost on the way" in result["message"]


def test_what_was_before_a_release_that_was_given_up_does_not_come_back_there_and_that_is_said(
    machines: Machines, engines: Engines, play: Play, hole: Path
) -> None:
    for machine in machines.values():
        machine.deployed("r3", "v3", "green")
    for engine in engines.values():
        before = engine.entries
        engine.runs("v3", "green")
        engine.entries |= {name: {**entry, "State": "exited"} for name, entry in before.items()}
    hole.write_text("plugins.modules.container_switch")
    done = play("abort")
    assert (done.status, done.stats["bluegreen_result"]["outcome"]) == (0, "aborted"), done.output
    assert [engine.running for engine in engines.values()] == [[V3], [V2]], done.output
    (told,) = done.of("Say that nothing warm is left on this VM")
    # ansible-core 2.19 puts "Task failed:" before it.
    assert (told.host, told.msg.replace("Task failed: ", "")) == (
        "green1",
        "v2 could not be brought back here: nobody is there",
    )


@pytest.mark.long
def test_nor_for_started_again_after_a_rollback_that_did_not_wait_for_it(
    machines: Machines, engines: Engines, play: Play, hole: Path
) -> None:
    assert play("retire", at_once=True).status == 0
    hole.write_text("plugins.modules.container_switch")
    done = play("rollback")
    assert [engine.running for engine in engines.values()] == [[], [V2]], done.output
    all_on(machines, GREEN)
    result = done.stats["bluegreen_result"]
    assert (done.status, result["outcome"]) == (0, "reverted"), done.output
    assert result["message"].endswith(
        "; but it was retired and was not started again everywhere: green1: lost on the way"
    )


@pytest.mark.long
def test_a_vm_that_the_limit_leaves_out_is_named_as_one_that_was_not_started_again(
    engines: Engines, play: Play
) -> None:
    assert play("retire", at_once=True).status == 0
    done = play("rollback", "--limit", "localhost,loadbalancers,green2")
    assert [engine.running for engine in engines.values()] == [[], [V2]], done.output
    assert done.stats["bluegreen_result"]["message"].endswith("not started again everywhere: green1: was not begun")


@pytest.mark.long
def test_a_rollback_that_has_started_all_of_it_says_nothing_of_that(engines: Engines, play: Play) -> None:
    assert play("retire", at_once=True).status == 0
    done = play("rollback")
    assert [engine.running for engine in engines.values()] == [[V2], [V2]], done.output
    assert "started again" not in done.stats["bluegreen_result"]["message"]
