# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets of latency: their bounds, the map that HAProxy finds them by, and the table that it tells."""

from __future__ import annotations

import ipaddress
import math
from bisect import bisect_right
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._latency import (
    BOUNDS,
    PLACES,
    histograms,
    map_lines,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from hypothesis import given, settings
from hypothesis import strategies as st

FILES = Path(__file__).resolve().parents[5] / "roles" / "haproxy" / "files"
NETWORKS = [(ipaddress.ip_network(network), int(bucket)) for network, bucket in (line.split() for line in map_lines())]
STATES = """1
# be_id be_name srv_id srv_name srv_addr
4 shop 1 blue1 127.0.0.1
4 shop 2 green1 127.0.0.1"""


class Told(RuntimeSocket):
    """A socket that gives one answer for the table."""

    def __init__(self, answer: str) -> None:
        super().__init__("/nonexistent")
        self.answer = answer

    def run(self, commands: object) -> list[str]:
        return [self.answer, STATES]


def test_bounds_rise_by_at_most_15_per_cent_between_1_ms_and_30_s_and_end_with_infinity() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert math.isinf(BOUNDS[-1])
    assert BOUNDS[0] < 0.001
    assert BOUNDS[-2] >= 30
    for low, high in zip(BOUNDS[:-1], BOUNDS[1:-1]):
        assert high / low <= 1.15 + 1e-9, f"{low} to {high}"
    assert len(BOUNDS) <= PLACES


@given(st.one_of(st.integers(0, 2**31 - 1), st.integers(0, 40_000_000)))
@settings(max_examples=200, deadline=None)
def test_every_time_is_in_the_one_network_of_its_bucket(microseconds: int) -> None:
    address = ipaddress.ip_address(microseconds)
    found = [bucket for network, bucket in NETWORKS if address in network]
    assert found == [bisect_right(BOUNDS, microseconds / 1e6)]


def test_a_time_that_is_negative_is_in_no_network() -> None:
    for microseconds in (-1, -1_000_000):
        address = ipaddress.ip_address(microseconds % 2**32)
        assert not [network for network, _bucket in NETWORKS if address in network]


def test_the_map_that_the_role_installs_is_this_one() -> None:
    lines = (FILES / "latency-v1.map").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == list(map_lines()), (
        "HAProxy reads a map at its start only: give the changed map another name"
    )


def test_counts_come_by_server_and_bucket() -> None:
    table = (
        "# table: shop_latency, type: integer, size:256, used:3\n"
        f"0x1: key={2 * PLACES + 5} use=0 exp=0 conn_cnt=7\n"
        f"0x2: key={2 * PLACES + 109} use=1 exp=0 shard=0 conn_cnt=1\n"
    )
    found = histograms(Told(table), "shop")
    assert found is not None
    assert found["blue1"] == [0] * len(BOUNDS)
    assert {bucket: count for bucket, count in enumerate(found["green1"]) if count} == {5: 7, 109: 1}


@pytest.mark.parametrize("key", [3 * PLACES, PLACES + len(BOUNDS), "x"])
def test_an_entry_of_no_known_server_or_bucket_is_refused(key: object) -> None:
    with pytest.raises(BalancerError, match="cannot be read: 0x1"):
        histograms(Told(f"# table: shop_latency, used:1\n0x1: key={key} use=0 exp=0 conn_cnt=7"), "shop")


def test_a_balancer_without_such_a_table_has_no_histogram() -> None:
    assert histograms(Told("No such table"), "shop") is None
