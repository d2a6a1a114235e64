# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading HAProxy's statistics, against answers recorded from the versions that the collection supports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import (
    parse_info,
    parse_states,
    parse_stats,
)

RECORDED = {path.stem.split("-")[1]: path for path in sorted((Path(__file__).parent / "recorded").glob("*.json"))}


@pytest.fixture(params=sorted(RECORDED))
def answers(request: pytest.FixtureRequest) -> dict[str, str]:
    recorded = json.loads(RECORDED[request.param].read_text())
    return {command: "\n".join(lines) for command, lines in recorded.items()}


def test_every_supported_version_is_recorded() -> None:
    assert sorted(RECORDED) == ["2.2", "2.6", "3.0"]


def test_counters_are_requests_finished_and_requests_failed(answers: dict[str, str]) -> None:
    stats = parse_stats(answers["show stat"], "shop")
    assert list(stats) == ["blue1", "green1", "green2"]
    blue = stats["blue1"]
    assert blue.responses == {"1xx": 0, "2xx": 38, "3xx": 0, "4xx": 4, "5xx": 4, "other": 0}
    assert (blue.requests, blue.bad) == (46, 4)
    assert (blue.stot, blue.selected, blue.scur, blue.queue) == (46, 46, 0, 0)
    assert (blue.status, blue.check, blue.check_code, blue.up) == ("UP", "L7OK", 200, True)


def test_a_server_that_is_down_says_why(answers: dict[str, str]) -> None:
    down = parse_stats(answers["show stat"], "shop")["green2"]
    assert (down.status, down.up, down.requests) == ("DOWN", False, 0)
    assert (down.check, down.check_code, down.check_text) == ("L4CON", None, "Connection refused")


def test_weights_are_those_set_at_runtime(answers: dict[str, str]) -> None:
    states = parse_states(answers["show servers state"], "shop")
    assert {name: state.weight for name, state in states.items()} == {"blue1": 247, "green1": 13, "green2": 0}
    assert (states["green1"].address, states["green1"].port) == ("127.0.0.1", 18782)
    assert (states["green1"].operational, states["green2"].operational) == ("running", "stopped")
    assert states["green1"].admin == "ready"


def test_the_process_names_itself(answers: dict[str, str]) -> None:
    info = parse_info(answers["show info"])
    assert info.version[:2] in ("2.", "3.")
    assert info.pid > 1
    assert info.uptime >= 0


def test_columns_of_a_future_version_do_not_matter() -> None:
    reply = (
        "# pxname,svname,new,hrsp_5xx,hrsp_2xx,status,econ,eresp,weight\n"
        'shop,"green,1","a ""quoted"", text",2,5,UP 1/3,1,,7\n'
        "shop_blue,other,,1,1,UP,,,1"
    )
    stats = parse_stats(reply, "shop")
    assert list(stats) == ["green,1"]
    assert (stats["green,1"].requests, stats["green,1"].bad, stats["green,1"].weight) == (8, 3, 7)
    assert stats["green,1"].up, "a server on its way down still gets requests"


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (0, "ready"),
        (1, "maintenance"),
        (2, "maintenance"),
        (0x20, "maintenance"),
        (8, "drain"),
        (0x10, "drain"),
        (9, "maintenance"),
    ],
)
def test_states_given_by_hand_are_named(mask: int, expected: str) -> None:
    reply = (
        "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port\n"
        f"3 shop 1 green1 10.0.0.1 2 {mask} 5 6 80"
    )
    assert parse_states(reply, "shop")["green1"].admin == expected


def test_a_backend_that_is_not_there_is_named_with_the_way_out() -> None:
    with pytest.raises(BalancerError, match=r"no backend shop with servers\. Run sluice\.bluegreen\.site"):
        parse_states("Can't find backend.", "shop", "/run/haproxy/admin.sock")
    with pytest.raises(BalancerError, match="no backend shop with servers"):
        parse_stats("# pxname,svname,status\n", "shop")


@pytest.mark.parametrize("reply", ["", "Permission denied", "2\n# be_id new format\n", "1\n# be_id be_name\n1 shop"])
def test_an_answer_that_cannot_be_read_is_never_taken_for_weights(reply: str) -> None:
    with pytest.raises(BalancerError, match="cannot be read"):
        parse_states(reply, "shop")


@pytest.mark.parametrize("reply", ["", "Permission denied", "Name: HAProxy"])
def test_an_answer_that_cannot_be_read_is_never_taken_for_counters(reply: str) -> None:
    with pytest.raises(BalancerError, match="cannot be read"):
        parse_stats(reply, "shop")
    with pytest.raises(BalancerError, match="cannot be read"):
        parse_info(reply)
