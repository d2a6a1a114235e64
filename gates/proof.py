# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One case after the other: a release on the lab, what is done to it, what it wrote down, the way back."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import yaml

from chaos.controller import Playbook
from demo.traffic import Load, Request
from gates.cases import ERRORS, Act, Case
from gates.expect import ENDED, Answers, Seen
from gates.lab import INVENTORY, SERVICE, Lab

RATE = 200.0
LIMIT = 600.0
# Seconds that an answer takes on average, so that three times as long is a difference that a user would see.
DELAY = "0.01"
# `shop stage 1 (5 %) 12 s: hold ...`, a line a tick.
TICK = re.compile(rf"^{SERVICE} stage (\d+)\b.*? (\d+) s: ", re.MULTILINE)
REPLAYED = re.compile(r"\.jsonl: (\w+) after [\d.]+ s \((\w+)\): ")
GOOD = ("v1", "v2")


def say(text: str = "") -> None:
    print(text, flush=True)


class Proof:
    """The lab under load, and the releases that are tried on it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.numbers = itertools.count(1)
        self.playbooks: list[Playbook] = []
        self.load: Optional[Load] = None
        self.requests: list[Request] = []
        pages = yaml.safe_load((INVENTORY / "group_vars" / "all" / "services.yml").read_text(encoding="utf-8"))
        self.page: dict[str, Any] = pages["bluegreen_services"][SERVICE]
        self.page["container"]["env"]["DELAY"] = DELAY
        # A lab on a busy machine is slow, which is not what is tried here.
        self.page["health"]["timeout"] = self.page["lease"] = "2m"

    def start(self, name: str, extra: Mapping[str, Any], case: Optional[Case] = None) -> Playbook:
        """A playbook with the lab's page, and the case's gates and stages on it."""
        short = name.removesuffix(".yml").replace("/", ".").rpartition(".")[2]
        folder = self.folder / f"{next(self.numbers):02d}-{case.name if case else 'lab'}-{short}"
        # Without a case nobody asks the service, and a limit on what was measured would have no data.
        page = {**self.page, "gates": {"errors": ERRORS}}
        if case:
            page = {
                **page,
                "gates": case.gates,
                "strategy": list(case.stages),
                "stage_defaults": {"dwell": case.dwell, "timeout": case.timeout, "on_timeout": "pause"},
            }
        self.playbooks.append(Playbook(folder, name, {**extra, "bluegreen_services": {SERVICE: page}}, INVENTORY))
        return self.playbooks[-1]

    def must(self, name: str, extra: Optional[Mapping[str, Any]] = None, case: Optional[Case] = None) -> Playbook:
        """Run what has to work for anything to be tried; SystemExit(2) with the way to look closer."""
        began = time.time()
        book = self.start(name, extra or {}, case)
        status = book.wait(2 * LIMIT)
        said = " ".join(str(value) for value in (extra or {}).values())
        say(f"  {name} {said}: {time.time() - began:.0f} s, exit status {status}")
        if status != 0:
            say(f"The lab cannot be used like this: {book.message}\nAll of it is in {book.folder}/output.")
            raise SystemExit(2)
        return book

    def prepare(self, again: bool) -> None:
        """A lab on which one version serves; ``again``: its hosts were prepared before."""
        say("Preparation")
        self.must("molecule/shared/engine.yml")
        self.lab.connect()
        if not again:
            for name in ("molecule/shared/create.yml", "molecule/shared/images.yml", "molecule/shared/reset.yml"):
                self.must(name)
            self.must("sluice.bluegreen.site")
            self.must("molecule/shared/prometheus.yml")
        self.lab.quiet()
        if self.serving()[0]:
            self.back()
        else:
            self.must("sluice.bluegreen.release", {"service": SERVICE, "version": GOOD[0]})

    def loaded(self, wanted: bool) -> None:
        """Load through both balancers, or none."""
        if wanted and self.load is None:
            urls = list(self.lab.urls.values())
            self.load = Load(self.folder / f"requests-{next(self.numbers):02d}.csv", urls, RATE)
        elif not wanted and self.load is not None:
            self.requests += self.load.stop()
            self.load = None

    def stop(self) -> None:
        """Leave no load and no playbook running."""
        self.loaded(False)
        for book in self.playbooks:
            book.kill_all()

    def serving(self) -> tuple[Optional[str], Optional[str]]:
        """The color that serves, and its version; None and None before the first release."""
        seen = next(entry for entry in self.lab.look().balancers.values() if entry)
        return seen.stable, seen.version

    def back(self) -> None:
        """Out of whatever release is in the way."""
        look = self.lab.look()
        if any(entry.release or entry.locked for entry in look.balancers.values() if entry):
            self.must("sluice.bluegreen.rollback", {"service": SERVICE, "takeover": "true", "force": "true"})

    def try_case(self, case: Case) -> tuple[Seen, str]:
        """One release to its end, and the replay of what its deciding stage recorded; also the name of its release."""
        color, version = self.serving()
        candidate = "green" if color == "blue" else "blue"
        given = {"service": SERVICE, "version": case.version or next(good for good in GOOD if good != version)}
        self.loaded(case.load)
        # A release before this one may have ended in the same second.
        known = {event["release_id"] for event in self.lab.events()}
        began = time.time()
        ill = self.lab.whom("one", candidate)[0] if case.ill else ""
        try:
            if ill:
                self.must("sluice.bluegreen.deploy", given, case)
                self.lab.fail_third(ill)
                book = self.start("sluice.bluegreen.rollout", {"service": SERVICE}, case)
            else:
                book = self.start("sluice.bluegreen.release", given, case)
            self.follow(book, case.acts, candidate)
            status = book.wait(LIMIT)
        finally:
            self.lab.quiet()
        ended = time.time()
        self.loaded(False)
        events = [event for event in self.lab.events() if event["release_id"] not in known]
        release_id = next((str(event["release_id"]) for event in events if event["event"] in ENDED), "")
        tapes = self.lab.tapes(release_id) if release_id else {}
        tape = tapes.get(str(case.stage), "")
        seen = Seen(
            status=status,
            candidate=candidate,
            events=[event for event in events if event["release_id"] == release_id],
            tape=tape,
            ill=ill,
            replayed=self.replay(case, candidate, tape),
            answers=answers([request for request in self.requests if began <= request.at < ended]),
        )
        self.back()
        return seen, book.message if seen.outcome == "none" else ""

    def follow(self, book: Playbook, acts: Sequence[Act], candidate: str) -> None:
        """Do what is to be done, each when the gate's own lines say that it is time."""
        left = list(acts)
        deadline = time.monotonic() + LIMIT
        while left and book.process.poll() is None and time.monotonic() < deadline:
            ticks = [(int(stage), float(seconds)) for stage, seconds in TICK.findall(book.output)]
            for act in [act for act in left if ticks and ticks[-1] >= (act.stage, act.seconds)]:
                left.remove(act)
                self.lab.act(act.what, self.lab.whom(act.whom, candidate))
                say(
                    f"  {act.what.replace('_', ' ')} {act.whom}".rstrip()
                    + f", stage {ticks[-1][0]}, {ticks[-1][1]:g} s"
                )
            time.sleep(0.2)

    def replay(self, case: Case, candidate: str, tape: str) -> str:
        """What ``sluice.bluegreen.replay`` makes of the tape by the same page, as ``outcome (cause)``."""
        if not tape:
            return "there is no tape"
        path = self.folder / f"{case.name}.jsonl"
        path.write_text(tape, encoding="utf-8")
        book = self.start(
            "sluice.bluegreen.replay", {"service": SERVICE, "tape": str(path), "replay_candidate": candidate}, case
        )
        if book.wait(LIMIT) != 0:
            return f"failed: {book.message}"
        found = REPLAYED.findall(book.output)
        return f"{found[-1][0]} ({found[-1][1]})" if found else "it said nothing"


def answers(requests: Sequence[Request]) -> Answers:
    failed = Counter(request.version or "no version" for request in requests if request.failed)
    return Answers(len(requests), sum(failed.values()), dict(failed))
