# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results that outlive the harness, and the table that is made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos import points, table
from chaos.judge import Balancer, Command, Look, Run
from chaos.kept import Kept, Result, digest, left_over
from chaos.points import Case, Moment, Task
from chaos.seen import Seen
from demo.traffic import Request

BLUE = {"blue1": 256, "green1": 0}
CASES = [
    Case(points.KILL_AT_BOUNDARY, Moment(5, None, "before task 5"), ("release",)),
    Case(points.KILL_AT_BOUNDARY, Moment(6, None, "before task 6"), ("rollback",)),
    Case(points.LATE_TWIN, Moment(5, None, "before a stage"), ("rollback", "release")),
]


def result(case: Case = CASES[0], **changes: Any) -> Result:
    kept = Result(case.title, case.fault.row, "shop", 1800000000.0, 40.0, "new", 0, 4.0, [])
    return replace(kept, **changes)


def by_title(*results: Result) -> dict[str, Result]:
    return {one.title: one for one in results}


def test_a_result_is_what_the_judge_says_of_a_run() -> None:
    seen = Balancer(BLUE, {"blue": 100.0}, BLUE, None, False, False, [], "blue", "v1", None)
    look = Look(104.0, {"lb1": seen})
    run = Run(CASES[0], began=90.0, ended=130.0, since=100.0, urls=["one"], version="v1", looks=[look], last=look)
    run.commands, run.served = [Command("release", 0, "")], {"lb1": "v1"}
    seen = Seen(Path("/nowhere"))
    seen.failures.append(Request(101.0, "one", 503, "", ""))
    made = Result.of(run, "cart", "new", 10.0, 0.0, seen)
    assert made == result(
        service="cart", at=90.0, requests_lost=1, problems=["1 requests lost (one: 503)"], seconds=40.0
    )


def test_what_is_kept_is_read_again_and_the_last_result_of_a_case_counts(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert kept.latest() == {}
    for one in (result(problems=["lost"], collection="old"), result(CASES[1]), result()):
        kept.add(one)
    assert Kept(tmp_path).latest() == by_title(result(), result(CASES[1]))


def test_a_promise_that_was_broken_is_not_kept_by_a_better_run_of_the_same_collection(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for one in (result(problems=["lost"]), result()):
        kept.add(one)
    assert kept.latest() == by_title(result(problems=["lost"]))
    kept.add(result(problems=["stranded"]))
    assert kept.latest() == by_title(result(problems=["stranded"]))


def test_a_line_that_a_killed_harness_did_not_end_costs_that_line_only(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add(result())
    with kept.results.open("a") as lines:
        lines.write('{"title": "half')
    assert kept.latest() == by_title(result())
    kept.add(result(CASES[1]))
    assert kept.latest() == by_title(result(), result(CASES[1]))


def test_the_counted_tasks_hold_for_the_collection_that_was_counted(tmp_path: Path) -> None:
    kept, tasks = Kept(tmp_path), [Task(1, "Read", "Read the page", 0.5)]
    assert kept.tasks("old") is None
    kept.keep_tasks("old", tasks)
    assert kept.tasks("old") == tasks
    assert kept.tasks("new") is None


def test_what_was_run_with_another_collection_is_left_over() -> None:
    results = by_title(result(), result(CASES[1], collection="old"))
    assert left_over(CASES, results, "new") == CASES[1:]
    assert left_over(CASES, {}, "new") == CASES


def test_the_digest_changes_with_what_a_release_is_made_of_and_with_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "roles" / "deploy").mkdir(parents=True)
    task = tmp_path / "roles" / "deploy" / "main.yml"
    task.write_text("- name: Deploy\n")
    first = digest(tmp_path)
    (tmp_path / "roles" / "deploy" / "README.md").write_text("words")
    assert digest(tmp_path, 10.0, 20.0) != digest(tmp_path, 10.0, 60.0)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "chaos.yml").write_text("words")
    (tmp_path / "roles" / "awx").mkdir()
    (tmp_path / "roles" / "awx" / "main.yml").write_text("- name: Make the templates\n")
    assert digest(tmp_path) == first
    (tmp_path / "chaos" / "inventory").mkdir(parents=True)
    (tmp_path / "chaos" / "judge.py").write_text("words")
    (tmp_path / "chaos" / "inventory" / "hosts.yml").write_text("elsewhere")
    assert digest(tmp_path) == first
    page = tmp_path / "chaos" / "inventory" / "services.yml"
    page.write_text("margin: 3pp")
    assert digest(tmp_path) != first
    page.unlink()
    task.write_text("- name: Deplox\n")
    changed = digest(tmp_path)
    task.rename(task.with_name("other.yml"))
    assert len({first, changed, digest(tmp_path)}) == 3


def test_a_row_has_the_worst_of_its_runs() -> None:
    later = result(CASES[1], at=1800000600.0, seconds_to_safe=9.04, requests_lost=2, problems=["2 requests lost"])
    first, second = table.rows(CASES, by_title(result(collection="old"), later), "new")
    assert first == {
        "fault": points.KILL_AT_BOUNDARY.row,
        "cases": 2,
        "runs": 2,
        "promises_kept": 1,
        "worst_requests_lost": 2,
        "worst_seconds_to_safe": 9.0,
        "first_run": "2027-01-15 08:00",
        "last_run": "2027-01-15 08:10",
        "outdated": 1,
        "broken": [{"run": CASES[1].title, "problems": ["2 requests lost"]}],
    }
    assert (second["fault"], second["cases"], second["runs"]) == (points.LATE_TWIN.row, 1, 0)


def test_results_of_cases_that_are_not_enumerated_any_more_do_not_count() -> None:
    (row,) = table.rows(CASES[:1], by_title(result(), result(CASES[1])), "new")
    assert row["runs"] == 1


def test_the_table_says_all_or_how_many_and_never_and_what_was_not_run() -> None:
    stranded = result(CASES[1], seconds_to_safe=None, problems=["never safe"], collection="old")
    cells = table.cells(table.rows(CASES, by_title(result(), stranded), "new"))
    assert cells[1][1:] == ["2", "2", "1 of 2", "0", "never", "2027-01-15 08:00", "1"]
    assert cells[2][1:] == ["1", "0", "-", "-", "-", "-", "-"]
    assert table.cells(table.rows(CASES[:1], by_title(result()), "new"))[1][3:] == [
        "all",
        "0",
        "4.0",
        "2027-01-15 08:00",
        "-",
    ]
