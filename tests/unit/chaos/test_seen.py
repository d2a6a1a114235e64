# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a load, read while it grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.seen import LATEST, REMEMBERED, Seen
from demo import traffic


def test_every_request_is_counted_once_and_those_that_failed_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    seen = Seen(path)
    seen.read()
    path.write_text("time,balancer,status,version,error,ms,new\n1.5,one,200,v1,,2.0,0\n2.5,two,503,,")
    seen.read()
    assert (seen.count, seen.failures) == (1, [])
    with path.open("a") as file:
        file.write("'',3.0,1\n3.5,one,0,,\"reset, by peer\",4.0,0\n")
    seen.read()
    seen.read()
    assert seen.count == 3
    assert [(one.at, one.balancer, one.status) for one in seen.failures] == [(2.5, "two", 503), (3.5, "one", 0)]
    assert seen.failures[1].error == "reset, by peer"


def test_who_answered_is_known_by_the_second_and_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    rows = ["100.1,one,200,v1,,2,0", "100.9,one,200,v2,,2,0", "101.0,one,503,v2,,2,0", "101.5,two,200,v1,,2,0"]
    path.write_text("\n".join(["time,balancer,status,version,error,ms,new", *rows, ""]))
    seen = Seen(path)
    seen.read()
    assert seen.answers("one", 100, 102) == {"v1": 1, "v2": 1, "": 1}
    assert seen.answers("one", 101.4, 102.6) == {"": 1}
    with path.open("a") as file:
        file.write(f"{101 + REMEMBERED}.5,one,200,v1,,2,0\n")
    seen.read()
    assert seen.answers("one", 100, 102) == {}


def test_a_request_may_take_longer_than_its_client_waits() -> None:
    assert LATEST > 2 * 10.0


def test_a_load_that_was_not_told_to_end_has_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "load.py"
    monkeypatch.setattr(traffic, "PROGRAM", program)
    program.write_text("raise SystemExit(0)")
    load = traffic.Load(tmp_path / "requests.csv", [], 10.0)
    load.process.wait(timeout=60)
    assert load.died
    load.end()
    assert load.died
    program.write_text("import time; time.sleep(600)")
    load = traffic.Load(tmp_path / "requests.csv", [], 10.0)
    assert not load.died
    load.end()
    assert not load.died
