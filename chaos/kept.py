# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outlives the harness: each finished run in a line, so that all of them can be made in parts.

A run counts for the collection that it was made with, which is known by a digest of its files and the lab's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from chaos.judge import Run, broken_promises, lost, seconds_to_safe, strangers, unloaded
from chaos.points import Case, Task
from chaos.seen import Seen

# What a release is made of. Pages for people change nothing in it.
FOLDERS = ("playbooks", "plugins", "roles", "chaos/inventory")
ENDINGS = (".py", ".yml", ".j2", ".map")
# What makes hosts or the templates of AWX, and no play of a release asks; and where a lab's hosts are, so that two labs
# can share the work.
ASIDE = (
    "playbooks/awx.yml",
    "playbooks/provision.yml",
    "playbooks/deprovision.yml",
    "roles/awx",
    "roles/provision",
    "chaos/inventory/hosts.yml",
)


@dataclass(frozen=True)
class Result:
    """A run that is over: ``at`` is when it began (seconds since the epoch), ``collection`` the digest of what was run.

    ``seconds_to_safe`` None: it was never seen safe. ``problems``: one sentence for each promise that was not kept.
    """

    title: str
    fault: str
    service: str
    at: float
    seconds: float
    collection: str
    requests_lost: int
    seconds_to_safe: Optional[float]
    problems: Sequence[str]

    @classmethod
    def of(cls, run: Run, service: str, collection: str, lease: float, rate: float, seen: Seen) -> Result:
        return cls(
            title=run.case.title,
            fault=run.case.fault.row,
            service=service,
            at=round(run.began, 1),
            seconds=round(run.ended - run.began, 1),
            collection=collection,
            requests_lost=len(lost(run, seen.failures)),
            seconds_to_safe=seconds_to_safe(run),
            problems=[
                *broken_promises(run, lease, seen.failures),
                *unloaded(run, rate, seen.answers),
                *strangers(run, seen.answers),
            ],
        )


class Kept:
    """The results and the counted tasks in ``folder``; only ever added to."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "results.jsonl"
        self.counted = folder / "tasks.json"

    def add(self, result: Result) -> None:
        with self.results.open("a", encoding="utf-8") as lines:
            # Before it too: what a killed harness left of a line must not spoil this one.
            lines.write("\n" + json.dumps(asdict(result)) + "\n")

    def latest(self) -> dict[str, Result]:
        """By title the last result, or one with problems where that is of the same collection.

        A line that was not written to its end is none.
        """
        found: dict[str, Result] = {}
        for line in self.results.read_text(encoding="utf-8").splitlines() if self.results.exists() else ():
            with suppress(ValueError):
                result = Result(**json.loads(line))
                before = found.get(result.title)
                if before is None or before.collection != result.collection or result.problems or not before.problems:
                    found[result.title] = result
        return found

    def tasks(self, collection: str) -> Optional[list[Task]]:
        """Those of the release that was counted with this collection, so that the same moments are enumerated again."""
        if not self.counted.exists():
            return None
        told = json.loads(self.counted.read_text(encoding="utf-8"))
        return [Task(**task) for task in told["tasks"]] if told["collection"] == collection else None

    def keep_tasks(self, collection: str, tasks: Iterable[Task]) -> None:
        told = {"collection": collection, "tasks": [asdict(task) for task in tasks]}
        self.counted.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def digest(root: Path, *given: object) -> str:
    """Twelve hexadecimal digits that change with any file that a release may be made of, and with what is ``given``."""
    found = hashlib.sha256(repr(given).encode())
    aside = [root / path for path in ASIDE]
    files = (path for folder in FOLDERS for path in (root / folder).rglob("*") if path.suffix in ENDINGS)
    for path in sorted(path for path in files if not any(path.is_relative_to(other) for other in aside)):
        found.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def left_over(cases: Iterable[Case], results: dict[str, Result], collection: str) -> list[Case]:
    """The cases that have no result with this collection."""
    done = {title for title, result in results.items() if result.collection == collection}
    return [case for case in cases if case.title not in done]
