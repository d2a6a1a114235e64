# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of the runs, and with which exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chaos import __main__ as program
from chaos import points
from chaos.__main__ import Story, exit_status, report, verdict
from chaos.judge import Run
from chaos.kept import Kept, Result
from chaos.points import Case, Moment

CASES = [
    Case(points.KILL_AT_BOUNDARY, Moment(number, None, f"before task {number}"), ("release",)) for number in (1, 2, 3)
]


class PretendedLoad:
    died = False

    def __init__(self, folder: Path) -> None:
        self.path = folder / "requests.csv"


class PretendedLane:
    service = "shop"


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    monkeypatch.setattr(program, "digest", lambda *_given: "new")
    monkeypatch.setattr(program, "TABLE", tmp_path / "chaos.json")
    load: Any = PretendedLoad(tmp_path)
    return Story(Kept(tmp_path), load, "new", 20.0)


def results(*cases: Case, **changes: Any) -> dict[str, Result]:
    given = {"problems": [], "collection": "new", **changes}
    found = [
        Result(case.title, case.fault.row, "shop", 100.0, 40.0, requests_lost=0, seconds_to_safe=4.0, **given)
        for case in cases
    ]
    return {result.title: result for result in found}


@pytest.mark.parametrize(
    ("left", "partly", "status"), [(0, False, 0), (0, True, 0), (5, True, 0), (5, False, 3)], ids=str
)
def test_what_is_left_is_no_success_unless_a_part_was_asked_for(left: int, partly: bool, status: int) -> None:
    assert exit_status(False, 10, left, partly) == status
    assert exit_status(True, 10, left, partly) == exit_status(False, 0, left, partly) == 1


def test_every_promise_was_kept_only_where_every_case_was_run(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(CASES, "", results(*CASES), story, 0.0, 3, False) == 0
    assert "\nEvery promise was kept.\n" in capsys.readouterr().out
    assert report(CASES, "task 1", results(*CASES[:1]), story, 0.0, 3, True) == 0
    assert "Every promise was kept in what was run; 2 of 3 cases are left." in capsys.readouterr().out
    assert report(CASES, "", results(*CASES, collection="old"), story, 0.0, 3, False) == 3
    assert "3 of 3 cases are left" in capsys.readouterr().out
    assert report(CASES, "", results(*CASES, problems=["stranded"]), story, 0.0, 3, False) == 1
    assert json.loads(program.TABLE.read_text())[0]["promises_kept"] == 0


def test_of_nothing_nothing_is_said() -> None:
    assert verdict(False, 0, 3, 3) == "Nothing was run."


def test_without_a_load_no_run_has_kept_anything_and_no_other_is_begun(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PretendedLoad, "died", True)
    lane: Any = PretendedLane()
    with pytest.raises(SystemExit, match="2"):
        story.tell(lane, Run(CASES[0], began=90.0, ended=130.0))
    assert story.results[0].problems[-1] == "the load has ended by itself"


def test_what_only_the_requests_show_is_told_once_they_are_written_down(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    lane: Any = PretendedLane()
    story.tell(lane, Run(CASES[0], began=90.0, ended=130.0, urls=["one"]))
    told = capsys.readouterr().out.splitlines()
    (late,) = [line for line in told if "BROKEN by its requests" in line]
    assert late.endswith("0 requests to one instead of about 400, so nobody knows what was lost")
