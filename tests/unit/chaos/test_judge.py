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


def test_nobody_commits_a_share_of_the_traffic_but_for_a_pause() -> None:
    shares = {"blue": 60.0, "green": 40.0}
    halfway = balancer(disk=SPLIT, shares=shares, runtime=SPLIT, release="rolling")
    said = "lb1 has committed blue1 179, green1 77, a split that nobody decided on"
    assert judge.unsafe(look(lb1=halfway, lb2=halfway)) == said
    paused = replace(halfway, release="paused")
    assert judge.unsafe(look(lb1=paused, lb2=paused)) is None


def test_before_the_first_release_is_promoted_nothing_may_be_committed() -> None:
    none = {"blue1": 0, "green1": 0}
    first = balancer(disk=none, shares={"blue": 0.0, "green": 0.0}, runtime=none, release="rolling", stable=None)
    assert judge.unsafe(look(lb1=first, lb2=first)) is None


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
    assert broken(run(stopped, hit=[LB1], struck=100.0), request()) == []
    assert len(broken(run(stopped, hit=[LB2], struck=100.0), request())) == 1
    assert len(broken(run(reloaded, hit=[LB1], struck=100.0), request())) == 1


def test_requests_may_be_lost_from_the_fault_until_it_is_healed_and_no_longer() -> None:
    stopped = run(Fault("stopped", "balancer_stop", spares=False), hit=[LB1], struck=105.0, healed=110.0)
    # Sent before, and still waiting for its answer.
    assert broken(stopped, request(95.0), request(109.9)) == []
    assert len(broken(stopped, request(94.9))) == len(broken(stopped, request(110.0))) == 1


def answered(counts: Mapping[str, Mapping[str, int]]) -> judge.Answers:
    """So many answers of each version in a second, by address."""
    return lambda url, since, until: {
        version: int(count * (int(until) - int(since))) for version, count in counts.get(url, {}).items()
    }


def test_a_run_without_requests_shows_nothing() -> None:
    loaded = {LB1: {"v1": 4}, LB2: {"v1": 3, "": 1}}
    assert judge.unloaded(run(), 10.0, answered(loaded)) == []
    (said,) = judge.unloaded(run(), 10.0, answered({**loaded, LB2: {"v1": 3}}))
    assert said == f"120 requests to {LB2} instead of about 400, so nobody knows what was lost"
    assert len(judge.unloaded(run(), 10.0, answered({}))) == 2


def test_where_nobody_answers_the_clients_wait_and_send_less() -> None:
    paused = run(Fault("paused", "balancer_pause", spares=False), hit=[LB1], struck=102.0, healed=128.0)
    few = answered({LB1: {"v1": 4}, LB2: {"v1": 4}})

    def silent(url: str, since: float, until: float) -> Mapping[str, int]:
        return {} if url == LB1 and since < 128 else few(url, since, until)

    # Two seconds before it and two after it are left.
    (said,) = judge.unloaded(paused, 10.0, silent)
    assert said.startswith(f"8 requests to {LB1} instead of about 40")
    assert judge.unloaded(paused, 10.0, few) == []


def test_nobody_else_answers_between_safe_and_the_next_command() -> None:
    safe = run(own={"lb1": LB1, "lb2": LB2}, commanded=109.0)
    assert judge.strangers(safe, answered({LB1: {"v1": 10, "": 1}, LB2: {"v1": 10}})) == []
    both = answered({LB1: {"v1": 10}, LB2: {"v1": 6, "v2": 4}})
    assert judge.strangers(safe, both) == ["lb2 had all its traffic on v1, yet v2 answered"]
    asked: list[tuple[float, float]] = []
    judge.strangers(safe, lambda _url, since, until: asked.append((since, until)) or {})
    assert set(asked) == {(104, 109)}, "from the look that all later ones confirm"


def test_what_a_release_was_killed_over_committing_answers_until_the_next_command() -> None:
    committing = balancer(disk=GREEN, shares={"blue": 0.0, "green": 100.0}, runtime=GREEN, release="rolling")
    killed = run(
        own={"lb1": LB1}, version="v2", commanded=109.0, looks=[look(104.0, committing, committing)] * 2, since=100.0
    )
    assert judge.strangers(killed, answered({LB1: {"v2": 10}})) == []
    assert judge.strangers(killed, answered({LB1: {"v1": 10}})) != []


@pytest.mark.parametrize(
    ("statuses", "versions", "said"),
    [
        ([0], ("v1", "v1"), []),
        ([2], ("v0", "v0"), []),
        ([2], ("v0", "v1"), []),
        ([2, 0], ("v1", "v1"), []),
        ([None], ("v1", "v1"), []),
        ([0], ("v1", "v0"), ["the release ended well, but lb2 does not call v1 stable"]),
        ([2], ("v1", "v1"), ["the release failed, but all balancers call v1 stable"]),
    ],
)
def test_a_release_that_lives_through_the_fault_ends_as_it_says(
    statuses: list[Optional[int]], versions: tuple[str, str], said: list[str]
) -> None:
    lb1, lb2 = (balancer(version=version) for version in versions)
    assert broken(run(statuses=statuses, looks=[look(104.0, lb1, lb2)])) == said


def test_a_lone_balancer_is_safe_within_the_lease_of_the_fault() -> None:
    leading = Look(104.0, {"lb1": balancer(leads=True)})
    lone = run(gone=100.0, since=113.0, looks=[look(114.0)], lone_looks=[leading, Look(115.0, {"lb1": balancer()})])
    assert judge.seconds_to_safe(lone) == 15.0
    late = replace(lone, lone_looks=[leading, Look(116.0, {"lb1": balancer()})])
    assert broken(late) == ["safe only after 16.0 s, not within the lease of 10 s and 5 s"]


def test_a_run_that_was_never_at_its_moment_says_that_and_nothing_else() -> None:
    assert broken(run(missed="task 5 is Drain", looks=[], last=None)) == [
        "tried twice, and neither time at the moment: task 5 is Drain"
    ]


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


# The journals before a rollback, what had to come back (None: it is not certain), and why.
WAYS_BACK: dict[str, tuple[Look, Optional[str]]] = {
    "a release in progress is given up": (look(lb1=balancer(release="rolling"), lb2=balancer(release="rolling")), "v1"),
    "what was promoted goes back": (
        look(lb1=balancer(version="v2", back="v1"), lb2=balancer(version="v2", back="v1")),
        "v1",
    ),
    "and where it died before it gave its lock back": (
        look(lb1=balancer(version="v2", back="v1", holder="r1"), lb2=balancer(version="v2", back="v1")),
        "v1",
    ),
    "a release that was killed before it began leaves the promotion before it": (
        look(lb1=balancer(back="v0"), lb2=balancer(back="v0")),
        "v0",
    ),
    "what died with the lock and nothing else is all that is taken back": (
        look(lb1=balancer(back="v0", holder="r1"), lb2=balancer(back="v0")),
        "v1",
    ),
    "without a way back there is none": (look(), None),
    "one that has missed something leaves it open": (look(lb1=balancer(release="rolling", back="v0")), None),
    "as does a promotion on one only": (look(lb1=balancer(version="v2", stable="green", back="v1")), None),
    "and journals that differ": (look(lb1=balancer(story=["r1"], back="v0"), lb2=balancer(back="v0")), None),
    "a balancer that was not seen does too": (look(lb1=None), None),
}


@pytest.mark.parametrize("name", WAYS_BACK)
def test_where_a_rollback_has_to_go(name: str) -> None:
    before, wanted = WAYS_BACK[name]
    assert judge.way_back(run(looks=[before], version="v2")) == wanted


def test_a_rollback_that_goes_elsewhere_is_a_broken_promise() -> None:
    begun = balancer(release="rolling", version="v1")
    killed = run(then="rollback", version="v2", looks=[look(104.0, begun, begun)])
    assert broken(killed) == []
    further = balancer(version="v0")
    gone = replace(killed, last=look(130.0, lb2=further), served={"lb1": "v1", "lb2": "v0"})
    assert broken(gone) == ["the rollback had to go to v1, but lb2 calls v0 stable and v0 answers"]
    unknown = replace(gone, looks=[look(104.0, begun)])
    assert broken(unknown) == []


def test_a_rollback_before_another_command_is_looked_at_by_itself() -> None:
    begun = balancer(release="rolling", version="v1")
    case = Case(points.LATE_TWIN, Moment(5, None, "before task 5"), ("rollback", "release"))
    back = Command("rollback", 0, "", look(), {"lb1": "v1", "lb2": "v0"})
    twin = run(case=case, looks=[look(104.0, begun, begun)], commands=[back, Command("release", 0, "")])
    assert judge.astray(twin) == ["the rollback had to go to v1, but lb2 calls v1 stable and v0 answers"]
    assert judge.astray(replace(twin, commands=[replace(back, served={"lb1": "v1", "lb2": "v1"})])) == []
    assert judge.astray(replace(twin, commands=[Command("rollback", 2, "it failed")])) == []


def test_a_balancer_with_a_full_disk_goes_back_and_cannot_write_that_down() -> None:
    full = points.Fault("full", "disk_fill", lasts=True, alone=True)
    case = Case(full, Moment(5, None, "before task 5"), ("rollback", "release"))
    before = balancer(version="v2", back="v1")
    back = Command("rollback", 0, "", look(lb2=balancer(version="v2")), {"lb1": "v1", "lb2": "v1"})
    own = {"lb1": LB1, "lb2": LB2}
    found = run(case=case, hit=[LB2], own=own, version="v2", looks=[look(104.0, before, before)], commands=[back])
    assert judge.astray(found) == []
    assert judge.astray(replace(found, hit=[LB1])) == [
        "the rollback had to go to v1, but lb2 calls v2 stable and v1 answers"
    ]
    elsewhere = replace(found, commands=[replace(back, served={"lb1": "v1", "lb2": "v2"})])
    assert judge.astray(elsewhere) == ["the rollback had to go to v1, but lb2 calls v2 stable and v2 answers"]


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
    story = ["blue", said["state"]["colors"], None, None]
    assert Balancer.read(said) == balancer(**expected, held={"v1"}, story=story)
    for warm, rolled_back in ((True, False), (True, True), (False, False)):
        said["state"]["colors"]["green"] = {"version": "v2", "warm": warm, "rolled_back": rolled_back}
        assert Balancer.read(said).back == ("v2" if warm and not rolled_back else None)


def test_a_balancer_that_was_never_released_to_is_read() -> None:
    state = {"stable": None, "colors": {"blue": None, "green": None}, "release": None}
    said = {"disk": {}, "shares": {}, "runtime": None, "lock": None, "lease": None, "damage": [], "state": state}
    assert Balancer.read(said).stable is None
