# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of Molecule really did, read from what it printed: its exit status is 0 as well where it did nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Optional

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EXECUTING = re.compile(r"^INFO +\[(?P<scenario>\S+) > (?P<action>\w+)\] Executing$")
EXECUTED = re.compile(r"^[A-Z]+ +\[(?P<scenario>\S+) > (?P<action>\w+)\] Executed: (?P<how>.*)$")
CLOSING = re.compile(r"^=+ (?P<counts>(?:\d+ \w+(?:, )?)+) in [\d.]+s.* =+$")
PLAY = re.compile(r"^PLAY \[(?P<name>.*)\] \**$")
NO_HOSTS = "skipping: no hosts matched"
ON_NEW_HOSTS = "See that every host is ready"
"""The play of ``provision`` that a dry run, which makes no hosts, has none for."""
NOTHING_DONE = ("Could not match supplied host pattern", "no tests found", "no tests ran")


@dataclass
class Step:
    """One step of a scenario's sequence; ``tests`` is how many tests of a ``verify`` passed, times are seconds."""

    action: str
    began: float
    ended: Optional[float] = None
    how: str = "not ended"
    tests: int = 0

    @property
    def seconds(self) -> float:
        return self.ended - self.began if self.ended is not None else 0.0


@dataclass
class Transcript:
    """Takes the lines of ``molecule test`` for ``scenario`` one by one, with the time at which each came.

    ``sequence`` is the scenario's own: a step such as ``verify tests/after_check`` is announced as ``verify``.
    """

    scenario: str
    sequence: list[str]
    steps: list[Step] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    play: str = ""

    def read(self, line: str, now: float) -> Optional[Step]:
        """Take one line in; the step that it ends, if it does."""
        line = COLOUR.sub("", line).rstrip()
        if (found := EXECUTING.match(line)) and found["scenario"] == self.scenario:
            self.steps.append(Step(found["action"], now))
        elif (found := EXECUTED.match(line)) and found["scenario"] == self.scenario and self.steps:
            self.steps[-1].ended, self.steps[-1].how = now, found["how"]
            return self.steps[-1]
        elif (found := CLOSING.match(line)) and self.steps and self.steps[-1].action == "verify":
            self._count(found["counts"])
        elif found := PLAY.match(line):
            self.play = found["name"]
        elif any(words in line for words in NOTHING_DONE) or (NO_HOSTS in line and not self._awaits_hosts):
            self.troubles.append(line)
        return None

    @property
    def _awaits_hosts(self) -> bool:
        """Whether this is a dry run of the play for hosts that it has not made."""
        return bool(self.steps) and self.steps[-1].action == "check" and self.play == ON_NEW_HOSTS

    def _count(self, counts: str) -> None:
        numbers = {what: int(number) for number, what in (part.split() for part in counts.split(", "))}
        self.steps[-1].tests += numbers.pop("passed", 0)
        for harmless in ("warning", "warnings"):
            numbers.pop(harmless, 0)
        self.troubles += [f"{number} tests {what}" for what, number in numbers.items()]

    @property
    def tests(self) -> int:
        """How many tests passed in all."""
        return sum(step.tests for step in self.steps)

    def problems(self, status: int) -> list[str]:
        """One sentence for each thing that was not done or went wrong; ``status`` is Molecule's exit status."""
        found = [f"Molecule's exit status is {status}"] if status else []
        found += self.troubles
        wanted = [step.split()[0] for step in self.sequence]
        done = [step.action for step in self.steps]
        if done != wanted:
            found.append(f"the sequence is {', '.join(wanted)}, but what was run is {', '.join(done) or 'nothing'}")
        for number, step in enumerate(self.steps, 1):
            if step.how != "Successful":
                found.append(f"step {number} ({step.action}): {step.how}")
            if step.action == "verify" and not step.tests:
                found.append(f"step {number} (verify): no test passed in it")
        if "verify" not in wanted:
            found.append("the sequence has no verify")
        return found
