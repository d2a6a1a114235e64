# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run after the other of one service: a release, a fault in it, looks at what came of it, the next command."""

from __future__ import annotations

import fcntl
import itertools
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Optional, TextIO

from chaos.controller import Playbook
from chaos.judge import GRACE, Command, Look, Run, unsafe
from chaos.lab import INVENTORY, Lab
from chaos.points import COMMANDS, OBSERVE, TWO_AT_ONCE, Case, Task, elsewhere, nearer

# One more than there are colors, so that each release replaces a container.
VERSIONS = ("v1", "v2", "v3")
# Far more than a release takes on a slow machine.
LIMIT = 900.0
LOOK_EVERY = 0.5
QUIET = 3.0
# What is done to the controller itself.
ENDINGS = ("kill_group", "term_playbook", "kill_all")


def say(text: str = "") -> None:
    print(text, flush=True)


def occupy(folder: Path) -> TextIO:
    """The lab belongs to this process until what is given back is closed; SystemExit(2) where another has it."""
    folder.mkdir(parents=True, exist_ok=True)
    held = (folder / "occupied").open("w", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        say("Another harness is at work on this lab, and they would disturb each other. Wait for it, or stop it.")
        raise SystemExit(2) from None
    return held


def is_idle(look: Look) -> bool:
    """Whether it is safe, nothing is going on, and all balancers are of one mind."""
    seen = [entry for entry in look.balancers.values() if entry]
    of_one_mind = len({(entry.stable, entry.version) for entry in seen}) == 1 and seen[0].stable is not None
    return unsafe(look) is None and of_one_mind and not any(entry.locked or entry.release for entry in seen)


class Chaos:
    """The lab under load as one service has it, and what is done to it.

    ``loaded`` has by balancer the addresses of all services that there is load on.
    """

    def __init__(
        self, lab: Lab, folder: Path, lease: float, loaded: Optional[Mapping[str, Collection[str]]] = None
    ) -> None:
        self.lab = lab
        self.loaded = loaded or {host: [url] for host, url in lab.urls.items()}
        self.service = lab.service
        self.folder = folder
        self.lease = lease
        self.numbers = itertools.count(1)
        self.turns = itertools.cycle(lab.balancers)
        self.playbooks: list[Playbook] = []
        self.stopped = False

    def playbook(self, name: str, extra: Optional[dict[str, str]] = None, case: Optional[Case] = None) -> Playbook:
        if self.stopped:
            raise SystemExit(2)
        folder = (
            self.folder / f"{next(self.numbers):04d}-{name.removesuffix('.yml').replace('/', '.').rsplit('.', 1)[-1]}"
        )
        given = {"chaos_lease": f"{self.lease:g}", **(extra or {})}
        self.playbooks.append(Playbook(folder, name, given, INVENTORY, case.moment if case else None))
        return self.playbooks[-1]

    def stop(self) -> None:
        """Leave no playbook running, and begin none."""
        self.stopped = True
        for book in self.playbooks:
            if not book.ended:
                book.kill_all()

    def must(self, name: str, extra: Optional[dict[str, str]] = None) -> Playbook:
        """Run what has to work for anything to be tried; SystemExit(2) with the way to look closer."""
        began = time.time()
        book = self.playbook(name, extra)
        status = book.wait(3 * LIMIT)
        given = " ".join([name, *(extra or {}).values()])
        say(f"{given}: {time.time() - began:.1f} s, exit status {status}")
        if status != 0:
            say(f"The preparation stops here: {book.message}\nAll of it is in {book.folder}/output.")
            raise SystemExit(2)
        return book

    def prepare(self) -> None:
        """A lab on which versions can be released; what an earlier one has left is taken as it is."""
        self.must("molecule/shared/engine.yml")
        self.lab.connect()
        self.lab.mend_all()
        for name in (
            "molecule/shared/create.yml",
            "molecule/shared/images.yml",
            "sluice.bluegreen.site",
            "chaos/prepare.yml",
        ):
            self.must(name)

    def count(self) -> list[Task]:
        """The tasks of a release that nothing disturbs, with the image to be brought; under load."""
        version, candidate = self.next_release(self.ready())
        self.lab.forget_images(candidate)
        return self.must(*self.release(version)).tasks()

    @staticmethod
    def next_release(look: Look) -> tuple[str, str]:
        """A version that neither color has, and the color that it goes to."""
        seen = next(entry for entry in look.balancers.values() if entry)
        version = next(version for version in VERSIONS if version not in seen.held)
        return version, "green" if seen.stable == "blue" else "blue"

    def release(self, version: str) -> tuple[str, dict[str, str]]:
        return "sluice.bluegreen.release", {"service": self.service, "version": version}

    def try_case(self, case: Case) -> Run:
        """One run, up to the end of its last command; another one where it was not at the moment."""
        run = self.try_once(case)
        if run.missed:
            say(f"{self.service}: {case.title}: once more, it was not at that moment: {run.missed}")
            run = self.try_once(replace(case, moment=nearer(case.moment, self.playbooks[-1].tasks())))
        return run

    def try_once(self, case: Case) -> Run:
        run = Run(case, began=time.time(), urls=self.watched(case, *self.lab.balancers), own=self.lab.urls)
        look = self.ready()
        if case.then[0] == "rollback" and not all(seen.back for seen in look.balancers.values() if seen):
            # None goes to what was itself rolled back, and a release that is killed before it begins leaves that so.
            self.playbook(*self.release(self.next_release(look)[0])).wait(LIMIT)
            look = self.ready()
        run.version, candidate = self.next_release(look)
        if case.fresh:
            self.lab.forget_images(candidate)
        run.began = time.time()
        host = self.lab.vms[candidate][0] if case.fault.action in ("vm_kill", "container_kill") else self.hit(run)
        try:
            self.disturb(run, host)
            if not run.missed:
                self.follow(run, host)
        except Exception as error:  # noqa: BLE001 - whatever it is, the lab has to be mended, and the run counts as broken
            run.broken.append(f"the run broke off: {type(error).__name__}: {error}")
            self.lab.mend_all()
        run.ended = time.time()
        return run

    def follow(self, run: Run, host: str) -> None:
        """The next commands, and the looks at what they have left."""
        for number, command in enumerate(run.case.then):
            self.command(run, command)
            if number == 0 and run.case.fault.lasts:
                self.mend(run, host)
        self.settle([], self.lease + GRACE)
        # Not at each look: the segments of a journal are a megabyte.
        run.last = self.lab.look(what="whole")
        run.served = self.lab.served()

    def watched(self, case: Case, *hosts: str) -> list[str]:
        """The addresses on these balancers at which a run sees what it has cost: of all services where it is alone."""
        return [url for host in hosts for url in (self.loaded[host] if case.alone else [self.lab.urls[host]])]

    def hit(self, run: Run) -> str:
        """The balancers take turns."""
        host: str = next(self.turns)
        if not run.case.fault.ends and run.case.fault.action != "second_release":
            run.hit = self.watched(run.case, host)
        return host

    def disturb(self, run: Run, host: str) -> None:
        """The release, the fault in it, and the looks at what came of it, until the fault is over."""
        fault = run.case.fault
        book = self.playbook(*self.release(run.version), case=run.case)
        self.reach(run, book)
        run.struck = run.since = time.time()
        second: Optional[Playbook] = None
        if fault.action == "second_release" and not run.missed:
            second = self.begin_second(run, book)
        if run.missed:
            for begun in (book, second):
                if begun is not None:
                    begun.kill_all()
            return
        if second is None:
            self.strike(run, book, host)
        if fault.ends:
            run.looks = self.settle([], self.lease + GRACE)
            return
        # It may have lost its lease by then, and goes back by itself.
        held_too_long = run.case.moment.seconds is None and time.time() - run.struck > self.lease / 2
        book.go()
        if fault.cut_off:
            run.lone_looks = self.watch(book, host)
        status = book.wait(LIMIT)
        run.statuses.append(status)
        if status is None:
            run.broken.append(f"the release did not end within {LIMIT:g} s")
        if second is not None:
            self.judge_second(run, status, book, second, held_too_long)
        run.since = time.time()
        if fault.lasts:
            run.looks = self.settle([], self.lease + GRACE)
            return
        if fault.cut_off:
            run.fault_looks = self.settle([], self.lease + GRACE)
            run.lone_looks += [Look(look.at, {host: look.balancers[host]}) for look in run.fault_looks]
        elif not fault.spares:
            run.fault_looks = self.settle([host], self.lease + GRACE)
        self.mend(run, host)
        run.healed = time.time()
        run.looks = self.settle([], self.lease + GRACE)

    def reach(self, run: Run, book: Playbook) -> None:
        """Wait for the moment; a release that fails undisturbed breaks the run, one that is elsewhere misses it."""
        if not book.wait_for(run.case.moment, LIMIT) and (not book.ended or book.wait(LIMIT) != 0):
            run.broken.append(f"the release never came to {run.case.moment.said}: {book.message}")
        else:
            run.missed = elsewhere(run.case.moment, book.tasks())

    def strike(self, run: Run, book: Playbook, host: str) -> None:
        action = run.case.fault.action
        if run.case.fault.ends:
            getattr(book, action if action in ENDINGS else "kill_group")()
        if action not in (*ENDINGS, "late_twin"):
            getattr(self.lab, action)(host)
        run.gone = time.time()

    def mend(self, run: Run, host: str) -> None:
        self.lab.mend(run.case.fault.action, host)
        down = self.lab.wait_up(list(self.lab.hosts))
        if down:
            run.broken.append(f"{', '.join(down)} did not come back")
        # It may call all servers down at first, because it could not reach them.
        silent = self.lab.wait_answered(run.hit)
        if silent:
            run.broken.append(f"{', '.join(silent)} did not answer again")

    def watch(self, book: Playbook, host: str) -> list[Look]:
        """Look at one balancer until the playbook ends."""
        others = [name for name in self.lab.balancers if name != host]
        deadline = time.monotonic() + LIMIT
        looks = [self.lab.look(others)]
        while not book.ended and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            looks.append(self.lab.look(others))
        return looks

    def begin_second(self, run: Run, first: Playbook) -> Playbook:
        """Another release of the same, beside the first."""
        second = self.playbook(*self.release(run.version))
        if run.case.fault is TWO_AT_ONCE:
            return second
        # A machine that is slow to start it would let the first end before the two have met.
        if not second.wait_past(OBSERVE, LIMIT):
            run.broken.append(f"the second release never looked at the balancers: {second.message}")
        elif first.ended and first.wait(LIMIT) == 0:
            run.missed = "the first release had ended before the second looked"
        return second

    def judge_second(
        self, run: Run, status: Optional[int], first: Playbook, second: Playbook, held_too_long: bool
    ) -> None:
        """One of two at most goes through, the first where it was far on, and whoever was refused was told why."""
        other = second.wait(LIMIT)
        run.statuses.append(other)
        refused = [(second, other)]
        if run.case.fault is TWO_AT_ONCE:
            refused.append((first, status))
        elif other == 0 and status != 0:
            run.broken.append("the second release went through instead of the first")
        elif status != 0 and not held_too_long:
            run.broken.append(f"the first release failed, and not only the second: {first.message}")
        if status == 0 and other == 0:
            run.broken.append("both releases went through")
        for book, ended in refused:
            if ended != 0 and "locked" not in book.output:
                run.broken.append(f"a release of two failed without a word on the lock: {book.message}")

    def settle(self, without: Collection[str], limit: float) -> list[Look]:
        """Look until the traffic has been safe for a while and the lock is dead, or ``limit`` seconds are over."""
        deadline = time.monotonic() + limit + QUIET
        looks: list[Look] = []
        safe_since: Optional[float] = None
        while True:
            looks.append(self.lab.look(without))
            now = time.monotonic()
            locked = any(seen.locked for seen in looks[-1].balancers.values() if seen)
            safe_since = (safe_since or now) if unsafe(looks[-1]) is None and not locked else None
            if now > deadline or (safe_since is not None and now - safe_since >= QUIET):
                return looks
            time.sleep(LOOK_EVERY)

    def command(self, run: Run, name: str) -> None:
        """The next command, as a person would give it: nothing is waited for but the lease."""
        if run.case.fault.action == "late_twin" and name == "release":
            self.late_shift(run)
        run.commanded = run.commanded or time.time()
        playbook, given = COMMANDS[name]
        extra = {key: value.format(version=run.version) for key, value in given.items()}
        book = self.playbook(playbook, {"service": self.service, **extra})
        status = book.wait(LIMIT)
        command = Command(name, status, "" if status == 0 else book.message)
        if len(run.commands) + 1 < len(run.case.then):
            command = replace(command, look=self.lab.look(), served=self.lab.served())
        run.commands.append(command)

    def late_shift(self, run: Run) -> None:
        """Replay a shift of the release that was killed and rolled back."""
        holder = next(
            (seen.holder for look in run.looks for seen in look.balancers.values() if seen and seen.holder), ""
        )
        if not holder:
            run.broken.append("there was no release whose shift could be replayed")
            return
        before = self.lab.look()
        book = self.playbook("chaos/late_shift.yml", {"chaos_service": self.service, "chaos_release_id": holder})
        if book.wait(LIMIT) != 0:
            run.broken.append(f"late twin: {book.message}")
        after = self.lab.look()
        if before.balancers != after.balancers:
            run.broken.append("late twin: the balancers are not as they were before it")

    def ready(self) -> Look:
        """A lab that the next run can begin with; made so if need be."""
        look = self.lab.look()
        released = any(seen and (seen.version or seen.release) for seen in look.balancers.values())
        for way in (self.roll_back if released else self.begin_anew, self.begin_anew):
            if is_idle(look):
                return look
            way()
            look = self.lab.look()
        if is_idle(look):
            return look
        said = unsafe(look) or self.playbooks[-1].message
        say(f"{self.service} cannot be brought to a beginning ({said}). A new lab can: make chaos-down")
        raise SystemExit(2)

    def roll_back(self) -> None:
        self.lab.mend_all()
        self.lab.wait_up(list(self.lab.hosts))
        extra = {"service": self.service, "takeover": "true", "force": "true"}
        self.playbook("sluice.bluegreen.rollback", extra).wait(LIMIT)

    def begin_anew(self) -> None:
        # What was interrupted holds its lock a little longer.
        self.settle([], self.lease)
        self.playbook(*self.release(VERSIONS[0])).wait(LIMIT)
