# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a run, on a lab and with playbooks that are only pretended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from chaos import harness, judge, points
from chaos.harness import Chaos, occupy
from chaos.judge import Balancer, Look
from chaos.points import Case, Fault, Moment, Task

BLUE = {"blue1": 256, "green1": 0}
SAFE = Balancer(BLUE, {"blue": 100.0}, BLUE, None, False, False, [], "blue", "v1", None, frozenset({"v1", "v2"}), "v2")
BEFORE = Moment(5, None, "before a stage", "Set the split")
AT_MOMENT = [Task(number, "Roll out", "haproxy : Set the split", 1.0) for number in range(1, 6)]


class Story:
    """What was done, in order; ``looks`` are what is seen one after the other, then everything is safe."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.looks: list[Balancer] = []
        self.asked: list[str] = []
        self.tasks: list[list[Task]] = []
        self.slow_start = 0.0
        self.silent_for = 0.0
        self.ends_at = 0.0
        self.statuses: dict[str, list[Optional[int]]] = {}
        self.now = 1000.0


class PretendedLab:
    service = "shop"
    balancers = ["lb1", "lb2"]
    hosts = ["lb1", "lb2", "blue1", "green1"]
    vms = {"blue": ["blue1"], "green": ["green1"]}
    urls = {"lb1": "one", "lb2": "two"}

    def __init__(self, story: Story) -> None:
        self.story = story

    def look(self, without: Sequence[str] = (), what: str = "look") -> Look:
        self.story.asked.append(what)
        seen = {"lb1": self.story.looks.pop(0) if self.story.looks else SAFE, "lb2": SAFE}
        return Look(self.story.now, {name: entry for name, entry in seen.items() if name not in without})

    def served(self) -> dict[str, str]:
        return {"lb1": "v1", "lb2": "v1"}

    def wait_up(self, hosts: Sequence[str]) -> list[str]:
        return []

    def wait_answered(self, urls: Sequence[str]) -> list[str]:
        self.story.now += self.story.silent_for
        return [url for url in urls if self.story.silent_for > 90]

    def mend(self, action: str, host: str) -> None:
        self.story.done.append(f"mend {action} {host}")

    def mend_all(self) -> None:
        self.story.done.append("mend all")

    def forget_images(self, color: str) -> None:
        self.story.done.append(f"forget {color}")

    def __getattr__(self, action: str) -> Any:
        if action == "disk_burn":
            raise AttributeError(action)
        return lambda host: self.story.done.append(f"{action} {host}")


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    told = Story()

    class PretendedPlaybook:
        message = "it failed"
        output = "the service is locked by another"

        def __init__(self, folder: Path, name: str, extra: Any, inventory: Path, hold: Optional[Moment] = None) -> None:
            self.name = name.rsplit(".", 1)[-1] if "/" not in name else name
            told.done.append(" ".join(["start", self.name, extra.get("version", "")]).rstrip())

        def wait_for(self, moment: Moment, limit: float) -> bool:
            return True

        def go(self) -> None:
            told.done.append("go")

        def tasks(self) -> list[Task]:
            return told.tasks.pop(0) if told.tasks else AT_MOMENT

        def wait_past(self, title: str, limit: float) -> bool:
            told.now += told.slow_start
            return True

        @property
        def ended(self) -> bool:
            return told.now >= told.ends_at

        def kill_all(self) -> None:
            told.done.append("kill all")

        def kill_group(self) -> None:
            told.done.append("kill group")

        def wait(self, limit: float) -> Optional[int]:
            statuses = told.statuses.get(self.name, [])
            return statuses.pop(0) if statuses else 0

    class Clock:
        def time(self) -> float:
            return told.now

        def monotonic(self) -> float:
            return told.now

        def sleep(self, seconds: float) -> None:
            told.now += seconds

    monkeypatch.setattr(harness, "Playbook", PretendedPlaybook)
    monkeypatch.setattr(harness, "time", Clock())
    return told


def try_case(story: Story, fault: Fault, then: Iterable[str] = ("release",), fresh: bool = False) -> judge.Run:
    lab: Any = PretendedLab(story)
    return Chaos(lab, Path("/nowhere"), 10.0).try_case(Case(fault, BEFORE, tuple(then), fresh))


def named(action: str) -> Fault:
    return next(fault for fault in points.ALL if fault.action == action)


def test_after_a_kill_the_next_command_follows_and_the_release_never_goes_on(story: Story) -> None:
    run = try_case(story, points.KILL_AT_BOUNDARY)
    assert story.done == ["start release v3", "kill group", "start release v3"]
    assert judge.broken_promises(run, 10.0, []) == [
        "after release: lb1 serves v1, not v3",
        "after release: lb2 serves v1, not v3",
    ]


def test_a_version_that_neither_color_has_is_released_and_its_image_is_brought_where_that_is_asked(
    story: Story,
) -> None:
    assert try_case(story, points.KILL_AT_BOUNDARY, fresh=True).version == "v3"
    assert story.done[:2] == ["forget green", "start release v3"]


def test_the_next_command_waits_until_the_lease_and_the_lock_are_over(story: Story) -> None:
    leading = Balancer(**{**vars(SAFE), "leads": True, "runtime": {"blue1": 1, "green1": 1}})
    locked = Balancer(**{**vars(SAFE), "locked": True, "holder": "r1"})
    story.looks = [SAFE, *[leading] * 10, *[locked] * 6]
    run = try_case(story, points.KILL_AT_BOUNDARY)
    assert judge.seconds_to_safe(run) == 5.0
    assert run.looks[-1].at - run.since == 5.0 + 3.0 + harness.QUIET


def test_a_lock_that_does_not_die_is_not_waited_for_beyond_the_limit(story: Story) -> None:
    locked = Balancer(**{**vars(SAFE), "locked": True, "holder": "r1"})
    story.looks = [SAFE, *[locked] * 1000]
    run = try_case(story, points.KILL_AT_BOUNDARY)
    assert run.looks[-1].at - run.since <= 10.0 + judge.GRACE + harness.QUIET + harness.LOOK_EVERY


def test_a_fault_is_over_before_the_next_command(story: Story) -> None:
    try_case(story, named("balancer_pause"), ["rollback"])
    assert story.done == ["start release v3", "balancer_pause lb1", "go", "mend balancer_pause lb1", "start rollback"]


def test_a_fault_that_lasts_is_mended_after_the_first_of_the_next_commands(story: Story) -> None:
    try_case(story, named("disk_fill"), ["rollback", "release"])
    assert story.done[-3:] == ["start rollback", "mend disk_fill lb1", "start release v3"]


def test_the_candidate_is_what_is_killed_not_what_serves(story: Story) -> None:
    run = try_case(story, named("vm_kill"))
    assert "vm_kill green1" in story.done
    assert run.hit == ()


@pytest.mark.parametrize(("statuses", "said"), [([0, 0], ["both releases went through"]), ([2, 0], []), ([0, 2], [])])
def test_of_two_releases_one_at_most_goes_through(story: Story, statuses: list[Optional[int]], said: list[str]) -> None:
    story.statuses["release"] = statuses
    assert try_case(story, points.TWO_AT_ONCE).broken == said


def test_the_first_of_two_goes_through_where_it_was_far_on_and_the_second_is_refused(story: Story) -> None:
    during = named("second_release")
    story.ends_at, story.statuses["release"] = 2000.0, [0, 2]
    assert try_case(story, during).broken == []
    story.statuses["release"] = [2, 2]
    assert try_case(story, during).broken == ["the first release failed, and not only the second: it failed"]
    story.statuses["release"] = [2, 0]
    assert try_case(story, during).broken == ["the second release went through instead of the first"]


def test_a_first_release_that_was_held_beyond_its_lease_may_go_back(story: Story) -> None:
    story.ends_at, story.slow_start, story.statuses["release"] = 2000.0, 6.0, [2, 2]
    assert try_case(story, named("second_release")).broken == []


def test_two_releases_that_never_met_are_tried_once_more(story: Story) -> None:
    run = try_case(story, named("second_release"))
    assert run.missed == "the first release had ended before the second looked"
    assert story.done == [*["start release v3", "start release v3", "kill all", "kill all"] * 2]


def test_a_release_that_is_elsewhere_is_not_disturbed_and_another_one_is(story: Story) -> None:
    other = [*AT_MOMENT[:4], Task(5, "Roll out", "haproxy : Drain", 1.0)]
    story.tasks = [other]
    run = try_case(story, points.KILL_AT_BOUNDARY)
    assert story.done == ["start release v3", "kill all", "start release v3", "kill group", "start release v3"]
    assert run.missed == ""
    story.done, story.tasks = [], [other] * 3
    run = try_case(story, points.KILL_AT_BOUNDARY)
    assert story.done == ["start release v3", "kill all"] * 2
    assert judge.broken_promises(run, 10.0, []) == [
        "tried twice, and neither time at the moment: task 5 is Drain, not Set the split"
    ]


def test_a_vm_that_is_lost_with_the_controller_stays_away_while_the_rollback_works(story: Story) -> None:
    run = try_case(story, points.VM_LOST, ["rollback", "release"])
    assert story.done == [
        *["start release v3", "kill group", "vm_kill green1"],
        *["start rollback", "mend vm_kill green1", "start release v3"],
    ]
    assert run.broken == []
    assert (run.commands[0].look is None, run.commands[0].served, run.commands[1].look) == (
        False,
        {"lb1": "v1", "lb2": "v1"},
        None,
    )


def test_a_balancer_that_nobody_reaches_is_looked_at_from_the_fault_on(story: Story) -> None:
    leading = Balancer(**{**vars(SAFE), "leads": True, "runtime": {"blue1": 1, "green1": 1}})
    for action in ("balancer_hide", "balancer_cut"):
        story.ends_at = story.now + 4.0
        story.looks = [SAFE, *[leading] * 20]
        run = try_case(story, named(action))
        assert {tuple(look.balancers) for look in run.lone_looks} == {("lb1",)}
        assert judge.safe_after(run.lone_looks, run.gone) == 9.5
        assert all(set(look.balancers) == {"lb1", "lb2"} for look in run.fault_looks)
    story.ends_at = story.now + 4.0
    story.looks = [SAFE, *[leading] * 32]
    run = try_case(story, named("balancer_hide"))
    assert judge.seconds_to_safe(run) == 15.5, "more than a lease of 10 s and 5 s"


def test_what_hits_all_services_is_looked_at_on_all_of_their_addresses(story: Story) -> None:
    lab: Any = PretendedLab(story)
    chaos = Chaos(lab, Path("/nowhere"), 10.0, {"lb1": ["one", "1.cart"], "lb2": ["two", "2.cart"]})
    run = chaos.try_case(Case(named("balancer_stop"), BEFORE, ("release",)))
    assert (run.urls, run.hit) == (["one", "1.cart", "two", "2.cart"], ["one", "1.cart"])
    assert chaos.try_case(Case(points.KILL_AT_BOUNDARY, BEFORE, ("release",))).urls == ["one", "two"]


def test_a_balancer_is_healed_when_it_answers_again(story: Story) -> None:
    story.silent_for = 4.0
    run = try_case(story, named("balancer_cut"))
    assert (run.healed - run.since, run.broken) == (harness.QUIET + 4.0, [])
    story.silent_for = 91.0
    assert try_case(story, named("balancer_stop")).broken == ["one did not answer again"]


def test_the_moments_of_a_run_are_in_order(story: Story) -> None:
    story.slow_start = 1.0
    run = try_case(story, named("balancer_stop"))
    assert run.began <= run.struck <= run.gone <= run.since <= run.healed <= run.commanded <= run.ended
    assert run.commanded - run.healed >= harness.QUIET


def test_a_late_twin_comes_between_the_rollback_and_the_next_release(story: Story) -> None:
    left = Balancer(**{**vars(SAFE), "holder": "r1"})
    story.looks = [SAFE, *[left] * 7]
    run = try_case(story, points.LATE_TWIN, ["rollback", "release"])
    assert story.done[1:] == ["kill group", "start rollback", "start chaos/late_shift.yml", "start release v3"]
    assert run.broken == []


def test_what_was_stopped_goes_on_with_nothing(story: Story) -> None:
    lab: Any = PretendedLab(story)
    chaos = Chaos(lab, Path("/nowhere"), 10.0)
    chaos.stop()
    with pytest.raises(SystemExit):
        chaos.try_case(Case(points.KILL_AT_BOUNDARY, BEFORE, ("release",)))
    assert story.done == []


def test_a_run_that_breaks_off_is_broken_and_leaves_a_lab_that_is_mended(story: Story) -> None:
    run = try_case(story, Fault("burnt", "disk_burn"))
    assert run.broken[0].startswith("the run broke off: AttributeError")
    assert story.done[-1] == "mend all"


def test_a_lab_that_is_not_ready_is_rolled_back_first(story: Story) -> None:
    story.looks = [Balancer(**{**vars(SAFE), "release": "rolling"})]
    try_case(story, points.KILL_AT_BOUNDARY)
    assert story.done[:3] == ["mend all", "start rollback", "start release v3"]


def test_a_service_that_a_rollback_does_not_help_is_released_anew(story: Story) -> None:
    story.looks = [Balancer(**{**vars(SAFE), "release": "rolling"})] * 2
    try_case(story, points.KILL_AT_BOUNDARY)
    assert story.done[:4] == ["mend all", "start rollback", "start release v1", "start release v3"]


def test_before_a_rollback_there_is_somewhere_to_go_back_to(story: Story) -> None:
    story.looks = [Balancer(**{**vars(SAFE), "back": None})]
    try_case(story, points.KILL_AT_BOUNDARY, ["rollback"])
    assert story.done == ["start release v3", "start release v3", "kill group", "start rollback"]
    story.done, story.looks = [], [Balancer(**{**vars(SAFE), "back": None})]
    try_case(story, points.KILL_AT_BOUNDARY, ["release"])
    assert story.done == ["start release v3", "kill group", "start release v3"]


def test_what_no_command_brings_to_a_beginning_ends_everything(story: Story) -> None:
    story.looks = [Balancer(**{**vars(SAFE), "release": "rolling"})] * 100
    with pytest.raises(SystemExit, match="2"):
        try_case(story, points.KILL_AT_BOUNDARY)


def test_while_a_balancer_is_gone_nobody_looks_at_it(story: Story) -> None:
    run = try_case(story, named("balancer_stop"))
    assert [set(look.balancers) for look in (*run.fault_looks[:1], *run.looks[:1])] == [{"lb2"}, {"lb1", "lb2"}]


def test_all_of_the_journal_is_looked_through_once_in_a_run_at_its_end(story: Story) -> None:
    try_case(story, points.KILL_AT_BOUNDARY)
    assert (story.asked[-1], story.asked.count("whole")) == ("whole", 1)


def test_two_harnesses_do_not_work_on_the_same_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with occupy(tmp_path / "chaos"):
        with pytest.raises(SystemExit, match="2"):
            occupy(tmp_path / "chaos")
        assert "Another harness is at work on this lab" in capsys.readouterr().out
    occupy(tmp_path / "chaos").close()
