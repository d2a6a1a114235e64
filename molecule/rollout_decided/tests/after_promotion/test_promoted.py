# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After v2 took over from v1: committed on every balancer, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://loadbalancers"]


def test_every_balancer_sends_everything_to_green_now_and_after_a_restart(
    runtime_weights: dict[str, int], disk_weights: dict[str, int]
) -> None:
    assert runtime_weights == disk_weights
    assert runtime_weights["green1"] > 0
    assert runtime_weights["blue1"] == 0


def test_the_file_says_which_split_is_committed(host: Host) -> None:
    first = host.file("/etc/haproxy/conf.d/shop.cfg").content_string.splitlines()[0]
    assert first == '# sluice.bluegreen service=shop shares={"blue": 0.0, "green": 100.0}'


def test_every_answer_is_from_v2(ask: Callable[[], Any]) -> None:
    assert {(answer.status, answer.version) for answer in (ask() for _ in range(20))} == {(200, "v2")}


def test_the_color_before_is_kept_warm(servers: dict[str, dict[str, str]]) -> None:
    assert servers["blue1"]["status"].startswith("UP")


def test_the_journal_tells_each_step_of_the_release(journal: Any) -> None:
    promoted = journal.of("promoted")
    assert [event["data"]["version"] for event in promoted] == ["v1", "v2"]
    told = journal.names(promoted[-1]["release_id"])
    assert told[0] == "release_started"
    assert told.count("stage_passed") == 2
    assert {"deployed", "shift", "committed"} <= set(told)


def test_no_line_of_the_journal_was_lost_or_changed(journal: Any) -> None:
    assert journal.broken_links == []


def test_neither_lock_nor_lease_is_left(left_behind: list[str]) -> None:
    assert left_behind == []
