# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for many things at once: each at its own pace, the predicates pure, the clock and what sleeps passed in."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Optional, Protocol

from ._probe import Answer


class Probes(Protocol):
    """Runs probes; :class:`_probe.Threads` does it in the world, a test in none."""

    def start(self, name: str) -> None:
        """Begin a probe of ``name``."""

    def collect(self, wait: float) -> Iterable[tuple[str, Answer]]:
        """The answers that came; sleeps up to ``wait`` seconds for a first one."""


class Pace(NamedTuple):
    """Seconds from an answer to the next probe: ``interval`` after a success; after a failure ``first``, doubled at
    each further failure up to ``longest`` (``interval`` where None), so that what starts quickly is seen quickly."""

    interval: float
    first: float = 0.25
    longest: Optional[float] = None


@dataclass
class Watched:
    """What is known of one subject.

    ``attempts`` are probes begun, ``answers`` probes ended, ``successes`` those in a row at the end, which have lasted
    ``lasted`` seconds from the first of them to the last; ``failure`` is the last answer that was none.
    """

    attempts: int = 0
    answers: int = 0
    successes: int = 0
    failures: int = 0
    last: Optional[Answer] = None
    failure: Optional[Answer] = None
    lasted: float = 0.0
    well_since: float = 0.0

    def observe(self, answer: Answer, now: float) -> None:
        """Take in an answer that came at ``now``, in monotonic seconds."""
        self.answers += 1
        self.last = answer
        if not answer.ok or not self.successes:
            self.well_since = now
        self.lasted = now - self.well_since
        if answer.ok:
            self.successes += 1
            self.failures = 0
        else:
            self.successes = 0
            self.failures += 1
            self.failure = answer

    def pause(self, pace: Pace) -> float:
        """Seconds until the next probe."""
        if not self.failures:
            return pace.interval
        # 2**30 times a quarter second is beyond every interval, and no larger power overflows.
        longest = pace.interval if pace.longest is None else pace.longest
        return min(longest, pace.first * 2.0 ** min(self.failures - 1, 30))


class Waited(NamedTuple):
    """How it ended: whether the predicate was ``met``, all that is known of every subject, and seconds ``elapsed``."""

    met: bool
    subjects: Mapping[str, Watched]
    elapsed: float


class Healthy(NamedTuple):
    """When a subject is healthy: it answered well ``consecutive`` times in a row and for ``stable_for`` seconds."""

    consecutive: int = 1
    stable_for: float = 0.0

    def holds(self, subject: Watched) -> bool:
        return subject.successes >= self.consecutive and subject.lasted >= self.stable_for


def enough_healthy(healthy: Healthy, needed: int) -> Callable[[Mapping[str, Watched]], bool]:
    """The predicate 'at least ``needed`` subjects are healthy now'."""
    return lambda subjects: sum(healthy.holds(subject) for subject in subjects.values()) >= needed


def all_answered(subjects: Mapping[str, Watched]) -> bool:
    """The predicate 'every subject was heard of once, well or not'."""
    return all(subject.answers for subject in subjects.values())


def wait_for(
    met: Callable[[Mapping[str, Watched]], bool],
    names: Iterable[str],
    probes: Probes,
    pace: Pace,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> Waited:
    """Probe the subjects ``names`` again and again until ``met`` or until ``timeout`` seconds have passed.

    A subject is probed on while others are waited for, since what was healthy a minute ago may have fallen. One that
    never answers delays no other. The first probe of each starts at once; at the end no probe is waited for.
    """
    began = clock()
    deadline = began + timeout
    subjects = {name: Watched() for name in names}
    due = [(began, name) for name in subjects]
    heapq.heapify(due)
    while not met(subjects):
        now = clock()
        if now >= deadline:
            return Waited(False, subjects, now - began)
        while due and due[0][0] <= now:
            _, name = heapq.heappop(due)
            subjects[name].attempts += 1
            probes.start(name)
        for name, answer in probes.collect(min(deadline, due[0][0] if due else deadline) - now):
            now = clock()
            subjects[name].observe(answer, now)
            heapq.heappush(due, (now + subjects[name].pause(pace), name))
    return Waited(True, subjects, clock() - began)
