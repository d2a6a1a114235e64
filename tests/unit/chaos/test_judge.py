# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a promise that was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

import pytest

from chaos import judge, points
from chaos.judge import Balancer, Command, Look, Run
from chaos.points import Case, Fault, Moment
from demo.traffic import Request

LEASE = 10.0
BLUE = {"blue1": 256, "green1": 0}
GREEN = {"blue1": 0, "green1": 256}
SPLIT = {"blue1": 179, "green1": 77}
LB1, LB2 = "http://127.0.0.1:30081/", "http://127.0.0.1:30082/"


def balancer(**changes: Any) -> Balancer:
    given: dict[str, Any] = {
        "disk": BLUE,
        "shares": {"blue": 100.0, "green": 0.0},
        "runtime": BLUE,
        "holder": None,
        "locked": False,
        "leads": False,
        "damage": [],
        "stable": "blue",
        "version": "v1",
        "release": None,
        **changes,
    }
    return Balancer(**given)


def look(at: float = 0.0, lb1: Optional[Balancer] = balancer(), lb2: Optional[Balancer] = balancer()) -> Look:  # noqa: B008
    return Look(at, {"lb1": lb1, "lb2": lb2})


def run(fault: Fault = points.KILL_AT_BOUNDARY, then: str = "release", **changes: Any) -> Run:
    """A run in which every promise was kept: killed at 100, safe at 104, released v1 at 130."""
    case = Case(fault, Moment(5, None, "before task 5"), (then,))
    kept = Run(case, began=90.0, ended=130.0, since=100.0, version="v1", urls=(LB1, LB2))
    kept.looks = [look(101.0, balancer(runtime=SPLIT, leads=True)), look(104.0), look(107.0)]
    kept.commands = [Command(then, 0, "")]
    kept.last = look(130.0)
    kept.served = {"lb1": "v1", "lb2": "v1"}
    return replace(kept, **changes)


def request(at: float = 101.0, balancer: str = LB1, status: int = 503, error: str = "") -> Request:
    return Request(at, balancer, status, "", error)


def broken(found: Run, *requests: Request) -> list[str]:
    return judge.broken_promises(found, LEASE, requests)


def test_a_run_that_kept_all_has_nothing_broken() -> None:
    assert broken(run(), request(status=200)) == []


UNSAFE: dict[str, tuple[Look, str]] = {
    "a balancer works with something else": (
        look(lb2=balancer(runtime=SPLIT)),
        "lb2 works with blue1 179, green1 77, committed is blue1 256, green1 0",
    ),
    "two disks differ": (
        look(lb2=balancer(disk=GREEN, runtime=GREEN)),
        "lb2 has committed blue1 0, green1 256, lb1 blue1 256, green1 0",
    ),
    "a lease is left": (look(lb1=balancer(leads=True)), "lb1 still holds a lease"),
    "HAProxy is dead": (look(lb1=balancer(runtime=None)), "HAProxy on lb1 does not answer"),
    "the next command would send it elsewhere": (
        look(lb2=balancer(stable="green")),
        "lb2 calls green stable and has committed blue1 256, green1 0",
    ),
    "a balancer is out of reach": (look(lb2=None), "lb2 could not be looked at"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_traffic_is_not_safe_where(name: str) -> None:
    seen, said = UNSAFE[name]
    assert judge.unsafe(seen) == said


def test_a_release_in_progress_has_committed_what_is_not_stable_yet() -> None:
    committing = balancer(disk=GREEN, shares={"blue": 0.0, "green": 100.0}, runtime=GREEN, release="rolling")
    assert judge.unsafe(look(lb1=committing, lb2=committing)) is None


def test_the_time_to_safe_is_that_of_the_first_look_that_all_later_ones_confirm() -> None:
    bad = balancer(runtime=SPLIT)
    looks = [look(101.0), look(102.0, bad), look(106.5), look(108.0)]
    assert judge.safe_after(looks, 100.0) == 6.5
    assert judge.safe_after([*looks, look(109.0, bad)], 100.0) is None
    assert judge.safe_after([], 100.0) is None


def test_safe_too_late_is_a_broken_promise() -> None:
    late = run(looks=[look(100.0 + LEASE + judge.GRACE + 0.5)])
    assert broken(late) == ["safe only after 15.5 s, not within the lease of 10 s and 5 s"]


def test_never_safe_is_a_broken_promise_with_its_reason() -> None:
    stranded = run(looks=[look(120.0, balancer(runtime=SPLIT))])
    (said,) = broken(stranded)
    assert said == "the traffic was never safe: lb1 works with blue1 179, green1 77, committed is blue1 256, green1 0"


def test_while_a_balancer_is_gone_the_others_must_be_safe_and_after_it_all() -> None:
    alone = Look(103.0, {"lb1": balancer()})
    gone = run(healed=110.0, fault_looks=[alone], looks=[look(112.0, lb2=None), look(114.0)])
    assert judge.seconds_to_safe(gone) == 4.0
    assert judge.seconds_to_safe(replace(gone, fault_looks=[look(103.0, balancer(runtime=SPLIT))])) is None


def test_a_request_without_a_good_answer_is_lost() -> None:
    (said,) = broken(run(), request(), request(status=0, error="ConnectionResetError"))
    assert said == f"2 requests lost ({LB1}: 503; {LB1}: ConnectionResetError)"


def test_a_request_counts_only_in_the_run_that_it_fell_into() -> None:
    assert broken(run(), request(89.9), request(130.0)) == []
    assert broken(run(), request(balancer="http://127.0.0.1:30181/")) == [], "another service's"


def test_only_requests_through_the_balancer_that_was_hit_may_be_lost_and_only_where_the_fault_kills_it() -> None:
    stopped, reloaded = Fault("stopped", "balancer_stop", spares=False), Fault("reloaded", "haproxy_reload")
    assert broken(run(stopped, hit=LB1), request()) == []
    assert len(broken(run(stopped, hit=LB2), request())) == 1
    assert len(broken(run(reloaded, hit=LB1), request())) == 1


AFTER: dict[str, tuple[Mapping[str, Any], str]] = {
    "a journal is damaged": ({"damage": ["line 3 is torn"]}, "journal of lb2: line 3 is torn"),
    "a lock is left": ({"locked": True, "holder": "r7"}, "lb2 is still locked by r7"),
    "a release is left": ({"release": "rolling"}, "lb2 knows of a release that is rolling"),
    "another version serves": ({"version": "v2"}, "lb2 serves v2, not v1"),
    "the journal calls no color stable": ({"stable": None}, "lb2 calls no color stable"),
}


@pytest.mark.parametrize("name", AFTER)
def test_after_the_last_command_it_is_a_broken_promise_where(name: str) -> None:
    changes, said = AFTER[name]
    served = {"lb1": "v1", "lb2": changes.get("version", "v1")}
    assert broken(run(last=look(130.0, lb2=balancer(**changes)), served=served)) == [f"after release: {said}"]


@pytest.mark.parametrize(("served", "said"), [({"lb2": "v0"}, "v0"), ({"lb2": ""}, "nothing"), ({}, "nothing")])
def test_or_where_another_version_answers_than_the_journal_knows_of(served: Mapping[str, str], said: str) -> None:
    answered = run(served={"lb1": "v1", **served})
    assert broken(answered) == [f"after release: lb2 calls v1 stable, but {said} answers"]


def test_a_rollback_may_leave_any_version() -> None:
    back = balancer(version="v0")
    served = {"lb1": "v0", "lb2": "v0"}
    assert broken(run(then="rollback", last=look(130.0, back, back), served=served)) == []


@pytest.mark.parametrize(("status", "how"), [(2, "ended with 2"), (None, "did not end")])
def test_a_next_command_that_fails_is_a_broken_promise(status: Optional[int], how: str) -> None:
    failed = run(commands=[Command("rollback", status, "nothing warm")], then="rollback")
    assert broken(failed) == [f"the next command, rollback, {how}: nothing warm"]


def test_what_the_run_itself_found_is_told_too() -> None:
    assert broken(run(broken=["both releases went through"])) == ["both releases went through"]


def test_what_a_balancer_says_is_read() -> None:
    said = {
        "disk": BLUE,
        "shares": {"blue": 100.0, "green": 0.0},
        "runtime": SPLIT,
        "lock": {"release_id": "r1", "live": False},
        "lease": {"remaining": 3},
        "damage": [],
        "state": {
            "stable": "blue",
            "colors": {"blue": {"version": "v1"}, "green": None},
            "release": {"phase": "rolling"},
        },
    }
    expected = {"runtime": SPLIT, "holder": "r1", "leads": True, "release": "rolling"}
    assert Balancer.read(said) == balancer(**expected, held={"v1"}, way_back=False)
    for warm, rolled_back in ((True, False), (True, True), (False, False)):
        said["state"]["colors"]["green"] = {"version": "v2", "warm": warm, "rolled_back": rolled_back}
        assert Balancer.read(said).way_back == (warm and not rolled_back)


def test_a_balancer_that_was_never_released_to_is_read() -> None:
    state = {"stable": None, "colors": {"blue": None, "green": None}, "release": None}
    said = {"disk": {}, "shares": {}, "runtime": None, "lock": None, "lease": None, "damage": [], "state": state}
    assert Balancer.read(said).stable is None
