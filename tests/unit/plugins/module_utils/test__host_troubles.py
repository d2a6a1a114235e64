# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lacks is said in one sentence each, and nothing is said of one that lacks nothing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._host_troubles import troubles

SEEN: dict[str, Any] = {
    "distribution": "Debian",
    "release": "12.5",
    "cpus": "2",
    "memory_mib": "960",
    "disk_mib": "9800",
    "disk_free_mib": "8000",
    "root": True,
    "root_error": "",
    "clock": {"before": "1000.5", "there": "1000.9", "after": "1001.2"},
}
LEAST: dict[str, Any] = {
    "cpus": 2,
    "memory_mib": 1024,
    "disk_gib": 10,
    "disk_free_gib": 2,
    "clock": 5,
    "distributions": {"Debian": ["11", "12"], "Ubuntu": ["22.04"]},
}


def test_a_host_that_is_what_was_asked_for_has_no_trouble() -> None:
    assert troubles(SEEN, LEAST) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"root": False, "root_error": "Missing\n sudo password"}, "become root (Missing sudo password)"),
        ({"distribution": "Fedora", "release": "40"}, "runs Fedora 40, and what the roles prepare is Debian 11, 12; "),
        ({"release": "1"}, "runs Debian 1,"),
        ({"distribution": "Ubuntu", "release": "22.10"}, "runs Ubuntu 22.10"),
        ({"cpus": 1}, "has 1 CPUs, and 2 are wanted"),
        ({"memory_mib": 800}, "has 800 MiB of memory, and 1024 MiB are wanted"),
        ({"disk_mib": 5000}, "has a disk of 4.9 GiB at /var, and 10 GiB are wanted"),
        ({"disk_free_mib": 1000}, "has 1.0 GiB free at /var, and images need 2 GiB"),
        ({"clock": {"before": 1000, "there": 1010, "after": 1001}}, "9 s or more ahead"),
        ({"clock": {"before": 1000, "there": 990, "after": 1001}}, "10 s or more behind"),
    ],
)
def test_each_trouble_is_named_with_what_was_seen(change: dict[str, Any], words: str) -> None:
    found = troubles({**SEEN, **change}, LEAST)
    assert len(found) == 1, found
    assert words in found[0]


def test_a_clock_that_was_read_at_some_moment_of_a_long_look_is_not_suspected() -> None:
    for there in (996, 1000, 1050, 1100, 1104):
        assert troubles({**SEEN, "clock": {"before": 1000, "there": there, "after": 1100}}, LEAST) == []


def test_all_troubles_of_a_host_are_told() -> None:
    assert len(troubles({**SEEN, "cpus": 1, "root": False, "disk_free_mib": 0}, LEAST)) == 3
