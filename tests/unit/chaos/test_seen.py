# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a load, read while it grows."""

from __future__ import annotations

from pathlib import Path

from chaos.seen import Seen


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
