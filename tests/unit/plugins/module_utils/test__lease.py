"""The lease: taken before, renewed without a gap, ended once; the clock and the timer are told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lease
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import read_json
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths

SOCKET = "/run/haproxy/admin.sock"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Timer:
    """Writes down what it is told, and what the lease file said at that moment."""

    def __init__(self, paths: ServicePaths) -> None:
        self.paths = paths
        self.told: list[tuple[str, str]] = []
        self.leases: list[str | None] = []
        self.commands: list[list[str]] = []
        self.seconds: list[float] = []
        self.broken = False

    def start(self, unit: str, seconds: float, command: Sequence[str]) -> None:
        if self.broken:
            raise StateError("no lease can be held")
        self._tell("start", unit)
        self.commands.append(list(command))
        self.seconds.append(seconds)

    def stop(self, unit: str) -> None:
        self._tell("stop", unit)

    def _tell(self, what: str, unit: str) -> None:
        self.told.append((what, unit))
        self.leases.append((read_json(self.paths.lease) or {}).get("unit"))


@pytest.fixture
def paths(tmp_path: Path) -> ServicePaths:
    return ServicePaths("shop", str(tmp_path / "lib"), str(tmp_path / "run"), str(tmp_path / "conf"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timer(paths: ServicePaths) -> Timer:
    return Timer(paths)


def test_without_a_lease_there_is_none(paths: ServicePaths, clock: Clock, timer: Timer) -> None:
    assert _lease.current(paths, clock) is None
    assert _lease.drop(paths, timer) is False
    assert timer.told == []


def test_a_lease_says_whose_it_is_and_how_long_it_lasts(paths: ServicePaths, clock: Clock, timer: Timer) -> None:
    _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    clock.now += 12.34
    lease = _lease.current(paths, clock)
    assert lease is not None
    assert (lease["release_id"], lease["seconds"], lease["remaining"]) == ("r1", 30, 17.7)
    assert timer.seconds == [30]
    clock.now += 100
    lease = _lease.current(paths, clock)
    assert lease is not None, "it is there until the balancer has fallen back"
    assert lease["remaining"] == 0


def test_the_timer_runs_before_the_lease_is_promised(paths: ServicePaths, clock: Clock, timer: Timer) -> None:
    _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    assert timer.leases == [None]
    assert (read_json(paths.lease) or {})["unit"] == timer.told[0][1]


def test_a_timer_that_cannot_run_leaves_the_lease_as_it_was(paths: ServicePaths, clock: Clock, timer: Timer) -> None:
    timer.broken = True
    with pytest.raises(StateError):
        _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    assert not paths.lease.exists()
    timer.broken = False
    _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    before = read_json(paths.lease)
    timer.broken = True
    with pytest.raises(StateError):
        _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    assert read_json(paths.lease) == before
    assert [what for what, _unit in timer.told] == ["start"], "the timer before still runs"


def test_renewing_starts_the_next_timer_and_its_lease_before_the_last_is_stopped(
    paths: ServicePaths, clock: Clock, timer: Timer
) -> None:
    _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    clock.now += 20
    _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    (_, first), (_, second), _ = timer.told
    assert first != second
    assert timer.told == [("start", first), ("start", second), ("stop", first)]
    assert timer.leases == [None, first, second], "what the lease file names at each moment is a timer that runs"
    lease = _lease.current(paths, clock)
    assert lease is not None
    assert lease["remaining"] == 30


def test_ending_removes_the_lease_first_so_that_a_timer_that_fires_finds_none(
    paths: ServicePaths, clock: Clock, timer: Timer
) -> None:
    _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    assert _lease.drop(paths, timer) is True
    assert timer.told[-1] == ("stop", timer.told[0][1])
    assert timer.leases[-1] is None
    assert _lease.drop(paths, timer) is False


def test_the_timer_runs_this_python_with_the_token_of_its_own_lease(
    paths: ServicePaths, clock: Clock, timer: Timer
) -> None:
    _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    (command,) = timer.commands
    lease = read_json(paths.lease) or {}
    assert command[:3] == [sys.executable, "-m", "sluice_bluegreen._lease_expired"]
    assert command[command.index("--token") + 1] == lease["token"]
    assert command[command.index("--socket") + 1] == SOCKET
    assert lease["unit"] == f"sluice-lease-shop-{lease['token']}"


def test_no_two_timers_have_the_same_name(paths: ServicePaths, clock: Clock, timer: Timer) -> None:
    for _number in range(50):
        _lease.arm(paths, "r1", 30, timer, SOCKET, clock)
    started = [unit for what, unit in timer.told if what == "start"]
    assert len(set(started)) == 50


def test_a_lease_is_renewed_by_its_own_release_only_and_only_while_it_lasts(paths: ServicePaths, clock: Clock) -> None:
    timer = Timer(paths)
    assert not _lease.renew(paths, "r1", timer, clock=clock), "there was none"
    _lease.arm(paths, "r1", 10, timer, SOCKET, clock)
    clock.now += 9
    assert not _lease.renew(paths, "r2", timer, clock=clock), "it is not r2's"
    assert _lease.renew(paths, "r1", timer, clock=clock)
    clock.now += 9
    lease = _lease.current(paths, clock)
    assert lease is not None
    assert (lease["remaining"], timer.seconds) == (1.0, [10, 10]), "for as long as before"
    clock.now += 1
    assert not _lease.renew(paths, "r1", timer, clock=clock), "it has run out, and is about to fall back"
    assert timer.seconds == [10, 10]


def test_a_lease_that_is_renewed_still_knows_where_haproxy_is(paths: ServicePaths, clock: Clock, timer: Timer) -> None:
    """Whoever renews it, such as a hook, may know of another place than the shift that took it."""
    there = ServicePaths(paths.service, paths.state_dir, paths.run_dir, "/etc/others/conf.d")
    _lease.arm(there, "r1", 30, timer, "/run/others.sock", clock)
    for _ in range(2):
        assert _lease.renew(paths, "r1", timer, clock=clock)
    command = " ".join(timer.commands[-1])
    assert len(timer.commands) == 3
    assert "--socket /run/others.sock" in command
    assert "--config-dir /etc/others/conf.d" in command
