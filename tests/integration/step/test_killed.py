"""A module that is killed on any line, as the out-of-memory killer or a lost session does it.

Whatever was done until then: runtime leads the disk only while a timer runs that takes it back, the disk has the split
from before or the one that was wanted, and the step can be repeated.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease_expired
from ansible_collections.sluice.bluegreen.plugins.modules import haproxy_tick, release_lock
from step_machine import ALL_GREEN, SPLIT_5, SPLIT_25, STABLE, Machine, weights

# Where something is done; what is only thought cannot leave anything behind.
ACTING = {
    "_files.py": None,
    "_journal.py": ("append", "_write", "_rotate"),
    "_lease.py": None,
    "_lease_expired.py": None,
    "_lock.py": ("acquire", "renew", "restore", "drop"),
    "_shift.py": None,
    "_socket.py": ("act",),
    "_split.py": None,
    "_config.py": ("commit", "_replace", "_write"),
    "haproxy_tick.py": None,
    "release_lock.py": None,
}
Action = Callable[[], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: a thousand steps would wait for the disk three times each."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def lines(action: Action, stop_at: int = 0) -> list[int]:
    """Run ``action`` in a child that kills itself before its ``stop_at``-th line.

    Returns the numbers of the lines worth stopping at, which are the first two passes over each, if the child ended; an
    empty list stands for a child that was killed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run_and_exit(action, stop_at, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        numbers = told.read()
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return []
    assert numbers, "the step itself failed"
    return [int(number) for number in numbers.split()]


def _run_and_exit(action: Action, stop_at: int, writer: int) -> None:
    count = 0
    passes: Counter[tuple[str, int]] = Counter()
    worth: list[int] = []

    def local(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        if event == "line":
            count += 1
            if count == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
            line = (frame.f_code.co_filename, frame.f_lineno)
            passes[line] += 1
            if passes[line] <= 2:
                worth.append(count)
        return local

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        functions = ACTING.get(Path(code.co_filename).name, ())
        return local if functions is None or code.co_name in functions else None

    status = 1
    try:
        sys.settrace(trace)
        action()
        sys.settrace(None)
        os.write(writer, " ".join(map(str, worth)).encode())
        status = 0
    finally:
        os._exit(status)


def killed(machine: Machine, action: Action) -> Iterator[int]:
    """``action`` killed before its first line, its second, and so on, each time from the same beginning."""
    machine.save()
    numbers = lines(action)
    assert len(numbers) > 20, "nothing was traced"
    for number in numbers:
        machine.restore()
        # The number of lines varies a little, for example with the answers of the socket.
        if not lines(action, number):
            yield number


def safe(machine: Machine, number: int, before: dict[str, float], after: dict[str, float]) -> None:
    where = f"killed at line {number}"
    assert machine.disk_shares in (before, after), where
    assert machine.disk == weights(machine.disk_shares), f"{where}: header and weights of the disk do not agree"
    assert machine.runtime == machine.disk or machine.led, f"{where}: runtime leads the disk and nobody takes it back"
    assert sorted(path.name for path in Path(machine.paths.config_dir).glob("*.cfg")) == ["shop.cfg"], where
    content = _journal.read(machine.paths.journal)
    assert content.damage == [], where


def promoted(machine: Machine) -> None:
    machine.take(ALL_GREEN)
    machine.promote()


def paused(machine: Machine) -> None:
    machine.take(SPLIT_5)
    machine.take(SPLIT_5, commit=True, events=[{"event": "paused", "data": {"cause": "warmup"}}])
    machine.take(SPLIT_25)


def nothing(machine: Machine) -> None:
    """The first stage of a release."""


def stage(machine: Machine) -> None:
    machine.take(SPLIT_5)


def full_stage(machine: Machine) -> None:
    machine.take(ALL_GREEN)


def by_hand(machine: Machine) -> None:
    """No release is rolling, so a commit may shift as well."""
    machine.note("failed")


CASES: dict[str, tuple[Callable[[Machine], None], Callable[[Machine], Any], dict[str, float], dict[str, float]]] = {
    "the first stage": (nothing, lambda m: m.take(SPLIT_5), STABLE, STABLE),
    "a second stage": (stage, lambda m: m.take(SPLIT_25), STABLE, STABLE),
    "a promotion": (full_stage, lambda m: m.promote(), STABLE, ALL_GREEN),
    "a commit that shifts": (by_hand, lambda m: m.take(ALL_GREEN, commit=True), STABLE, ALL_GREEN),
    "back in a stage": (stage, lambda m: m.back(), STABLE, STABLE),
    "back after a pause": (paused, lambda m: m.back(), SPLIT_5, STABLE),
    "back after a promotion": (promoted, lambda m: m.back(), ALL_GREEN, STABLE),
    "back to what is committed": (stage, lambda m: m.take(None), STABLE, STABLE),
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_killed_on_any_line_keeps_the_promises(machine: Machine, name: str) -> None:
    prepare, act, before, after = CASES[name]
    # HAProxy's own judgement of a configuration takes long and changes nothing.
    machine.program = "/bin/true"
    prepare(machine)
    assert machine.disk_shares == before
    count = 0
    for number in killed(machine, lambda: act(machine)):
        count += 1
        safe(machine, number, before, after)
        if number % 2:
            machine.fire()
            assert machine.runtime == machine.disk, f"killed at line {number}: the timers did not bring runtime back"
        else:
            act(machine)
            assert machine.disk == weights(after), f"killed at line {number}: the step cannot be repeated"
            assert machine.state["shares"] == after, f"killed at line {number}: the journal does not know"
            safe(machine, number, after, after)
    assert count > 50, f"only {count} lines were tried"


def test_a_tick_killed_on_any_line_keeps_the_lease(machine: Machine) -> None:
    machine.take(SPLIT_5)

    def tick() -> None:
        haproxy_tick.renew(machine.paths, {"release_id": "r1", "lease": 30.0, "socket": machine.haproxy.socket})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(haproxy_tick._lease, "SystemdTimer", lambda: machine.timers)
        for number in killed(machine, tick):
            assert machine.runtime == weights(SPLIT_5)
            assert machine.led, f"killed at line {number}: the stage has no lease any more"
            safe(machine, number, STABLE, STABLE)
            machine.fire()
            assert machine.runtime == weights(STABLE), f"killed at line {number}"


def test_a_fall_back_killed_on_any_line_is_done_by_the_next_try(machine: Machine) -> None:
    machine.take(SPLIT_25)
    (command,) = machine.timers.running.values()
    token = command[command.index("--token") + 1]

    def fall_back() -> None:
        _lease_expired.fall_back(machine.paths, token, machine.haproxy.socket)

    for number in killed(machine, fall_back):
        safe(machine, number, STABLE, STABLE)
        fall_back()
        assert machine.runtime == weights(STABLE), f"killed at line {number}"
        assert machine.lease is None, f"killed at line {number}"


def test_a_lock_killed_on_any_line_is_free_or_ours(machine: Machine) -> None:
    params = {
        "release_id": "r2",
        "owner": "bob",
        "operation": "release",
        "holder": "",
        "ttl": 60,
        "takeover": True,
        "renew": False,
        "expects": None,
        "state": "present",
        "events": [{"event": "note", "data": {}}],
    }
    for number in killed(machine, lambda: release_lock.run(machine.paths, params, False)):
        holder = release_lock.run(machine.paths, params, True)["holder"]
        assert holder["release_id"] in ("r1", "r2"), f"killed at line {number}"
        assert release_lock.run(machine.paths, params, False)["holder"]["release_id"] == "r2"
        safe(machine, number, STABLE, STABLE)
