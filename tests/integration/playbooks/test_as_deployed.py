"""No traffic moves to what is not known to be what was deployed, on two balancers with real HAProxy processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from balancer_machine import STABLE, Balancer
from real_ansible import Run
from test_never_stranded import SPLIT_50, all_on, play, said, site
from vm_engine import IMAGE, Engine

__all__ = ["play", "site"]

Machines = dict[str, Balancer]
Engines = dict[str, Engine]
Play = Callable[..., Run]
NOT_KNOWN = "shop: the journal does not say which image of v2 was deployed, so that no VM can be compared with it"
WAY_OUT = "Deploy the version again with sluice.bluegreen.deploy, or give it up with sluice.bluegreen.abort"


@pytest.fixture
def deployed(machines: Machines) -> Callable[..., None]:
    def deployed(**data: Any) -> None:
        for machine in machines.values():
            machine.promoted("r1", "v1", "blue")
            machine.deployed("r2", "v2", "green", **data)

    return deployed


@pytest.fixture
def refuses(machines: Machines, engines: Engines, play: Play) -> Callable[..., str]:
    """A playbook that changes nothing; what it says."""

    def refuses(name: str, *options: str, **extra: Any) -> str:
        before = {name: (one.told, one.runtime, one.disk) for name, one in machines.items()}
        done = play(name, *options, **extra)
        assert done.status != 0, done.output
        assert done.changed == [], done.output
        assert {name: (one.told, one.runtime, one.disk) for name, one in machines.items()} == before
        assert not any(_lock.current(machine.paths) for machine in machines.values())
        assert [engine.orders for engine in engines.values()] == [[], []]
        assert WAY_OUT in said(done)
        return said(done)

    return refuses


@pytest.mark.parametrize("image", [None, {"reference": IMAGE["reference"], "digest": "sha256:b"}])
def test_a_journal_that_does_not_say_which_image_was_deployed_lets_nothing_pass(
    deployed: Callable[..., None], refuses: Callable[..., str], image: Any
) -> None:
    deployed(image=image)
    assert NOT_KNOWN in refuses("rollout")


def test_nor_in_check_mode(deployed: Callable[..., None], refuses: Callable[..., str]) -> None:
    deployed(image=None)
    assert NOT_KNOWN in refuses("rollout", "--check")


def test_nor_on_the_way_on_from_a_pause_and_an_abort_leads_out(
    machines: Machines, deployed: Callable[..., None], refuses: Callable[..., str], play: Play
) -> None:
    deployed(image=None)
    for machine in machines.values():
        machine.note("stage_passed", "r2", stage=1, split=50)
        machine.commit(SPLIT_50)
        machine.note("committed", "r2", shares=SPLIT_50)
        machine.note("paused", "r2", cause="timeout")
    assert NOT_KNOWN in refuses("promote")
    assert play("abort").stats["bluegreen_result"]["outcome"] == "aborted"
    all_on(machines, STABLE)


def test_nor_where_a_release_that_died_is_resumed(
    machines: Machines, deployed: Callable[..., None], refuses: Callable[..., str]
) -> None:
    deployed(image=None)
    for machine in machines.values():
        machine.note("shift", "r2", shares=SPLIT_50)
    assert NOT_KNOWN in refuses("release", resume=True)


def another_image(engine: Engine) -> None:
    engine.runs("v2", "green", "sha256:" + "b" * 64)


def another_version(engine: Engine) -> None:
    engine.runs("v3", "green")


def nothing(engine: Engine) -> None:
    engine.entries.clear()


def no_engine(engine: Engine) -> None:
    engine.shutdown()
    engine.server_close()


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (another_image, f"green2 runs version v2 of another image, sha256:{'b' * 64}"),
        pytest.param(another_version, "green2 runs version v3 (shop-green-v3)", marks=pytest.mark.long),
        pytest.param(nothing, "green2 runs nothing of it", marks=pytest.mark.long),
        (no_engine, "green2 could not be asked what it runs"),
    ],
)
def test_a_vm_that_does_not_run_what_was_deployed_lets_nothing_pass(
    deployed: Callable[..., None],
    refuses: Callable[..., str],
    engines: Engines,
    spoil: Callable[[Engine], None],
    wanted: str,
) -> None:
    deployed()
    spoil(engines["green2"])
    assert f"shop: what runs is not what was deployed, v2 of image {IMAGE['id']}: {wanted}." in refuses("rollout")


@pytest.mark.long
def test_check_mode_asks_the_vms_of_a_release_that_would_be_resumed(
    machines: Machines, deployed: Callable[..., None], refuses: Callable[..., str], engines: Engines, play: Play
) -> None:
    deployed()
    for machine in machines.values():
        machine.note("shift", "r2", shares=SPLIT_50)
    done = play("release", "--check", resume=True)
    assert (done.status, done.stats["bluegreen_result"]["outcome"]) == (0, "promoted"), done.output
    another_image(engines["green2"])
    assert "green2 runs version v2 of another image" in refuses("release", "--check", resume=True)
