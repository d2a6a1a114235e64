"""What the gate runs on every balancer at every tick, and the lock, on a real HAProxy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import (
    BalancerError,
    FencedError,
    InputError,
    LockedError,
    StateError,
)
from ansible_collections.sluice.bluegreen.plugins.modules import haproxy_tick, journal_info, release_lock
from step_machine import SPLIT_5, SPLIT_25, STABLE, Machine, WebServer, full_disk, get, weights

Web = Callable[[str], WebServer]


@pytest.fixture(autouse=True)
def timers(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy_tick._lease, "SystemdTimer", lambda: machine.timers)


def tick(machine: Machine, check_mode: bool = False, warn: Callable[[str], None] = print, **params: Any) -> Any:
    given = {
        "service": "shop",
        "socket": machine.haproxy.socket,
        "state_dir": machine.paths.state_dir,
        "run_dir": machine.paths.run_dir,
        "config_dir": machine.paths.config_dir,
        "release_id": "r1",
        "lease": 20.0,
        "tape": None,
        "latency": False,
        "deployed": False,
        **params,
    }
    return haproxy_tick.run(given, check_mode, warn)


def lock(machine: Machine, check_mode: bool = False, **params: Any) -> Any:
    given = {
        "release_id": "r1",
        "state": "present",
        "owner": "alice@ci",
        "ttl": 60,
        "takeover": False,
        "operation": "release",
        "holder": "",
        "renew": False,
        "expects": None,
        "socket": machine.haproxy.socket,
        "events": [],
        **params,
    }
    return release_lock.run(machine.paths, given, check_mode)


def test_the_counters_are_the_requests_that_users_saw(machine: Machine, web: Web) -> None:
    good, bad = web("blue1"), web("green1")
    bad.status = 500
    ports = {"blue": {"blue1": good.port, "blue2": 9}, "green": {"green1": bad.port, "green2": 9}}
    machine.write(STABLE, ports)
    began = time.monotonic()
    machine.haproxy.reload()
    machine.set_runtime({"blue1": 100, "blue2": 0, "green1": 100, "green2": 0})
    answers = get(machine.haproxy.listen, 10)
    assert answers["blue1"] + answers["500"] == 10, answers
    assert min(answers.values()) >= 4, answers
    result = tick(machine, release_id=None)
    servers = result["servers"]
    assert {name: (server["requests"], server["bad"]) for name, server in servers.items()} == {
        "blue1": (answers["blue1"], 0),
        "blue2": (0, 0),
        "green1": (answers["500"], answers["500"]),
        "green2": (0, 0),
    }
    assert {name: server["weight"] for name, server in servers.items()} == machine.runtime
    assert servers["blue1"]["status"].startswith("UP")
    assert (servers["blue1"]["sessions"], result["pid"]) == (0, machine.pid)
    assert 0 <= result["uptime"] <= time.monotonic() - began + 1
    assert result["leading"] is False


def test_a_haproxy_without_a_histogram_says_so(machine: Machine) -> None:
    assert tick(machine, release_id=None, latency=True)["latency"] is None


def test_the_age_of_a_deployment_is_that_of_its_event_in_the_journal(machine: Machine) -> None:
    machine.take(SPLIT_5)
    assert haproxy_tick.deployed(machine.paths, "r9", _journal.utc_now()) is None, "the journal does not know it"
    then = _journal.utc_now() - timedelta(seconds=100)
    for release_id, moment in (("r1", then), ("r2", _journal.utc_now())):
        _journal.append(machine.paths.journal, "deployed", release_id, {}, now=lambda moment=moment: moment)
    deployed = tick(machine, deployed=True)["deployed"]
    assert 100 <= deployed <= (_journal.utc_now() - then).total_seconds()


def test_another_process_is_told_by_its_id(machine: Machine) -> None:
    before = tick(machine, release_id=None)["pid"]
    machine.haproxy.reload()
    assert tick(machine, release_id=None)["pid"] == machine.pid != before


def test_a_tick_renews_lease_and_lock_without_a_gap(machine: Machine) -> None:
    machine.take(SPLIT_5)
    (first,) = machine.timers.running
    _lock.acquire(machine.paths, "r1", "alice@ci", 1)
    before = _lock.boot_time()
    assert tick(machine)["leading"] is True
    after = _lock.boot_time()
    (second,) = machine.timers.running
    assert machine.timers.told[-2:] == [f"start {second}", f"stop {first}"]
    assert machine.led
    assert (machine.lease or {})["seconds"] == 20
    held = _lock.current(machine.paths)
    assert held is not None
    assert before + 20 <= held["until"] <= after + 20, "a lock that lasts longer would keep the next release out"
    assert machine.runtime == weights(SPLIT_5)


def test_without_a_release_it_only_reads(machine: Machine) -> None:
    machine.take(SPLIT_5)
    before = machine.seen()
    assert tick(machine, release_id=None, tape={"name": "x", "line": {"a": 1}})["leading"] is False
    assert machine.seen() == before


def test_check_mode_reads_and_renews_nothing(machine: Machine) -> None:
    machine.take(SPLIT_5)
    before = machine.seen()
    assert tick(machine, check_mode=True, tape={"name": "x", "line": {"a": 1}})["servers"]
    assert machine.seen() == before


class TestALeaseIsNotTakenAgain:
    def test_after_it_fell_back(self, machine: Machine) -> None:
        machine.take(SPLIT_5)
        machine.fire()
        before = machine.timers.told
        result = tick(machine)
        assert result["leading"] is False
        assert result["servers"]["green1"]["weight"] == 0
        assert (machine.lease, machine.timers.told) == (None, before)

    def test_after_its_time_although_the_balancer_could_not_fall_back_yet(self, machine: Machine) -> None:
        machine.take(SPLIT_5)
        late = {**(machine.lease or {}), "until": _lock.boot_time() - 0.5}
        machine.paths.lease.write_text(json.dumps(late))
        assert tick(machine)["leading"] is False
        assert machine.lease == late, "the try that is on its way finds its token"

    def test_from_another_release(self, machine: Machine) -> None:
        machine.take(SPLIT_5)
        machine.begin("r2")
        lease = machine.lease
        assert tick(machine, release_id="r2")["leading"] is False
        assert machine.lease == lease


def test_a_tick_of_a_superseded_release_changes_nothing(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.begin("r2")
    before = machine.seen()
    with pytest.raises(FencedError, match=r"the current one is release r2 of alice@ci"):
        tick(machine, tape={"name": "r1-1", "line": {"a": 1}})
    assert machine.seen() == before, "not even a line on the tape"


class TestTheTape:
    def test_every_tick_appends_a_line(self, machine: Machine) -> None:
        tick(machine, tape={"name": "r1-1", "line": {"b": 2, "a": 1}})
        tick(machine, tape={"name": "r1-1", "line": {"a": 3}})
        tick(machine, tape={"name": "r1-1", "line": None})
        assert (machine.paths.tapes / "r1-1.jsonl").read_text() == '{"a": 1, "b": 2}\n{"a": 3}\n'

    @pytest.mark.parametrize("name", ["../journal", "", "a/b", "a b"])
    def test_its_name_is_no_path(self, machine: Machine, name: str) -> None:
        with pytest.raises(InputError, match="tape name"):
            tick(machine, tape={"name": name, "line": {"a": 1}})

    def test_a_disk_that_takes_no_more_is_a_warning(self, machine: Machine) -> None:
        machine.take(SPLIT_5)
        machine.paths.tapes.write_text("a file where the folder should be")
        warnings: list[str] = []
        assert tick(machine, warn=warnings.append, tape={"name": "r1-1", "line": {"a": 1}})["leading"] is True
        (warning,) = warnings
        assert warning.startswith("the tape could not be written: ")


def test_a_haproxy_that_is_down_is_a_failure(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.haproxy.stop()
    with pytest.raises(BalancerError, match="HAProxy is not running"):
        tick(machine)


class TestTheLock:
    def test_a_second_release_is_refused_and_nothing_changes(self, machine: Machine) -> None:
        before = machine.seen()
        for check_mode in (False, True):
            with pytest.raises(LockedError, match="service shop is locked by release r1 of alice@ci") as caught:
                lock(machine, check_mode, release_id="r2", events=[{"event": "release_started", "data": {}}])
            assert caught.value.details["holder"]["release_id"] == "r1"
        assert machine.seen() == before

    def test_who_was_refused_does_not_give_back_what_another_process_of_the_release_has(self, machine: Machine) -> None:
        lock(machine, release_id="r2", takeover=True, holder="7")
        with pytest.raises(LockedError, match="locked by release r2"):
            lock(machine, release_id="r2", holder="8")
        assert lock(machine, release_id="r2", state="absent", holder="8")["changed"] is False
        assert lock(machine, release_id="r2", renew=True)["holder"]["live"]
        assert lock(machine, release_id="r2", state="absent", holder="7")["changed"] is True

    def test_a_takeover_fences_the_one_before(self, machine: Machine) -> None:
        machine.take(SPLIT_25)
        result = lock(machine, release_id="r2", owner="bob", takeover=True)
        assert (result["changed"], result["holder"]["owner"]) == (True, "bob")
        with pytest.raises(FencedError):
            machine.take(SPLIT_5)
        with pytest.raises(FencedError):
            lock(machine, renew=True)

    def test_prolonging_is_no_change_and_an_event_is(self, machine: Machine) -> None:
        assert lock(machine)["changed"] is False
        assert lock(machine, renew=True)["changed"] is False
        assert lock(machine, renew=True, events=[{"event": "stage_passed", "data": {"stage": 1}}])["changed"] is True
        assert machine.state["release"]["stage"] == 1

    def test_whoever_only_keeps_the_lock_does_not_keep_a_stage(self, machine: Machine) -> None:
        machine.take(SPLIT_25)
        before = list(machine.timers.told)
        lock(machine, renew=True)
        assert machine.timers.told == before, "a gate that hangs is not there any more, though its playbook is"
        lock(machine, renew=True, events=[{"event": "stage_passed", "data": {"stage": 1}}])
        assert machine.timers.told != before, "between the stages it lasts until the next shift"

    def test_giving_back_what_another_holds_does_nothing_and_says_so(self, machine: Machine) -> None:
        before = machine.seen()
        result = lock(machine, release_id="r2", state="absent", events=[{"event": "failed", "data": {}}])
        assert (result["changed"], result["holder"]["release_id"]) == (False, "r1")
        assert machine.seen() == before

    def test_giving_back_ends_the_journal_first(self, machine: Machine) -> None:
        result = lock(machine, state="absent", events=[{"event": "failed", "data": {"cause": "deploy"}}])
        assert (result["changed"], result["holder"]) == (True, None)
        assert machine.events[-1] == "failed"
        assert lock(machine, state="absent")["changed"] is False

    def test_check_mode_changes_nothing(self, machine: Machine) -> None:
        before = machine.seen()
        assert lock(machine, True, state="absent")["changed"] is True
        assert lock(machine, True)["changed"] is False
        assert lock(machine, True, release_id="r2", takeover=True)["changed"] is True
        assert machine.seen() == before

    def test_a_full_disk_leaves_the_lock_to_whoever_had_it(self, machine: Machine) -> None:
        event = {"event": "release_started", "data": {"version": "v3", "color": "green"}}
        with full_disk(machine):
            before = machine.seen()
            with pytest.raises(StateError, match=r"journal\.jsonl cannot be written: File too large; the lock was not"):
                lock(machine, release_id="r2", takeover=True, events=[event])
            assert machine.seen() == before
            _lock.drop(machine.paths, "r1")
            with pytest.raises(StateError, match="the lock was not taken"):
                lock(machine, release_id="r2", events=[event])
        assert _lock.current(machine.paths) is None

    def test_a_full_disk_does_not_keep_the_lock_of_a_release_that_is_over(self, machine: Machine) -> None:
        with full_disk(machine), pytest.raises(StateError, match=r"cannot be written.*; the lock was given back"):
            lock(machine, state="absent", events=[{"event": "failed", "data": {}}])
        assert _lock.current(machine.paths) is None


class TestWhatABalancerKnows:
    def test_state_lock_and_lease_are_read_together(self, machine: Machine) -> None:
        machine.take(SPLIT_5, stage=1)
        before = machine.seen()
        known = journal_info.run(machine.paths, 1)
        assert known["state"]["stable"] == "blue"
        assert known["state"]["release"]["phase"] == "rolling"
        assert (known["lock"]["release_id"], known["lock"]["live"]) == ("r1", True)
        assert 0 < known["lease"]["remaining"] <= known["lease"]["seconds"] == 30
        assert [event["event"] for event in known["events"]] == ["shift"]
        assert known["damage"] == []
        assert machine.seen() == before

    def test_a_service_that_was_never_released_is_no_error(self, machine: Machine) -> None:
        machine.paths.journal.unlink()
        machine.paths.lock.unlink()
        known = journal_info.run(machine.paths, 0)
        assert (known["state"]["stable"], known["lock"], known["lease"]) == (None, None, None)
        assert "events" not in known

    def test_a_line_that_somebody_wrote_is_told_and_stops_nothing(self, machine: Machine) -> None:
        with machine.paths.journal.open("a") as journal:
            journal.write('{"event": "committed"}\n')
        assert "is not a journal line" in journal_info.run(machine.paths, 0)["damage"][0]
        machine.take(SPLIT_5)
        machine.back()
        numbers = [event["seq"] for event in _journal.read(machine.paths.journal).events]
        assert numbers == list(range(1, len(numbers) + 1))
