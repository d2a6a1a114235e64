# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Molecule for `make test-molecule`, says how far it is, and ends with a table."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from pages import BESIDE, lab_of, sequence
from transcript import Step, Transcript

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "molecule"
STATE = BUILD / "state"
BIN = Path(sys.executable).parent
SHOWN_ON_FAILURE = 60

Say = Callable[[str], None]
finished: list[tuple[Transcript, float]] = []


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """Prints a line at once, although pytest captures what tests print."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def show(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    return show


def molecule(*arguments: str, log: Path, each: Callable[[str], object], state: Path = STATE) -> int:
    """Run Molecule, hand over each line of its output as it comes, and keep all in ``log``; its exit status."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(state),
        "MOLECULE_COMMAND_BORDERS": "0",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("PYTEST_CURRENT_TEST", None)
    command = [str(BIN / "molecule"), "-c", "molecule/shared/config.yml", *arguments]
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            each(line)
    return process.returncode


def end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8").splitlines()
    return "\n".join([f"The end of {log.relative_to(ROOT)}:", *lines[-SHOWN_ON_FAILURE:]])


@pytest.fixture(scope="session")
def make_lab(say: Say) -> Iterator[Callable[[str], None]]:
    """Makes the hosts that a scenario creates, once; removed at the end, unless the environment says KEEP=1."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    labs: list[str] = []

    def make(lab: str) -> None:
        if lab in labs:
            return
        labs.append(lab)
        began = time.monotonic()
        log = BUILD / "create.log"
        status = molecule("create", "-s", lab, log=log, each=lambda _line: None)
        say(f"\nthe lab: {time.monotonic() - began:.0f} s")
        if status:
            pytest.fail(f"The lab cannot be made. {end_of(log)}", pytrace=False)

    try:
        yield make
    finally:
        for lab in labs if os.environ.get("KEEP", "") in ("", "0") else []:
            log = BUILD / "destroy.log"
            status = molecule("destroy", "-s", lab, log=log, each=lambda _line: None)
            if status:
                say(f"\nThe lab could not be removed. {end_of(log)}")


def run_alone(scenario: str, say: Say, state: Path = STATE) -> list[str]:
    """Run one scenario on hosts that are there; the problems, one sentence each."""
    began = time.monotonic()
    transcript = Transcript(scenario, sequence(scenario))
    log = BUILD / f"{scenario}.log"

    def each(line: str) -> None:
        step = transcript.read(line, time.monotonic())
        if step is not None:
            say(told(step, transcript))

    status = molecule("test", "-s", scenario, "--destroy=never", log=log, each=each, state=state)
    finished.append((transcript, time.monotonic() - began))
    problems = transcript.problems(status)
    return [*problems, end_of(log)] if problems else []


class Beside:
    """Runs rows of scenarios beside each other. What they say is printed by the thread that waits for them."""

    def __init__(self, rows: list[list[str]]) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        self.pool = ThreadPoolExecutor(max_workers=max(1, len(rows)))
        self.results: dict[str, Future[list[str]]] = {scenario: Future() for row in rows for scenario in row}
        for row in rows:
            self.pool.submit(self._run, row)

    def _run(self, row: list[str]) -> None:
        for scenario in row:
            try:
                # Molecule writes there while it runs, and would write what another one reads.
                state = Path(shutil.copytree(STATE, BUILD / f"state-{scenario}"))
                self.results[scenario].set_result(run_alone(scenario, self.lines.put, state))
            except BaseException as error:  # noqa: BLE001 - whoever waits for the scenario gets it
                self.results[scenario].set_exception(error)

    def result(self, scenario: str, say: Say) -> list[str]:
        """Wait for it; the problems, one sentence each."""
        self._wait(self.results[scenario], say)
        return self.results[scenario].result()

    def end(self, say: Say) -> None:
        """Wait for all, whatever came of them."""
        for result in self.results.values():
            self._wait(result, say)
        self.pool.shutdown()

    def _wait(self, result: Future[list[str]], say: Say) -> None:
        while not (result.done() and self.lines.empty()):
            with contextlib.suppress(queue.Empty):
                say(self.lines.get(timeout=0.2))


@pytest.fixture(scope="session")
def run(
    request: pytest.FixtureRequest, make_lab: Callable[[str], None], say: Say
) -> Iterator[Callable[[str], list[str]]]:
    """Runs one scenario on its lab; the problems, one sentence each. The first of ``BESIDE`` begins all of them."""
    chosen = {item.callspec.params["scenario"] for item in request.session.items}
    rows = [row for row in ([name for name in row if name in chosen] for row in BESIDE) if row]
    begun: list[Beside] = []

    def run_scenario(scenario: str) -> list[str]:
        make_lab(lab_of(scenario))
        say("")
        if any(scenario in row for row in rows):
            if not begun:
                begun.append(Beside(rows))
            return begun[0].result(scenario, say)
        for beside in begun:
            beside.end(say)
        return run_alone(scenario, say)

    yield run_scenario
    for beside in begun:
        beside.end(say)


def told(step: Step, transcript: Transcript) -> str:
    """A line on a step that has ended."""
    number = len(transcript.steps)
    name = transcript.sequence[number - 1] if number <= len(transcript.sequence) else step.action
    tests = f", {step.tests} tests" if step.action == "verify" else ""
    how = "" if step.how == "Successful" else f": {step.how}"
    return f"    {transcript.scenario:<20} {name:<36} {step.seconds:5.1f} s{tests}{how}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vms", action="store_true", help="only the scenarios on real VMs, left out otherwise")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scenarios with hosts of their own take long, and are run by those who ask for them."""
    chosen = [item for item in items if (item.get_closest_marker("vms") is not None) == config.getoption("--vms")]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a scenario: its tests and how long it took."""
    if not finished:
        return
    terminalreporter.section("scenarios")
    for transcript, seconds in finished:
        terminalreporter.write_line(f"{transcript.scenario:<24} {transcript.tests:>4} tests {seconds:6.1f} s")
    tests = sum(transcript.tests for transcript, _seconds in finished)
    terminalreporter.write_line(f"{'all':<24} {tests:>4} tests {sum(seconds for _, seconds in finished):6.1f} s")
