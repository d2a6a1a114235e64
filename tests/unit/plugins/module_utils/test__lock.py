"""The lock and the fence: one release at a time, and a late step changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import FencedError, InputError, LockedError
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture()
def paths(tmp_path: Path) -> ServicePaths:
    return ServicePaths("shop", str(tmp_path / "lib"), str(tmp_path / "run"), str(tmp_path / "conf"))


@pytest.fixture()
def clock() -> Clock:
    return Clock()


def test_a_free_lock_is_taken_and_given_back(paths: ServicePaths, clock: Clock) -> None:
    assert _lock.acquire(paths, "r1", "alice@ci", 60, clock=clock) is True
    held = _lock.current(paths, clock)
    assert held is not None
    assert (held["release_id"], held["owner"], held["live"]) == ("r1", "alice@ci", True)
    assert _lock.drop(paths, "r1") is True
    assert _lock.current(paths, clock) is None


def test_a_second_release_is_refused_and_told_who_holds_it(paths: ServicePaths, clock: Clock) -> None:
    _lock.acquire(paths, "r1", "alice@ci", 60, clock=clock)
    with pytest.raises(LockedError, match=r"release r1 of alice@ci since .* \(60 s left\)"):
        _lock.acquire(paths, "r2", "bob", 60, clock=clock)
    _lock.require(paths, "r1", clock)


def test_taking_it_again_prolongs_it_and_is_no_change(paths: ServicePaths, clock: Clock) -> None:
    _lock.acquire(paths, "r1", "alice", 60, clock=clock)
    clock.now += 50
    assert _lock.acquire(paths, "r1", "alice", 60, clock=clock) is False
    held = _lock.current(paths, clock)
    assert held is not None
    assert held["remaining"] == 60


def test_a_dead_release_loses_it_and_its_late_step_is_fenced(paths: ServicePaths, clock: Clock) -> None:
    _lock.acquire(paths, "r1", "alice", 60, clock=clock)
    clock.now += 61
    assert _lock.acquire(paths, "r2", "bob", 60, clock=clock) is True
    with pytest.raises(FencedError, match=r"release r1 is not the current one .* release r2 of bob"):
        _lock.require(paths, "r1", clock)
    with pytest.raises(FencedError):
        _lock.renew(paths, "r1", 60, clock)
    assert _lock.drop(paths, "r1") is False, "the lock of another release was given back"


def test_takeover_takes_it_from_a_live_release(paths: ServicePaths, clock: Clock) -> None:
    _lock.acquire(paths, "r1", "alice", 60, clock=clock)
    assert _lock.acquire(paths, "r2", "bob", 60, takeover=True, clock=clock) is True
    with pytest.raises(FencedError):
        _lock.require(paths, "r1", clock)


def test_two_processes_of_one_release_are_told_apart(paths: ServicePaths, clock: Clock) -> None:
    """Two that roll out what was deployed: they have its id in common."""
    _lock.acquire(paths, "r1", "alice", 60, clock=clock, holder="7")
    with pytest.raises(LockedError, match="release r1 of alice"):
        _lock.acquire(paths, "r1", "bob", 60, clock=clock, holder="8")
    _lock.renew(paths, "r1", 90, clock)
    assert _lock.acquire(paths, "r1", "alice", 60, clock=clock, holder="7") is False
    clock.now += 91
    assert _lock.acquire(paths, "r1", "bob", 60, clock=clock, holder="8") is True


def test_a_lock_that_is_prolonged_says_still_what_it_is_for(paths: ServicePaths, clock: Clock) -> None:
    _lock.acquire(paths, "r1", "alice", 60, clock=clock, operation="retire")
    _lock.renew(paths, "r1", 90, clock)
    held = _lock.current(paths, clock)
    assert held is not None
    assert (held["operation"], held["remaining"]) == ("retire", 90)


def test_a_step_after_the_end_of_its_release_is_fenced(paths: ServicePaths, clock: Clock) -> None:
    _lock.acquire(paths, "r1", "alice", 60, clock=clock)
    _lock.drop(paths, "r1")
    with pytest.raises(FencedError, match="it has ended, or the balancer was rebooted"):
        _lock.require(paths, "r1", clock)


def test_a_lock_that_ran_out_and_that_nobody_took_still_lets_its_owner_roll_back(
    paths: ServicePaths, clock: Clock
) -> None:
    _lock.acquire(paths, "r1", "alice", 60, clock=clock)
    clock.now += 600
    assert _lock.require(paths, "r1", clock)["live"] is False


def test_renewing_never_shortens(paths: ServicePaths, clock: Clock) -> None:
    _lock.acquire(paths, "r1", "alice", 900, clock=clock)
    _lock.renew(paths, "r1", 60, clock)
    held = _lock.current(paths, clock)
    assert held is not None
    assert held["remaining"] == 900


@pytest.mark.parametrize("name", ["", "Shop", "../etc", "a b", "1st", "x" * 41])
def test_a_service_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="service name"):
        ServicePaths(name)
