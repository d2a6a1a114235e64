# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several services side by side, each with its own runs; what hits a host that all of them are on is run alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from chaos.harness import Chaos
from chaos.judge import Run
from chaos.points import Case, rounds

# Cases between two changes from alone to side by side: enough for all lanes, few enough for each beginning to be fair.
ROUND = 36
# What a run takes at most until one has taken longer.
LONGEST = 75.0


class Crew:
    """``tell`` hears of each run that is over, of one at a time; no run is begun that may outlast ``deadline``."""

    def __init__(
        self, lanes: Sequence[Chaos], tell: Callable[[Chaos, Run], None], deadline: Optional[float] = None
    ) -> None:
        self.lanes = lanes
        self.tell = tell
        self.deadline = deadline
        self.longest = LONGEST
        self.stopped = False
        self.lock = threading.Lock()

    def go(self, cases: Sequence[Case]) -> None:
        with ThreadPoolExecutor(len(self.lanes)) as pool:
            try:
                for alone, beside in rounds(cases, ROUND):
                    self._work(self.lanes[0], iter(alone))
                    waiting = iter(beside)
                    for work in [pool.submit(self._work, lane, waiting) for lane in self.lanes]:
                        work.result()
            except BaseException:
                # Before the pool waits for what is running.
                self.stop()
                raise

    def stop(self) -> None:
        """End what is running; no more is told of it."""
        self.stopped = True
        for lane in self.lanes:
            lane.stop()

    def _work(self, lane: Chaos, waiting: Iterator[Case]) -> None:
        while (case := self._next(waiting)) is not None:
            began = time.time()
            try:
                run = lane.try_case(case)
                with self.lock:
                    self.longest = max(self.longest, time.time() - began)
                    if not self.stopped:
                        self.tell(lane, run)
            except SystemExit:
                self.stopped = True
                raise

    def _next(self, waiting: Iterator[Case]) -> Optional[Case]:
        with self.lock:
            late = self.deadline is not None and time.time() + self.longest > self.deadline
            return None if self.stopped or late else next(waiting, None)
