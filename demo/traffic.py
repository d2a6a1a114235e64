# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load of `demo/load.py` as a process of its own, and what its clients saw."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent / "load.py"
GOOD_STATUS = range(200, 400)


@dataclass(frozen=True)
class Request:
    """One request as the client saw it: ``status`` 0 is a connection that failed, with the reason in ``error``."""

    at: float
    balancer: str
    status: int
    version: str
    error: str

    @property
    def failed(self) -> bool:
        return self.status not in GOOD_STATUS


class Load:
    """The load generator, from its making until :meth:`end`; every request is written to ``path``."""

    def __init__(self, path: Path, urls: Sequence[str], rate: float) -> None:
        self.path = path
        self.path.unlink(missing_ok=True)
        command = [sys.executable, str(PROGRAM), "--rate", str(rate), "--output", str(path), *urls]
        self.process = subprocess.Popen(command, start_new_session=True)
        self.told = False

    @property
    def died(self) -> bool:
        """Whether it has ended before anybody told it to."""
        return not self.told and self.process.poll() is not None

    def end(self) -> None:
        if not self.died:
            self.told = True
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def stop(self) -> list[Request]:
        """End it; every request that it has sent."""
        self.end()
        with self.path.open(encoding="utf-8", newline="") as rows:
            return [
                Request(float(row["time"]), row["balancer"], int(row["status"]), row["version"], row["error"])
                for row in csv.DictReader(rows)
            ]
