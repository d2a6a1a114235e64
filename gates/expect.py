# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of a case, held against what had to come of it. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from gates.cases import Case

ENDED = ("promoted", "rolled_back", "paused", "failed")
# The verdicts that the outcomes of a release come from, as a replay calls them.
VERDICTS = {"promoted": "promote", "rolled_back": "rollback", "paused": "pause"}


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    what: str
    expected: str
    found: str
    met: bool


@dataclass(frozen=True)
class Answers:
    """What clients saw while the release ran: requests in all, those that failed, and the failed ones by version."""

    requests: int = 0
    failed: int = 0
    failed_of: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """One case as it went: exit status, journal ``events`` of its release, ``tape`` of its deciding stage as text.

    ``ill`` is the machine that was made to fail, ``replayed`` outcome and cause that the replay of the tape gave.
    """

    status: Optional[int]
    candidate: str
    events: Sequence[Mapping[str, Any]]
    tape: str = ""
    ill: str = ""
    replayed: str = ""
    answers: Answers = Answers()

    @property
    def end(self) -> Mapping[str, Any]:
        """The event that says what came of the release."""
        return next((event for event in self.events if event["event"] in ENDED), {"event": "none", "data": {}})

    @property
    def outcome(self) -> str:
        return str(self.end["event"])

    @property
    def cause(self) -> str:
        """A promotion has none but that it passed."""
        return str(self.end["data"].get("cause", "passed" if self.outcome == "promoted" else ""))

    @property
    def message(self) -> str:
        return str(self.end["data"].get("message", ""))

    @property
    def passed(self) -> list[int]:
        """The stages that were passed."""
        return [int(event["data"]["stage"]) for event in self.events if event["event"] == "stage_passed"]

    def seconds(self, stage: int) -> Optional[float]:
        """From the shift of a stage to the event that ended it, by the journal's clock; None where one is missing."""
        shifts = [event for event in self.events if event["event"] == "shift" and event["data"].get("stage") == stage]
        ends = [event for event in self.events if event["event"] in ("stage_passed", *ENDED)]
        after = [event for event in ends if shifts and moment(event) >= moment(shifts[0])]
        return moment(after[0]) - moment(shifts[0]) if after else None

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Requests and errors on the tape, by color."""
        sums: Counter[tuple[str, int]] = Counter()
        for line in self.tape.splitlines():
            for color, servers in json.loads(line).get("colors", {}).items():
                for entry in servers.values():
                    for place in (0, 1):
                        sums[color, place] += entry.get("errors", (0, 0))[place]
        return {color: (sums[color, 0], sums[color, 1]) for color in ("candidate", "stable")}


def moment(event: Mapping[str, Any]) -> float:
    """When an event was written, in seconds since the epoch."""
    return datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()


def checks(case: Case, seen: Seen) -> list[Check]:
    """Everything that the case promises, each with what was found."""
    wanted, found = f"{case.outcome} ({case.cause})", f"{seen.outcome} ({seen.cause})"
    status = "0" if case.outcome == "promoted" else "not 0"
    told = [
        Check("outcome and cause", wanted, found, wanted == found),
        Check("exit status of ansible-playbook", status, str(seen.status), (seen.status == 0) == (status == "0")),
    ]
    if case.outcome != "promoted":
        before = list(range(1, case.stage))
        told.append(Check("stages passed", _list(before), _list(seen.passed), seen.passed == before))
    seconds = seen.seconds(case.stage)
    if case.within is not None:
        met = seconds is not None and seconds <= case.within
        told.append(
            Check("found within", f"{case.within:g} s", "never" if seconds is None else f"{seconds:.0f} s", met)
        )
    if case.names_ill:
        told.append(Check("the bad machine is named", seen.ill, seen.message, f"look at {seen.ill}" in seen.message))
    if case.says:
        told.append(Check("it says", case.says, seen.message, re.search(case.says, seen.message) is not None))
    if case.both_fail:
        errors = {color: bad for color, (_, bad) in seen.counts.items()}
        told.append(
            Check(
                "errors of both colors on the tape",
                "20 and more each",
                f"{errors['candidate']} of the candidate, {errors['stable']} of the stable color",
                min(errors.values()) >= 20,
            )
        )
    verdict = f"{VERDICTS.get(case.outcome, case.outcome)} ({case.cause})"
    told.append(Check("replay of its tape", verdict, seen.replayed, verdict == seen.replayed))
    return told


def _list(stages: Sequence[int]) -> str:
    return ", ".join(map(str, stages)) or "none"
