# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a balancer with a real HAProxy, from before its first release to a killed stage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from step_machine import SPLIT_25, STABLE, HAProxy, Machine, haproxy_program

from chaos import judge
from chaos.judge import Balancer, Look

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    haproxy = HAProxy(tmp_path, haproxy_program())
    machine = Machine(haproxy, tmp_path)
    haproxy.start()
    yield machine
    haproxy.stop()


def observe(machine: Machine) -> Balancer:
    paths = machine.paths
    program = (ROOT / "chaos" / "observe.py").read_text()
    folders = [paths.state_dir, paths.run_dir, paths.config_dir]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, machine.haproxy.socket, "shop", *folders],
        input="look\n",
        env={"PYTHONPATH": str(machine.helper_folder()), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return Balancer.read(json.loads(done.stdout))


def unsafe(machine: Machine) -> str | None:
    return judge.unsafe(Look(0.0, {"lb1": observe(machine)}))


def release_v1(machine: Machine) -> None:
    machine.note("release_started", "r0", {"version": "v1", "color": "blue"})
    machine.note("committed", "r0", {"shares": STABLE})
    machine.note("promoted", "r0")


def test_a_balancer_that_was_never_released_to_is_safe_and_has_no_stable_color(machine: Machine) -> None:
    seen = observe(machine)
    assert (seen.stable, seen.version, seen.release, seen.locked, seen.damage) == (None, None, None, False, [])
    assert unsafe(machine) is None


def test_a_stage_is_not_safe_until_its_lease_has_run_out(machine: Machine) -> None:
    release_v1(machine)
    machine.begin("r1")
    machine.take(SPLIT_25)
    seen = observe(machine)
    assert (seen.stable, seen.version, seen.release, seen.holder, seen.locked) == ("blue", "v1", "rolling", "r1", True)
    assert seen.leads
    assert unsafe(machine) is not None
    machine.fire()
    assert unsafe(machine) is None


def test_a_balancer_whose_haproxy_is_dead_is_not_safe(machine: Machine) -> None:
    machine.haproxy.stop()
    assert unsafe(machine) == "HAProxy on lb1 does not answer"


def test_an_edited_journal_is_seen(machine: Machine) -> None:
    release_v1(machine)
    journal = machine.paths.journal
    journal.write_text(journal.read_text().replace("v1", "v9"))
    assert observe(machine).damage
