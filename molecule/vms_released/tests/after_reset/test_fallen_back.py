# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer lost its power in the middle of a stage, and the controller was gone: each balancer helped itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://loadbalancers"]


@pytest.fixture
def held(output: Path, name: str) -> str:
    """What this balancer showed in the middle of the stage."""
    return str(json.loads((output / "held.json").read_text(encoding="utf-8"))[name])


def test_a_timer_of_systemd_held_the_lease(held: str) -> None:
    assert re.search(r"sluice-lease\S*\.timer", held), held


def test_the_disk_had_the_committed_split_all_the_time(held: str) -> None:
    weights = dict(re.findall(r"server (\w+) .*?\bweight (\d+)", held))
    assert weights["green1"] == "0"
    assert int(weights["blue1"]) > 0


def test_only_the_balancer_whose_button_was_pressed_has_booted(host: Host, held: str, name: str) -> None:
    booted = host.file("/proc/sys/kernel/random/boot_id").content_string.strip() not in held
    assert booted == (name == "edge1")


def test_every_balancer_works_with_what_is_committed(
    ask: Callable[[], Any], runtime_weights: dict[str, int], disk_weights: dict[str, int]
) -> None:
    assert runtime_weights == disk_weights
    assert runtime_weights["green1"] == 0
    assert {(answer.status, answer.version) for answer in (ask() for _ in range(5))} == {(200, "v1")}


def test_only_where_there_was_no_boot_a_lease_had_to_run_out(journal: Any, name: str) -> None:
    assert len(journal.of("lease_expired")) == (0 if name == "edge1" else 1)
    assert journal.broken_links == []


def test_no_timer_is_left(host: Host) -> None:
    assert "sluice-lease" not in host.check_output("systemctl list-timers --all --no-legend")
