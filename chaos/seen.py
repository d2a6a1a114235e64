# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients of a load that still runs have seen: its file, read as it grows."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from demo.traffic import Request

# A request is written down when it is over: its client waits ten seconds for each part of the answer, and a little for
# the file; twice that on a machine that has no time for it.
LATEST = 25.0
# Seconds that answers are remembered for, which no run takes.
REMEMBERED = 7200


class Seen:
    """How many requests there were, those without a good answer, and who answered the others in each second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.failures: list[Request] = []
        self._answers: dict[int, Counter[tuple[str, str]]] = {}
        self._read_until = 0
        self._fields: list[str] = []

    def read(self) -> None:
        """Take in what was written since the last time."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_until)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read_until += len(whole)
        for row in csv.reader(whole.decode().splitlines()):
            if not self._fields:
                self._fields = row
                continue
            told = dict(zip(self._fields, row))
            request = Request(
                float(told["time"]), told["balancer"], int(told["status"]), told["version"], told["error"]
            )
            self.count += 1
            version = "" if request.failed else request.version
            self._answers.setdefault(int(request.at), Counter())[request.balancer, version] += 1
            if request.failed:
                self.failures.append(request)
        forgotten = max(self._answers, default=0) - REMEMBERED
        self._answers = {second: found for second, found in self._answers.items() if second > forgotten}

    def answers(self, url: str, since: float, until: float) -> Counter[str]:
        """By version how many requests it answered that were sent in these whole seconds; "" where none did."""
        found: Counter[str] = Counter()
        for second in range(int(since), int(until)):
            for (balancer, version), count in self._answers.get(second, {}).items():
                if balancer == url:
                    found[version] += count
        return found
