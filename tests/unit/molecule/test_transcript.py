# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a scenario that was really run. The lines are Molecule's own, as it printed them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SEQUENCE = ["side_effect start.yml", "converge", "verify tests/after_converge"]
GOOD = """\
INFO     [default > create] Executing
WARNING  [default > create] Skipping, instances already created.
INFO     [default > create] Executed: Skipped (Skipping, instances already created.)
INFO     [shop_sold > side_effect] Executing
INFO     [shop_sold > side_effect] Executed: Successful
INFO     [shop_sold > converge] Executing
INFO     [shop_sold > converge] Executed: Successful
INFO     [shop_sold > verify] Executing
INFO     [shop_sold > verify] Executing Testinfra tests found in /shop/molecule/shop_sold/tests/...
============================== 3 passed in 0.70s ===============================
INFO     [shop_sold > verify] Executed: Successful
INFO     [default > destroy] Executing
WARNING  [default > destroy] Skipping, '--destroy=never' requested.
INFO     [default > destroy] Executed: Successful
"""


@pytest.fixture(scope="module")
def module() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "molecule" / "transcript.py"
    spec = importlib.util.spec_from_file_location("transcript", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["transcript"] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def problems(module: ModuleType, text: str, status: int = 0, sequence: list[str] = SEQUENCE) -> list[str]:
    transcript: Any = module.Transcript("shop_sold", sequence)
    for now, line in enumerate(text.splitlines(keepends=True)):
        transcript.read(line, float(now))
    found: list[str] = transcript.problems(status)
    return found


def test_a_scenario_that_did_all_its_steps_has_no_problem(module: ModuleType) -> None:
    assert problems(module, GOOD) == []


def test_the_tests_and_seconds_of_each_step_are_read(module: ModuleType) -> None:
    transcript: Any = module.Transcript("shop_sold", SEQUENCE)
    for now, line in enumerate(GOOD.splitlines()):
        transcript.read(line, float(now))
    assert transcript.tests == 3
    assert [step.seconds for step in transcript.steps] == [1.0, 1.0, 3.0]


def test_colours_change_nothing(module: ModuleType) -> None:
    coloured = GOOD.replace("Executed", "\x1b[31mExecuted").replace("Successful", "Successful\x1b[0m")
    assert problems(module, coloured) == []


def test_an_exit_status_is_a_problem_whatever_was_printed(module: ModuleType) -> None:
    assert problems(module, GOOD, status=2) == ["Molecule's exit status is 2"]


def test_a_missing_playbook_is_a_problem(module: ModuleType) -> None:
    missing = "WARNING  [shop_sold > side_effect] Executed: Missing playbook (Remove from test_sequence to suppress)"
    text = GOOD.replace("INFO     [shop_sold > side_effect] Executed: Successful", missing)
    assert problems(module, text) == [
        "step 1 (side_effect): Missing playbook (Remove from test_sequence to suppress)",
    ]


def test_a_step_that_was_never_begun_is_a_problem(module: ModuleType) -> None:
    text = "".join(line for line in GOOD.splitlines(keepends=True) if "converge" not in line)
    assert problems(module, text) == [
        "the sequence is side_effect, converge, verify, but what was run is side_effect, verify",
    ]


def test_a_step_that_never_ended_is_a_problem(module: ModuleType) -> None:
    text = GOOD.replace("INFO     [shop_sold > converge] Executed: Successful\n", "")
    assert problems(module, text) == ["step 2 (converge): not ended"]


def test_no_tests_found_is_a_problem(module: ModuleType) -> None:
    text = GOOD.replace(
        "============================== 3 passed in 0.70s ===============================",
        "WARNING  [shop_sold > verify] Skipping, no tests found.",
    )
    assert problems(module, text) == [
        "WARNING  [shop_sold > verify] Skipping, no tests found.",
        "step 3 (verify): no test passed in it",
    ]


def test_a_verify_in_which_every_test_was_skipped_is_a_problem(module: ModuleType) -> None:
    assert problems(module, GOOD.replace("3 passed", "3 skipped")) == [
        "3 tests skipped",
        "step 3 (verify): no test passed in it",
    ]


def test_warnings_of_pytest_are_no_problem(module: ModuleType) -> None:
    assert problems(module, GOOD.replace("3 passed", "3 passed, 1 warning")) == []


def test_a_play_that_no_host_matched_is_a_problem(module: ModuleType) -> None:
    text = GOOD.replace("INFO     [shop_sold > converge] Executed", "skipping: no hosts matched\n\\g", 1)
    text = text.replace("\\g", "INFO     [shop_sold > converge] Executed")
    assert problems(module, text) == ["skipping: no hosts matched"]


DRY = """\
INFO     [shop_sold > check] Executing
PLAY [{play}] ****************************************
skipping: no hosts matched
INFO     [shop_sold > check] Executed: Successful
"""


def test_a_dry_run_has_none_of_the_hosts_that_it_would_make(module: ModuleType) -> None:
    text = DRY.format(play="See that every host is ready") + GOOD
    assert problems(module, text, sequence=["check", *SEQUENCE]) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(DRY.format(play="Make the hosts"), id="another play of the dry run"),
        pytest.param(
            DRY.format(play="See that every host is ready").replace("> check]", "> converge]"), id="not a dry run"
        ),
    ],
)
def test_elsewhere_a_play_without_hosts_is_a_problem(module: ModuleType, text: str) -> None:
    action = "check" if "check" in text else "converge"
    assert problems(module, text + GOOD, sequence=[action, *SEQUENCE]) == ["skipping: no hosts matched"]


def test_a_sequence_without_a_verify_is_a_problem(module: ModuleType) -> None:
    text = "".join(line for line in GOOD.splitlines(keepends=True) if "verify" not in line and "passed" not in line)
    assert problems(module, text, sequence=SEQUENCE[:2]) == ["the sequence has no verify"]


def test_the_steps_of_another_scenario_do_not_count(module: ModuleType) -> None:
    assert problems(module, GOOD.replace("shop_sold", "default")) != []
