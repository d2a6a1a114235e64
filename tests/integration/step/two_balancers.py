# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two balancers with real HAProxy processes, and what the playbooks do on them, step by step, to be cut off anywhere.

A step is done on each balancer by itself. In between, and between two balancers of one step, everything may end: the
controller is gone, timers fire, the lock runs out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lease, _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._files import read_json, write_json
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._deploy import deploy_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollback import rollback_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollout import rollout_plan
from ansible_collections.sluice.bluegreen.plugins.modules import (
    haproxy_split_info,
    haproxy_tick,
    journal_catch_up,
    journal_info,
    release_lock,
)
from step_machine import ALL_GREEN, LEASE, SERVERS, STABLE, Machine

LISTED = [{"name": name, "color": color} for color, names in SERVERS.items() for name in names]
STAGES = (40.0, 100.0)


@dataclass(frozen=True)
class Step:
    """What is done on each balancer by its name; ``commits``: it changes what a disk holds."""

    name: str
    act: Callable[[str], object]
    commits: bool = False


class Pair:
    """``lb1`` and ``lb2`` of service shop: blue is stable with v1, and green keeps v0 warm."""

    def __init__(self, machines: Mapping[str, Machine], monkeypatch: pytest.MonkeyPatch) -> None:
        self.machines = machines
        self.ids = itertools.count(1)
        self.acting = next(iter(machines.values()))
        # The modules of a balancer find its own timers.
        monkeypatch.setattr(_lease, "SystemdTimer", lambda: self.acting.timers)
        for machine in machines.values():
            (machine.folder / "run").mkdir()
            for release_id, version, color, shares in (
                ("r-0", "v0", "green", ALL_GREEN),
                ("r-1", "v1", "blue", STABLE),
            ):
                machine.note("release_started", release_id, {"version": version, "color": color})
                machine.note("committed", release_id, {"shares": shares})
                machine.note("promoted", release_id)

    def on(self, host: str) -> Machine:
        self.acting = self.machines[host]
        return self.acting

    @property
    def fleet(self) -> Fleet:
        """As the playbooks observe it."""
        journals, splits = {}, {}
        for host in self.machines:
            machine = self.on(host)
            journals[host] = journal_info.run(machine.paths, 200)
            splits[host] = haproxy_split_info.run(
                {**self._common(machine), "servers": LISTED, "runtime": True, "observe": 0}
            )
        return Fleet("shop", journals, splits)

    def command(self, name: str) -> Iterator[Step]:
        """What a person may do next; version v2 is what is released."""
        if name in ("rollback", "abort"):
            return self.rollback(abort=name == "abort")
        return self.release(resume=name == "resume")

    def release(self, resume: bool = False) -> Iterator[Step]:
        plan = self._planned(deploy_plan(self.fleet, "v2", resume=resume))
        if not plan["resume"]:
            yield from self._deploy(plan)
        yield from self._roll_out(resume)

    def _deploy(self, plan: Mapping[str, Any]) -> Iterator[Step]:
        release_id = plan["release_id"]
        yield from self._lock(plan)
        if plan["settle"]:
            yield self._shift(release_id, self._all_on(plan["stable"]), "settle", commit=True, journal_required=False)
        data = {"version": "v2", "color": plan["candidate"], "owner": "alice@ci", "reversible": True}
        yield self._note("open the journal", release_id, "release_started", data)
        yield self._give_back(release_id, [{"event": "deployed", "data": {}}])

    def _roll_out(self, resume: bool) -> Iterator[Step]:
        plan = self._planned(rollout_plan(self.fleet, "v2", promote=False, resume=resume))
        release_id, candidate = plan["release_id"], plan["candidate"]
        yield from self._lock(plan)
        if plan["resumes"]:
            data = {"resumes": plan["resumes"], "version": "v2", "owner": "alice@ci"}
            yield self._note("open the journal", release_id, "release_resumed", data)
        for number, split in enumerate(STAGES, start=1):
            if split > plan["start_share"]:
                shares = {plan["stable"]: 100.0 - split, candidate: split}
                yield self._shift(release_id, shares, f"stage {number}", stage=number)
                yield Step(f"tick {number}", lambda host: self._tick(host, release_id))
                yield self._note(f"pass {number}", release_id, "stage_passed", {"stage": number, "split": split})
        events = [{"event": "promoted", "data": {"version": "v2", "color": candidate}}]
        yield self._shift(release_id, self._all_on(candidate), "promote", commit=True, events=events)
        yield self._give_back(release_id, [])

    def rollback(self, abort: bool = False) -> Iterator[Step]:
        plan = self._planned(rollback_plan(self.fleet, SERVERS, takeover=False, force=False, abort=abort))
        release_id = plan["release_id"]
        yield from self._lock(plan, journal="best_effort", operation="rollback")
        event = {
            "release": {"event": "rolled_back", "data": {"cause": "operator", "gives_up": plan["gives_up"]}},
            "promoted": {"event": "reverted", "data": {"from_color": plan["from"], "to_color": plan["to"]}},
            "unsettled": {"event": "settled", "data": {"cause": "operator"}},
        }[plan["kind"]]
        shares = self._all_on(plan["to"])
        yield self._shift(release_id, shares, "go back", commit=True, journal_required=False, events=[event])
        restored = {"event": "restored", "data": {"color": plan["from"], "version": plan["previous"]}}
        yield self._give_back(release_id, [restored] if plan["kind"] == "release" and plan["previous"] else [])

    def take_back(self) -> Iterator[Step]:
        """What the release that has the lock does where a balancer has failed."""
        release_id = read_json(self.acting.paths.lock)["release_id"]
        events = [{"event": "rolled_back", "data": {"cause": "error"}}]
        yield self._shift(release_id, STABLE, "take back", commit=True, journal_required=False, events=events)
        yield self._give_back(release_id, [{"event": "restored", "data": {"color": "green", "version": "v0"}}])

    def _planned(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        return {**plan, **self.fleet.common, "release_id": plan.get("release_id") or f"r{next(self.ids)}"}

    def _lock(self, plan: Mapping[str, Any], journal: str = "required", operation: str = "release") -> Iterator[Step]:
        release_id = plan["release_id"]

        def take(host: str) -> None:
            self._call_lock(host, release_id, expects=plan["expects"][host], operation=operation)

        yield Step("lock", take)
        known = plan["catch_up"]
        if known:
            source = self.on(known["from"])
            told = journal_info.run(source.paths, 200)

            def catch_up(host: str) -> None:
                given = {"release_id": release_id, "source": known["from"], "journal": journal}
                given.update(state=told["state"], events=told["events"])
                if host in known["hosts"]:
                    journal_catch_up.run(self.on(host).paths, given, False, pytest.fail)

            yield Step("catch up", catch_up)

    def _note(self, name: str, release_id: str, event: str, data: Mapping[str, Any]) -> Step:
        events = [{"event": event, "data": data}]
        return Step(name, lambda host: self._call_lock(host, release_id, renew=True, events=events))

    def _give_back(self, release_id: str, events: Sequence[Mapping[str, Any]]) -> Step:
        return Step("give the lock back", lambda host: self._call_lock(host, release_id, state="absent", events=events))

    def _shift(self, release_id: str, shares: Mapping[str, float], name: str, **changes: Any) -> Step:
        def act(host: str) -> None:
            machine = self.on(host)
            machine.take(shares, release_id=release_id, reason=name, **changes)

        return Step(name, act, commits=changes.get("commit", False))

    def _tick(self, host: str, release_id: str) -> None:
        machine = self.on(host)
        given = {**self._common(machine), "release_id": release_id, "lease": LEASE}
        assert haproxy_tick.renew(machine.paths, given), f"{host} does not lead"

    def _call_lock(self, host: str, release_id: str, **given: Any) -> None:
        machine = self.on(host)
        options: dict[str, Any] = {"state": "present", "owner": "alice@ci", "ttl": LEASE, "takeover": False}
        options.update(expects=None, renew=False, events=[], operation="release", holder="")
        release_lock.run(machine.paths, {**options, **self._common(machine), "release_id": release_id, **given}, False)

    @staticmethod
    def _common(machine: Machine) -> dict[str, Any]:
        paths = machine.paths
        folders = {"state_dir": paths.state_dir, "run_dir": paths.run_dir, "config_dir": paths.config_dir}
        return {"service": "shop", "socket": machine.haproxy.socket, **folders}

    @staticmethod
    def _all_on(color: str) -> dict[str, float]:
        return {name: 100.0 if name == color else 0.0 for name in SERVERS}

    def save(self, name: str) -> None:
        for machine in self.machines.values():
            machine.save(name)

    def restore(self, name: str) -> None:
        for machine in self.machines.values():
            machine.restore(name)

    def do(self, steps: Iterator[Step]) -> None:
        """A command that nothing disturbs."""
        for step in steps:
            for host in self.machines:
                step.act(host)

    def cut_off(self, steps: Iterator[Step], name: str = "saved") -> Iterator[tuple[str, bool]]:
        """Every way to cut a command off: what was done last and on whom, and whether the disks may differ by that.

        The balancers are as they are then, until the next is asked for. ``name`` is of its own for a cut within a cut.
        """
        for step in steps:
            for only in self.machines:
                self.save(name)
                step.act(only)
                yield f"{step.name} on {only} only", step.commits
                self.restore(name)
            for host in self.machines:
                step.act(host)
            self.save(name)
            yield f"{step.name} on both", False
            self.restore(name)

    def time_passes(self) -> None:
        """Nobody is left: each lease ends, and each lock."""
        for machine in self.machines.values():
            machine.fire()
            lock = read_json(machine.paths.lock)
            if lock:
                write_json(machine.paths.lock, {**lock, "until": 0.0})

    def not_safe(self) -> list[str]:
        """What is not as it must be once nobody is left: each works with what it has committed, under no lease."""
        found = []
        for host, machine in self.machines.items():
            if machine.runtime != machine.disk:
                found.append(f"{host} works with {machine.runtime}, committed is {machine.disk}")
            if machine.lease:
                found.append(f"{host} holds a lease")
            found += _journal.damage(machine.paths.journal)
        return found

    @property
    def differ(self) -> bool:
        """Whether the balancers have committed different splits."""
        one, other = self.machines.values()
        return one.disk != other.disk

    def not_settled(self, version: str | None) -> list[str]:
        """What is left over after a command that went well, after which ``version`` serves where it is given."""
        found = self.not_safe()
        fleet = self.fleet
        found += [f"{host} missed events" for host in fleet.behind]
        for host, machine in self.machines.items():
            state = machine.state
            if machine.disk_shares != self._all_on(state["stable"]) or state["shares"] != machine.disk_shares:
                found.append(
                    f"{host} gives {machine.disk_shares}, by its journal {state['shares']} to {state['stable']}"
                )
            if version and state["colors"][state["stable"]]["version"] != version:
                found.append(f"{host} serves {state['colors'][state['stable']]}")
            if state["release"]:
                found.append(f"{host} knows of {state['release']}")
            if _lock.current(machine.paths):
                found.append(f"{host} is locked")
        return found
