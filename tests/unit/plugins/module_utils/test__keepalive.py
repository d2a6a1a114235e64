"""How long a lock is kept: as long as its playbook lives, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils._keepalive import Process, keep


class Hours:
    """A clock that only sleep moves; the process lives until ``end``."""

    def __init__(self, end: float) -> None:
        self.now, self.end = 0.0, end
        self.renewed: list[float] = []
        self.answer: dict[str, Any] = {"changed": False}

    def keep(self, ttl: float = 30.0) -> str:
        return keep(self.renew, ttl, lambda: self.now < self.end, lambda: self.now, self.sleep)

    def renew(self, seconds: float) -> dict[str, dict[str, Any]]:
        self.renewed.append(self.now)
        return {"lb1": {"changed": False}, "lb2": self.answer}

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_lock_is_renewed_three_times_in_its_time_until_the_playbook_is_gone() -> None:
    hours = Hours(end=61)
    assert hours.keep() == "gone"
    assert hours.renewed == [10, 20, 30, 40, 50, 60]


def test_a_balancer_that_does_not_answer_is_asked_again() -> None:
    hours = Hours(end=35)
    hours.answer = {"unreachable": True, "msg": "no answer in 10 s"}
    assert hours.keep() == "gone"
    assert len(hours.renewed) == 3


def test_it_ends_where_the_lock_was_taken_or_given_back() -> None:
    hours = Hours(end=1000)
    hours.answer = {"failed": True, "fenced": True}
    assert hours.keep() == "fenced"
    assert hours.renewed == [10]


def test_it_ends_where_the_hook_that_it_is_for_has_ended() -> None:
    hours = Hours(end=1000)
    hours.answer = {"changed": False, "running": False}
    assert hours.keep() == "ended"
    assert hours.renewed == [10]


def test_a_process_is_alive_until_it_has_ended_even_where_nobody_has_waited_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        watched = Process(child.pid)
        assert watched.alive
        assert child.stdin
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not watched.alive, "what is left is a zombie"
        child.wait()
        assert not watched.alive
