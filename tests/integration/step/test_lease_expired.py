"""What the timer of a lease runs, as a process of its own and with nothing but Python's standard library."""

from __future__ import annotations

import json
import resource
import shutil
import threading
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease_expired
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import mutex
from step_machine import ALL_GREEN, SPLIT_5, SPLIT_25, STABLE, Machine, full_disk, weights


def test_it_brings_runtime_back_to_the_disk_and_says_so_in_the_journal(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.take(SPLIT_25)
    pid, config = machine.pid, machine.paths.config.read_bytes()
    done = machine.fire_process()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "lease of release r1 ran out: shop is back at the committed split blue 100 %, green 0 %\n"
    assert machine.runtime == machine.disk == weights(STABLE)
    assert (machine.pid, machine.paths.config.read_bytes()) == (pid, config), "nothing was reloaded or written"
    assert machine.lease is None
    content = _journal.read(machine.paths.journal)
    assert content.damage == [], "the line continues the chain"
    assert content.events[-1]["event"] == "lease_expired"
    assert content.events[-1]["release_id"] == "r1"
    assert content.events[-1]["data"] == {"shares": STABLE, "changed": True, "seconds": 30.0}


def test_it_falls_back_to_the_split_of_a_pause_where_that_is_committed(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.take(SPLIT_5, commit=True, events=[{"event": "paused", "data": {"cause": "warmup"}}])
    machine.take(SPLIT_25)
    assert machine.fire_process().returncode == 0
    assert machine.runtime == machine.disk == weights(SPLIT_5)


def test_an_outdated_token_does_nothing(machine: Machine) -> None:
    machine.take(SPLIT_5)
    (outdated,) = machine.timers.running.items()
    machine.take(SPLIT_5)
    machine.timers.start(outdated[0], 30, outdated[1])
    before = machine.seen()
    done = machine.fire_process(outdated[0])
    assert (done.returncode, done.stdout) == (0, "the lease was renewed or ended meanwhile; nothing to do\n")
    assert machine.seen() == before


def test_a_timer_whose_lease_has_ended_does_nothing(machine: Machine) -> None:
    machine.take(ALL_GREEN)
    late = dict(machine.timers.running)
    machine.promote()
    machine.timers.start(*late.popitem()[:1], 30, machine_command(machine))
    before = machine.seen()
    machine.fire()
    assert machine.seen() == before
    assert machine.runtime == weights(ALL_GREEN), "a promotion is not undone"


def cleared(machine: Machine) -> None:
    """By hand, to get rid of a lock that seems stuck."""
    shutil.rmtree(machine.paths.lock.parent)


def test_a_lease_that_somebody_has_removed_with_its_lock_falls_back_all_the_same(machine: Machine) -> None:
    machine.take(SPLIT_25)
    cleared(machine)
    done = machine.fire_process()
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.runtime == weights(STABLE)
    last = _journal.read(machine.paths.journal).events[-1]
    assert (last["event"], last["release_id"]) == ("lease_expired", "r1")


def test_but_not_to_what_a_disk_has_that_did_not_take_the_way_back(machine: Machine) -> None:
    machine.take(ALL_GREEN)
    machine.promote()
    machine.take(ALL_GREEN, lease=30.0, release_id="r1")
    late = dict(machine.timers.running)
    broken = machine.paths.config.with_name("zz-broken.cfg")
    broken.write_text("frontend of nobody\n    bind nowhere\n")
    with pytest.raises(BalancerError, match="the traffic was taken away"):
        machine.back()
    broken.unlink()
    cleared(machine)
    ((unit, command),) = late.items()
    machine.timers.start(unit, 30, command)
    machine.fire_process(unit)
    assert machine.runtime == weights(STABLE)


def machine_command(machine: Machine) -> list[str]:
    """The command that was started first."""
    return list(json.loads(machine.timers.log.read_text().splitlines()[0])["command"])


def test_a_haproxy_that_is_down_makes_it_fail_so_that_systemd_tries_again(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.haproxy.stop()
    journal = machine.paths.journal.read_bytes()
    done = machine.fire_process()
    assert done.returncode == 1
    assert done.stderr.startswith("shop: HAProxy's socket ")
    assert "HAProxy is not running" in done.stderr
    assert machine.led, "the lease is still there for the next try"
    assert machine.paths.journal.read_bytes() == journal

    machine.haproxy.start()
    assert machine.runtime == weights(STABLE), "HAProxy starts with what is on the disk"
    assert machine.fire_process().returncode == 0
    assert machine.lease is None


def test_a_full_disk_does_not_keep_the_traffic_where_it_is(machine: Machine) -> None:
    machine.take(SPLIT_5)
    with full_disk(machine):
        size = machine.paths.journal.stat().st_size

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = machine.fire_process(preexec_fn=limit)
    assert done.returncode == 0
    assert "the journal could not be written" in done.stderr
    assert machine.runtime == weights(STABLE)
    assert machine.lease is None


def test_servers_that_haproxy_has_not_loaded_yet_do_not_keep_the_traffic_where_it_is(machine: Machine) -> None:
    machine.take(SPLIT_25)
    changed = {"blue": {"blue1": 9, "blue3": 9}, "green": {"green1": 9, "green2": 9}}
    machine.write(STABLE, changed)
    assert machine.fire_process().returncode == 0
    assert machine.runtime == {"blue1": 256, "blue2": 0, "green1": 0, "green2": 0}, "what the disk does not know gets 0"


def test_all_servers_replaced_is_a_failure_and_not_an_outage(machine: Machine) -> None:
    machine.take(SPLIT_25)
    machine.write(STABLE, {"blue": {"blue8": 9}, "green": {"green1": 9, "green2": 9}})
    done = machine.fire_process()
    assert done.returncode == 1
    assert "HAProxy has none of the servers that have traffic on the disk" in done.stderr
    assert machine.runtime == weights(SPLIT_25)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda path: path.unlink(), "shop.cfg is gone, so there is nothing to fall back to"),
        (lambda path: path.write_text("backend shop\n"), "The first line is not"),
    ],
)
def test_without_a_committed_split_it_fails_and_says_why(machine: Machine, damage: Any, problem: str) -> None:
    machine.take(SPLIT_5)
    damage(machine.paths.config)
    done = machine.fire_process()
    assert (done.returncode, problem in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


def test_it_waits_for_a_step_in_progress_and_yields_to_the_lease_that_the_step_took(machine: Machine) -> None:
    machine.take(SPLIT_5)
    (command,) = machine.timers.running.values()
    token = command[command.index("--token") + 1]
    said: list[str] = []
    with mutex(machine.paths.mutex):
        fallen = threading.Thread(
            target=lambda: said.append(_lease_expired.fall_back(machine.paths, token, machine.haproxy.socket))
        )
        fallen.start()
        fallen.join(0.3)
        assert fallen.is_alive(), "it waits"
        lease = {**(machine.lease or {}), "token": "another"}
        machine.paths.lease.write_text(json.dumps(lease))
    fallen.join(10)
    assert said == ["the lease was renewed or ended meanwhile; nothing to do"]
    assert machine.runtime == weights(SPLIT_5)


def test_the_command_names_every_folder_so_that_no_default_is_taken(machine: Machine) -> None:
    machine.take(SPLIT_5)
    (command,) = machine.timers.running.values()
    assert command[1:] == [
        "-m",
        "sluice_bluegreen._lease_expired",
        "--service",
        "shop",
        "--token",
        (machine.lease or {})["token"],
        "--socket",
        machine.haproxy.socket,
        "--state-dir",
        machine.paths.state_dir,
        "--run-dir",
        machine.paths.run_dir,
        "--config-dir",
        machine.paths.config_dir,
        "--release-id",
        "r1",
    ]
