# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients of a load that still runs have seen: its file, read as it grows."""

from __future__ import annotations

import csv
from pathlib import Path

from demo.traffic import Request

# A request is written down when it is over, which takes as long as its client waits; and a little for the file.
LATEST = 12.0


class Seen:
    """How many requests there were, and those without a good answer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.failures: list[Request] = []
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
            if request.failed:
                self.failures.append(request)
