"""The guarded step on a real HAProxy: what it does, what it leaves alone, and what it leaves behind when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import (
    BalancerError,
    FencedError,
    InputError,
    StateError,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths
from step_machine import (
    ALL_GREEN,
    LEASE,
    SERVERS,
    SPLIT_5,
    SPLIT_25,
    STABLE,
    Machine,
    Timers,
    WebServer,
    full_disk,
    weights,
)

Take = Callable[[Machine], Any]

STEPS: dict[str, Take] = {
    "stage": lambda machine: machine.take(SPLIT_5),
    "commit": lambda machine: machine.promote(),
    "back": lambda machine: machine.back(),
    "committed": lambda machine: machine.take(None),
}


def real_servers(machine: Machine, web: Callable[[str], WebServer]) -> dict[str, WebServer]:
    """Servers that can be closed, one for each of the service's."""
    servers = {name: web(name) for names in SERVERS.values() for name in names}
    machine.write(STABLE, {color: {name: servers[name].port for name in names} for color, names in SERVERS.items()})
    machine.haproxy.reload()
    return servers


def close(servers: Mapping[str, WebServer], names: Sequence[str]) -> None:
    for name in names:
        servers[name].shutdown()
        servers[name].server_close()


class NoTimer(Timers):
    """A machine without systemd."""

    def start(self, unit: str, seconds: float, command: Sequence[str]) -> None:
        raise StateError("systemd does not run on this balancer, so no lease can be held")


def test_a_stage_leads_the_disk_under_a_lease(machine: Machine) -> None:
    config = machine.paths.config.read_bytes()
    outcome = machine.take(SPLIT_5, stage=1, reason="stage 1")
    assert machine.runtime == outcome.weights == weights(SPLIT_5)
    assert outcome.shares == SPLIT_5
    assert (outcome.weights_before, outcome.shares_before) == (weights(STABLE), STABLE)
    assert (outcome.changed, outcome.committed) == (True, False)
    assert machine.paths.config.read_bytes() == config, "only a commit writes the disk"
    assert machine.led
    assert machine.lease is not None
    assert machine.lease["seconds"] == LEASE
    shift = _journal.read(machine.paths.journal).events[-1]
    assert shift["event"] == "shift"
    assert shift["data"] == {"shares": SPLIT_5, "before": STABLE, "stage": 1, "reason": "stage 1"}


def test_the_journal_and_the_lease_are_there_before_the_first_weight_is_sent(machine: Machine) -> None:
    seen: dict[str, Any] = {}

    class Watching(RuntimeSocket):
        def act(self, commands: Sequence[str]) -> None:
            seen.update(runtime=machine.runtime, led=machine.led, events=machine.events)
            super().act(commands)

    machine.take(SPLIT_5, edges={"sock": Watching(machine.haproxy.socket)})
    assert (seen["runtime"], seen["led"], seen["events"][-1]) == (weights(STABLE), True, "shift")


def test_the_same_stage_again_changes_nothing_and_renews_the_lease_without_a_gap(machine: Machine) -> None:
    machine.take(SPLIT_5)
    (first,) = machine.timers.running
    journal = machine.paths.journal.read_bytes()
    outcome = machine.take(SPLIT_5)
    assert (outcome.changed, outcome.commands) == (False, [])
    assert machine.paths.journal.read_bytes() == journal
    (second,) = machine.timers.running
    assert machine.timers.told == [f"start {first}", f"start {second}", f"stop {first}"]
    assert machine.led


def test_a_promotion_commits_without_a_reload_and_ends_the_lease(machine: Machine) -> None:
    machine.take(ALL_GREEN, stage=1)
    pid = machine.pid
    outcome = machine.promote(reason="promoted")
    assert (outcome.changed, outcome.committed, outcome.lease_ended, outcome.commands) == (True, True, True, [])
    assert machine.disk == machine.runtime == weights(ALL_GREEN)
    assert machine.disk_shares == ALL_GREEN
    assert machine.pid == pid, "HAProxy was not reloaded"
    assert (machine.lease, machine.timers.running) == (None, {})
    assert machine.events[-3:] == ["committing", "committed", "promoted"]
    assert (machine.state["stable"], machine.state["shares"]) == ("green", ALL_GREEN)


def test_a_commit_without_a_shift_and_without_events_is_a_change(machine: Machine) -> None:
    machine.take(ALL_GREEN)
    assert machine.take(ALL_GREEN, commit=True).changed
    assert machine.disk_shares == ALL_GREEN


def test_what_is_committed_already_is_not_committed_again(machine: Machine) -> None:
    machine.take(ALL_GREEN)
    machine.promote()
    before = machine.seen()
    outcome = machine.take(ALL_GREEN, commit=True)
    assert (outcome.changed, outcome.committed) == (False, True)
    assert machine.seen() == before
    again = machine.take(ALL_GREEN, commit=True, events=[{"event": "note"}])
    assert again.changed, "an event in the journal is a change"


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("fate", ["superseded", "ended", "rebooted"])
def test_a_late_step_of_a_release_that_is_over_changes_nothing(machine: Machine, name: str, fate: str) -> None:
    machine.take(SPLIT_25)
    if fate == "superseded":
        machine.begin("r2")
    else:
        _lock.drop(machine.paths, "r1")
    if fate == "rebooted":
        machine.paths.lease.unlink()
    before = machine.seen()
    with pytest.raises(FencedError, match="release r1 is not the current one of service shop any more") as caught:
        STEPS[name](machine)
    assert caught.value.details["fenced"] is True
    assert machine.seen() == before, "neither weights nor disk nor journal nor lease"


def test_a_lock_that_ran_out_still_lets_its_release_go_back(machine: Machine) -> None:
    machine.take(SPLIT_5)
    _lock.acquire(machine.paths, "r1", "alice@ci", -1)
    machine.back()
    assert machine.runtime == weights(STABLE)


def test_the_committed_split_is_set_without_a_lease_where_no_shares_are_given(machine: Machine) -> None:
    machine.take(SPLIT_25)
    outcome = machine.take(None)
    assert machine.runtime == outcome.weights == weights(STABLE)
    assert (outcome.shares, outcome.committed, outcome.lease_ended) == (STABLE, True, True)
    assert (machine.lease, machine.timers.running) == (None, {})
    assert machine.disk == weights(STABLE)


@pytest.mark.parametrize("shares", [SPLIT_5, None])
def test_other_servers_than_the_inventory_has_are_a_failure_that_changes_nothing(
    machine: Machine, shares: Mapping[str, float] | None
) -> None:
    before = machine.seen()
    with pytest.raises(BalancerError, match=r"green3.*Run sluice\.bluegreen\.site.*nothing was changed"):
        machine.take(shares, servers={**SERVERS, "green": ["green1", "green3"]})
    assert machine.seen() == before


def test_a_service_that_is_not_configured_here_is_a_clear_failure(machine: Machine) -> None:
    machine.paths.config.unlink()
    with pytest.raises(StateError, match=r"shop\.cfg is not on this balancer.*run sluice\.bluegreen\.site"):
        machine.take(SPLIT_5)


@pytest.mark.parametrize("changes", [{"lease": 0}, {"lease": -1, "commit": True}])
def test_a_lease_of_no_time_is_refused(machine: Machine, changes: dict[str, Any]) -> None:
    before = machine.seen()
    with pytest.raises(InputError, match="service shop: lease: must be more than 0 seconds"):
        machine.take(SPLIT_5, **changes)
    assert machine.seen() == before


@pytest.mark.parametrize("name", STEPS)
def test_a_haproxy_that_is_down_stops_every_step_and_leaves_the_files_alone(machine: Machine, name: str) -> None:
    machine.take(SPLIT_5)
    journal, config, lease = machine.paths.journal.read_bytes(), machine.paths.config.read_bytes(), machine.lease
    machine.haproxy.stop()
    with pytest.raises(BalancerError, match="HAProxy is not running"):
        STEPS[name](machine)
    assert machine.paths.journal.read_bytes() == journal
    assert machine.paths.config.read_bytes() == config
    assert machine.lease == lease, "what falls back when HAProxy answers again"


def test_a_weight_that_is_refused_leaves_weights_and_lease_as_they_were(machine: Machine) -> None:
    user = RuntimeSocket(machine.haproxy.socket + ".user")
    with pytest.raises(BalancerError, match="Permission denied"):
        machine.take(SPLIT_5, edges={"sock": user})
    assert machine.runtime == weights(STABLE)
    assert (machine.lease, machine.timers.running) == (None, {})
    machine.take(SPLIT_5)
    with pytest.raises(BalancerError, match="Permission denied"):
        machine.take(SPLIT_25, edges={"sock": user})
    assert machine.runtime == weights(SPLIT_5)
    assert machine.led, "the stage before still leads"


class TestCheckMode:
    def test_it_says_what_it_would_send_and_changes_nothing(self, machine: Machine) -> None:
        before = machine.seen()
        outcome = machine.take(SPLIT_5, check_mode=True)
        assert outcome.changed
        assert outcome.commands == [
            f"set server shop/{server} weight {weight}" for server, weight in sorted(weights(SPLIT_5).items())[2:]
        ] + [f"set server shop/{server} weight {weight}" for server, weight in sorted(weights(SPLIT_5).items())[:2]], (
            "raised weights first"
        )
        assert outcome.shares == SPLIT_5
        assert machine.seen() == before

    def test_it_needs_no_lock_since_nobody_has_taken_one(self, machine: Machine) -> None:
        _lock.drop(machine.paths, "r1")
        assert machine.take(SPLIT_5, check_mode=True).changed

    def test_a_commit_alone_is_a_change(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        before = machine.seen()
        outcome = machine.take(ALL_GREEN, check_mode=True, commit=True)
        assert (outcome.changed, outcome.commands) == (True, [])
        assert (outcome.committed_before, outcome.committed_after) == (STABLE, ALL_GREEN)
        assert machine.seen() == before

    def test_a_split_that_is_there_is_no_change(self, machine: Machine) -> None:
        assert not machine.take(STABLE, check_mode=True, commit=True).changed

    def test_a_configuration_that_haproxy_refuses_is_told(self, machine: Machine) -> None:
        machine.break_configuration()
        with pytest.raises(BalancerError, match="nonsense"):
            machine.take(ALL_GREEN, check_mode=True, commit=True)


class TestACommitThatFails:
    """A step forward leaves all as it was; a step back takes the traffic away all the same, and tells."""

    def test_forward_nothing_is_touched_when_haproxy_refuses_the_configuration(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.break_configuration()
        before = machine.seen()
        with pytest.raises(BalancerError, match="HAProxy refuses the configuration"):
            machine.promote()
        assert machine.seen() == before
        assert machine.led, "the stage still leads, and falls back when nobody goes on"

    @pytest.mark.parametrize("leading", [True, False])
    def test_forward_the_weights_are_put_back_when_the_disk_refuses_at_last(
        self, machine: Machine, leading: bool
    ) -> None:
        found = SPLIT_5 if leading else STABLE
        if leading:
            machine.take(SPLIT_5)

        def refuse(target: Mapping[str, int], shares: Mapping[str, float], dry_run: bool) -> bool:
            if dry_run:
                return machine.commit(target, shares, True)
            assert machine.runtime == target
            assert machine.led, "runtime leads the disk for a moment, and only under a lease"
            raise BalancerError("Cannot write shop.cfg, it is as it was: No space left on device.")

        # Whoever calls the module by hand may commit at once; a release commits only what it has judged.
        machine.note("failed")
        with pytest.raises(BalancerError, match=r"No space left on device\. The weights from before are set again\."):
            machine.take(ALL_GREEN, commit=True, edges={"commit": refuse})
        assert machine.runtime == weights(found)
        assert machine.disk == weights(STABLE)
        assert machine.led is leading, "the lease of the stage before stays, one of this step's own goes"
        assert len(machine.timers.running) == leading

    def test_forward_without_a_lease_nothing_is_shifted(self, machine: Machine) -> None:
        machine.note("failed")
        with pytest.raises(StateError, match="no lease can be held"):
            machine.take(ALL_GREEN, commit=True, edges={"timer": NoTimer(machine.timers.log)})
        assert (machine.runtime, machine.disk) == (weights(STABLE), weights(STABLE))

    def test_back_in_a_stage_needs_nothing_of_the_disk(self, machine: Machine) -> None:
        machine.take(SPLIT_25)
        machine.break_configuration()
        outcome = machine.back()
        assert machine.runtime == machine.disk == weights(STABLE)
        assert (outcome.changed, outcome.lease_ended, outcome.warnings) == (True, True, [])
        assert machine.events[-2:] == ["shift", "rolled_back"]
        assert [told.split()[0] for told in machine.timers.told] == ["start", "stop"], (
            "it does not wait for a new timer"
        )

    def test_back_after_a_promotion_the_traffic_goes_and_stays_away_and_the_step_fails(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.promote()
        broken = machine.break_configuration()
        machine.begin("r2")
        with pytest.raises(
            BalancerError,
            match=r"the traffic was taken away, but a reload of HAProxy would bring it back, because the disk still "
            r"has blue 0 %, green 100 %\. Mend this and do it again: HAProxy refuses the configuration",
        ):
            machine.back(release_id="r2")
        assert machine.runtime == weights(STABLE)
        assert machine.disk == weights(ALL_GREEN)
        assert (machine.lease, machine.timers.running) == (None, {}), "nothing may send the traffic back by itself"
        assert machine.events[-2:] == ["commit_failed", "rolled_back"], "what has happened is told, and what is owed"
        assert machine.state["shares"] == ALL_GREEN

        broken.unlink()
        assert machine.back(release_id="r2").changed
        assert machine.disk == machine.runtime == weights(STABLE)
        assert machine.events[-4:] == ["commit_failed", "rolled_back", "committed", "rolled_back"]

    def test_back_without_systemd_the_traffic_goes_and_a_warning_says_so(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.promote()
        outcome = machine.back(edges={"timer": NoTimer(machine.timers.log)})
        assert machine.disk == machine.runtime == weights(STABLE)
        assert outcome.warnings == ["systemd does not run on this balancer, so no lease can be held"]


@pytest.mark.parametrize("back", [False, True])
def test_a_reload_that_overlaps_a_commit_does_not_leave_the_traffic_where_it_was(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    """As when a certificate is renewed just then: the new process has read the file from before the commit."""
    real = machine.commit

    def overlapped(target: Mapping[str, int], shares: Mapping[str, float], dry_run: bool) -> bool:
        if not dry_run:
            machine.haproxy.reload()
        return real(target, shares, dry_run)

    machine.take(ALL_GREEN)
    if back:
        machine.promote()
    monkeypatch.setattr(machine, "commit", overlapped)
    (machine.back if back else machine.promote)()
    assert machine.disk == machine.runtime == weights(STABLE if back else ALL_GREEN)
    assert not machine.led


@pytest.mark.parametrize("back", [False, True])
def test_nor_does_one_that_ends_after_it(machine: Machine, back: bool) -> None:
    """HAProxy may take seconds to read its configuration, and the process before it answers until then."""
    machine.take(ALL_GREEN)
    if back:
        machine.promote()
    before = machine.paths.config.read_text()
    asked: list[bool] = []

    def reloading() -> bool:
        asked.append(True)
        if len(asked) == 1:
            after = machine.paths.config.read_text()
            machine.paths.config.write_text(before)
            machine.haproxy.reload()
            machine.paths.config.write_text(after)
        return len(asked) == 1

    (machine.back if back else machine.promote)(edges={"reloading": reloading})
    assert len(asked) == 2
    assert machine.disk == machine.runtime == weights(STABLE if back else ALL_GREEN)
    assert not machine.led


@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_text("backend shop\n")], ids=["gone", "edited"]
)
def test_a_way_back_does_not_wait_for_the_services_file(machine: Machine, damage: Callable[[Any], object]) -> None:
    machine.take(ALL_GREEN)
    damage(machine.paths.config)
    with pytest.raises(BalancerError, match=r"traffic was taken away, but .* the disk does not say what is"):
        machine.back()
    assert machine.runtime == weights(STABLE)
    assert not machine.led, "it would fall back to nothing"
    assert machine.events[-2:] == ["commit_failed", "rolled_back"]
    with pytest.raises((BalancerError, StateError), match=r"shop\.cfg|first line"):
        machine.take(ALL_GREEN)
    assert machine.runtime == weights(STABLE), "a step forward needs the file"


class TestOnlyWhatWasJudgedIsCommitted:
    def test_not_after_the_lease_ran_out(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.fire()
        before = machine.seen()
        with pytest.raises(
            StateError, match=r"works with blue 100 %, green 0 %, not with the blue 0 %, green 100 % that were judged"
        ):
            machine.promote()
        assert machine.seen() == before

    def test_not_after_somebodys_reload(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.haproxy.reload()
        with pytest.raises(StateError, match=r"the lease ran out, or HAProxy was reloaded\. Nothing was committed"):
            machine.promote()
        assert machine.disk == machine.runtime == weights(STABLE)

    @pytest.mark.parametrize("lost", [["green1"], ["green1", "green2"]])
    def test_not_where_a_server_that_haproxy_still_calls_up_is_gone(
        self, machine: Machine, web: Callable[[str], WebServer], lost: list[str]
    ) -> None:
        servers = real_servers(machine, web)
        machine.take(ALL_GREEN)
        close(servers, lost)
        before = machine.seen()
        with pytest.raises(StateError) as refused:
            machine.promote()
        assert f"nothing was committed: {len(lost)} of 2 not healthy" in str(refused.value)
        assert all(f"{name} tcp://127.0.0.1:" in str(refused.value) for name in lost)
        assert machine.seen() == before
        machine.back()
        assert machine.disk == machine.runtime == weights(STABLE)

    def test_nor_where_all_of_it_was_committed_before_the_promotion(
        self, machine: Machine, web: Callable[[str], WebServer]
    ) -> None:
        servers = real_servers(machine, web)
        machine.take(ALL_GREEN)
        machine.take(ALL_GREEN, commit=True, events=[{"event": "paused", "data": {"cause": "too_few_requests"}}])
        close(servers, ["green2"])
        machine.begin_again("r2", resumes="r1")
        before = machine.seen()
        with pytest.raises(StateError, match=r"green is no longer what was judged, .* 1 of 2 not healthy.*green2 tcp:"):
            machine.promote(release_id="r2")
        assert machine.seen() == before
        machine.back(release_id="r2")
        assert machine.disk == machine.runtime == weights(STABLE)

    def test_not_where_haproxy_calls_none_of_them_up(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.haproxy.runtime.act([f"set server shop/{name} health down" for name in SERVERS["green"]])
        with pytest.raises(StateError, match="calls none of green1, green2 up; nothing was committed"):
            machine.promote()
        assert machine.disk == weights(STABLE)

    def test_what_haproxy_calls_down_was_there_for_the_gate_to_judge(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.haproxy.runtime.act(["set server shop/green1 health down"])
        machine.promote()
        assert machine.disk == weights(ALL_GREEN)

    def test_a_way_back_never_asks(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.haproxy.reload()
        machine.back()
        assert machine.disk == machine.runtime == weights(STABLE)


class TestAFullDisk:
    def test_it_stops_a_stage_before_anything_is_shifted(self, machine: Machine) -> None:
        with full_disk(machine, room=40):
            before = machine.seen()
            with pytest.raises(
                StateError, match=r"shop: .*journal\.jsonl cannot be written: File too large; nothing was shifted"
            ):
                machine.take(SPLIT_5)
            assert machine.seen() == before, "no half line in the journal, no lease"
        machine.take(SPLIT_5)
        assert _journal.read(machine.paths.journal).damage == []

    def test_it_stops_a_promotion_before_the_disk_is_committed(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        with full_disk(machine):
            before = machine.seen()
            with pytest.raises(StateError, match="cannot be written"):
                machine.promote()
            assert machine.seen() == before
        assert machine.led

    def test_it_is_told_when_it_came_in_the_middle(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        with (
            full_disk(machine, room=400),
            pytest.raises(StateError, match="cannot be written: File too large; the split is set and committed"),
        ):
            machine.promote()
        assert machine.events[-1] == "committing"
        assert machine.disk == machine.runtime == weights(ALL_GREEN)
        assert machine.lease is None
        machine.promote()
        assert (machine.state["stable"], machine.state["shares"]) == ("green", ALL_GREEN), "the journal catches up"

    def test_it_does_not_stop_a_step_back_in_a_stage(self, machine: Machine) -> None:
        machine.take(SPLIT_25)
        with full_disk(machine):
            outcome = machine.back()
        assert machine.runtime == machine.disk == weights(STABLE)
        assert machine.lease is None
        assert outcome.changed
        (warning,) = outcome.warnings
        assert warning.endswith("journal.jsonl cannot be written: File too large")

    def test_nor_does_a_journal_that_cannot_even_be_read(self, machine: Machine) -> None:
        machine.take(SPLIT_25)
        machine.paths.journal.unlink()
        machine.paths.journal.mkdir()
        outcome = machine.back()
        assert machine.runtime == machine.disk == weights(STABLE)
        assert outcome.warnings == [f"{machine.paths.journal} cannot be written: Is a directory"]

    def test_it_does_not_stop_a_step_back_after_a_promotion(self, machine: Machine) -> None:
        machine.take(ALL_GREEN)
        machine.promote()
        with full_disk(machine):
            machine.back()
        assert machine.runtime == machine.disk == weights(STABLE)
        machine.back()
        assert machine.state["shares"] == STABLE, "the journal catches up"


class TestTwoStepsAtATime:
    def test_the_second_waits_until_the_first_is_done(self, machine: Machine) -> None:
        inside, go_on = threading.Event(), threading.Event()

        class Slow(Timers):
            def start(self, unit: str, seconds: float, command: Sequence[str]) -> None:
                inside.set()
                assert go_on.wait(10)
                super().start(unit, seconds, command)

        failed: list[BaseException] = []

        def take(shares: Mapping[str, float], timer: Timers) -> None:
            try:
                machine.take(shares, edges={"timer": timer})
            except BaseException as error:  # noqa: BLE001 - told to the test's own thread
                failed.append(error)

        first = threading.Thread(target=take, args=(SPLIT_5, Slow(machine.timers.log)))
        second = threading.Thread(target=take, args=(SPLIT_25, machine.timers))
        first.start()
        assert inside.wait(10)
        second.start()
        second.join(0.3)
        assert second.is_alive(), "it waits for the mutex"
        assert machine.timers.told == [], "and has done nothing yet"
        go_on.set()
        first.join(10)
        second.join(10)
        assert failed == []
        shifts = [event["data"] for event in _journal.read(machine.paths.journal).events if event["event"] == "shift"]
        assert [shift["before"] for shift in shifts] == [STABLE, SPLIT_5], "the second found what the first had set"
        assert machine.runtime == weights(SPLIT_25)
        assert len(machine.timers.running) == 1
        assert machine.led

    def test_a_takeover_fences_the_step_that_waited(self, machine: Machine) -> None:
        machine.take(SPLIT_25)
        machine.begin("r2")
        machine.back(release_id="r2")
        before = machine.seen()
        with pytest.raises(FencedError, match="the current one is release r2 of alice@ci"):
            machine.take(SPLIT_25)
        assert machine.seen() == before


def test_services_do_not_share_anything(machine: Machine) -> None:
    other = ServicePaths("cart", machine.paths.state_dir, machine.paths.run_dir, machine.paths.config_dir)
    for name in ("journal", "tapes", "mutex", "lock", "lease", "config"):
        assert getattr(other, name) != getattr(machine.paths, name), name


def test_a_file_that_was_edited_in_another_encoding_can_still_be_stepped(machine: Machine) -> None:
    machine.paths.config.write_bytes(machine.paths.config.read_bytes() + b"# f\xfcr alle\n")
    machine.take(ALL_GREEN)
    machine.promote()
    assert b"# f\xfcr alle\n" in machine.paths.config.read_bytes()
