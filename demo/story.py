# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: four versions released to the lab under load, told as it happens, judged by every single request.

Run by ``make demo``. Exits 1 when a promise was broken, 2 when a step of the preparation failed; the lab stays up.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from text_table import lines
from traffic import Load, Request

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "demo"
BIN = Path(sys.executable).parent
LISTENERS = ("http://127.0.0.1:18081/", "http://127.0.0.1:18082/")
RATE = int(os.environ.get("DEMO_RATE", "210"))
RECAP = re.compile(r"\bok=\d+\s.*\bchanged=(\d+)")


@dataclass
class Run:
    """One command of the story and what came of it; times are seconds of the wall clock."""

    title: str
    command: list[str]
    expected: int
    began: float = 0.0
    ended: float = 0.0
    status: int = -1
    changed: int = 0
    tasks: list[tuple[str, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def say(text: str = "") -> None:
    print(text, flush=True)


def playbook(title: str, name: str, *extra: str, expected: int = 0) -> Run:
    """Run a playbook against the lab, showing its output as it comes."""
    run = Run(title, [str(BIN / "ansible-playbook"), "-i", "inventories/lab", name, *extra], expected)
    junit = BUILD / "junit" / str(time.time_ns())
    environment = {
        **os.environ,
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(junit),
        "JUNIT_TASK_RELATIVE_PATH": str(ROOT),
        "ANSIBLE_FORCE_COLOR": "1" if sys.stdout.isatty() else "0",
    }
    say(f"\n== {title}\n$ ansible-playbook {' '.join(run.command[1:])}")
    run.began = time.time()
    with subprocess.Popen(
        run.command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            recap = RECAP.search(line)
            run.changed += int(recap[1]) if recap else 0
    run.status = process.returncode
    run.ended = time.time()
    run.tasks = read_tasks(junit)
    say(f"== {title}: {run.seconds:.1f} s, exit status {run.status}")
    return run


def read_tasks(folder: Path) -> list[tuple[str, float]]:
    """Name and duration in seconds of every task, in order, from Ansible's JUnit report."""
    return [
        (case.get("name", ""), float(case.get("time", 0)))
        for report in sorted(folder.glob("*.xml"))
        for case in ElementTree.parse(report).iter("testcase")
    ]


def prepare() -> list[Run]:
    """Everything before the story, each step once; SystemExit(2) with the way to look closer when one fails."""
    steps = [
        ("The lab: six system containers with systemd and sshd", "molecule/shared/create.yml"),
        ("The sample service: images v1 to v5", "molecule/shared/images.yml"),
        ("Empty what an earlier demo left", "demo/reset.yml"),
        ("Prepare VMs and balancers", "sluice.bluegreen.site"),
        ("Prepare them again: nothing may change", "sluice.bluegreen.site"),
        ("Prometheus on lb1", "molecule/shared/prometheus.yml"),
    ]
    runs = []
    for title, name in steps:
        run = playbook(title, name)
        runs.append(run)
        if run.status != run.expected:
            say(
                f"\nThe demo stops here: {title.lower()} failed. The lab stays up; see `make lab` and the output above."
            )
            raise SystemExit(2)
    return runs


def tell() -> list[Run]:
    """The story itself."""
    release = "sluice.bluegreen.release"
    return [
        playbook("1. Release v1 on an empty fleet", release, "-e", "service=shop", "-e", "version=v1"),
        playbook("2. Release v2 with strategy canary", release, "-e", "service=shop", "-e", "version=v2"),
        playbook(
            "3. Release v3, which fails 5 % of its requests",
            release,
            "-e",
            "service=shop",
            "-e",
            "version=v3",
            expected=2,
        ),
        playbook(
            "4. Release v4, which never becomes healthy", release, "-e", "service=shop", "-e", "version=v4", expected=2
        ),
        playbook("5. Roll back from v2 to v1", "sluice.bluegreen.rollback", "-e", "service=shop"),
    ]


def read_events() -> list[dict[str, Any]]:
    """The events of the first balancer, oldest first."""
    run = playbook("What the balancers wrote down", "demo/observe.yml", "-e", f"demo_folder={BUILD}")
    if run.status != 0:
        raise SystemExit(2)
    events: list[dict[str, Any]] = json.loads((BUILD / "journal-lb1.json").read_text(encoding="utf-8"))["events"]
    return events


def at(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()


@dataclass
class Chapter:
    """One release of the story: its command, what the balancers wrote of it, and the requests that fell into it."""

    run: Run
    events: list[dict[str, Any]]
    requests: list[Request]

    def first(self, *names: str) -> Optional[dict[str, Any]]:
        return next((event for event in self.events if event["event"] in names), None)

    @property
    def outcome(self) -> str:
        ended = self.first("promoted", "rolled_back", "failed", "reverted", "paused")
        return ended["event"] if ended else "none"

    @property
    def cause(self) -> str:
        ended = self.first("rolled_back", "failed", "reverted", "paused")
        return str(ended["data"].get("cause", "")) if ended else ""

    @property
    def deploy(self) -> str:
        began, ended = self.first("release_started"), self.first("deployed", "failed")
        return f"{at(ended) - at(began):.1f}" if began and ended else "-"

    @property
    def stages(self) -> str:
        """Seconds from each shift to the verdict that ended its stage."""
        parts = []
        shifted: Optional[dict[str, Any]] = None
        for event in self.events:
            if event["event"] == "shift" and event["data"].get("stage"):
                shifted = event
            elif shifted and event["event"] in ("stage_passed", "rolled_back", "paused"):
                split = max(event["data"].get("split", 0), candidate_share(shifted))
                parts.append(f"{split:g} %: {at(event) - at(shifted):.0f}")
                shifted = None
        return ", ".join(parts) or "-"

    @property
    def shift(self) -> str:
        """The slowest shift of the release, as a whole task over SSH on all balancers."""
        times = [seconds for name, seconds in self.run.tasks if "Set the split" in name]
        return f"{max(times):.2f}" if times else "-"

    @property
    def back(self) -> str:
        """The task that took all traffic back."""
        times = [seconds for name, seconds in self.run.tasks if "Set the split" in name]
        return f"{times[-1]:.2f}" if times and self.outcome in ("rolled_back", "reverted") else "-"

    @property
    def failures(self) -> list[Request]:
        return [request for request in self.requests if request.failed]

    @property
    def versions(self) -> str:
        counted = Counter(request.version or "none" for request in self.requests)
        return ", ".join(f"{version} {count}" for version, count in sorted(counted.items()))


def candidate_share(shift: dict[str, Any]) -> float:
    before, after = shift["data"]["before"], shift["data"]["shares"]
    return max((after[color] for color in after if after[color] > before[color]), default=0.0)


def chapters(told: list[Run], requests: list[Request], events: list[dict[str, Any]]) -> list[Chapter]:
    """Cut requests and events at the beginnings of the commands; what came before the first belongs to the first."""
    result = []
    for number, run in enumerate(told):
        begin = 0.0 if number == 0 else run.began
        end = told[number + 1].began if number + 1 < len(told) else float("inf")
        result.append(
            Chapter(
                run,
                [event for event in events if begin <= at(event) < end],
                [request for request in requests if begin <= request.at < end],
            )
        )
    return result


def before_the_first_version(requests: list[Request]) -> list[Request]:
    """Requests that a balancer refused while it had no version to serve: nothing was there that could be lost."""
    first: dict[str, float] = {}
    for request in requests:
        if request.version and request.balancer not in first:
            first[request.balancer] = request.at
    return [r for r in requests if r.at < first.get(r.balancer, float("inf")) and r.status == 503 and not r.version]


def broken_promises(told: list[Chapter], expected: list[str]) -> list[str]:
    """One sentence for each thing that is not as it should be."""
    broken = []
    for chapter, outcome in zip(told, expected):
        title = chapter.run.title
        if chapter.outcome != outcome:
            broken.append(f"{title}: the outcome is {chapter.outcome}, not {outcome}")
        if chapter.run.status != chapter.run.expected:
            broken.append(f"{title}: exit status {chapter.run.status}, not {chapter.run.expected}")
        own = "v3" if "v3" in title else None
        for request in [r for r in chapter.failures if own is None or r.version != own][:5]:
            broken.append(
                f"{title}: a request through {request.balancer} failed: status {request.status}, "
                f"version {request.version or 'none'} {request.error}"
            )
    if "errors" not in told[2].cause:
        broken.append(f"{told[2].run.title}: rolled back for {told[2].cause!r}, not for its errors")
    stage = told[2].first("rolled_back")
    shifts = [e for e in told[2].events if e["event"] == "shift" and e["data"].get("stage")]
    if stage and len(shifts) > 2:
        broken.append(f"{told[2].run.title}: rolled back only in stage {len(shifts)}")
    ill = sum(request.version == "v4" for chapter in told for request in chapter.requests)
    if ill:
        broken.append(f"v4 was never healthy and answered {ill} requests")
    after = [r for r in told[-1].requests if r.at > told[-1].run.ended]
    if not after or {request.version for request in after} != {"v1"}:
        broken.append(f"after the rollback {sorted({r.version for r in after})} answered, not v1 alone")
    return broken


def table(rows: list[list[str]]) -> None:
    for line in lines(rows):
        say(line)


def report(prepared: list[Run], told: list[Run], requests: list[Request], events: list[dict[str, Any]]) -> int:
    """Print what happened and what of it should not have; the exit status."""
    unserved = set(before_the_first_version(requests))
    story = chapters(told, [request for request in requests if request not in unserved], events)
    say("\nPreparation")
    table([["step", "seconds"], *[[run.title, f"{run.seconds:.1f}"] for run in prepared]])
    say(f"\nThe story: {len(requests)} requests through two balancers, {RATE} a second")
    head = ["command", "outcome", "cause", "deploy s", "stages (split: s)", "shift s", "back s", "whole s"]
    head += ["requests", "failed", "by version"]
    rows = [
        [
            chapter.run.title,
            chapter.outcome,
            chapter.cause or "-",
            chapter.deploy,
            chapter.stages,
            chapter.shift,
            chapter.back,
            f"{chapter.run.seconds:.1f}",
            str(len(chapter.requests)),
            str(len(chapter.failures)),
            chapter.versions,
        ]
        for chapter in story
    ]
    table([head, *rows])
    failures = Counter((r.version or "none", r.status) for chapter in story for r in chapter.failures)
    for (version, status), count in sorted(failures.items()):
        say(f"failed: {count} of version {version} with status {status}")
    say(f"refused before there was any version to serve: {len(unserved)} (not in the table)")
    expected = ["promoted", "promoted", "rolled_back", "failed", "reverted"]
    broken = broken_promises(story, expected)
    broken += [f"{run.title}: {run.changed} changed" for run in prepared if "nothing may" in run.title and run.changed]
    say("\nEvery promise was kept." if not broken else "\nBROKEN PROMISES")
    for sentence in broken:
        say(f"- {sentence}")
    say(
        "\nThe lab is up: the service at http://127.0.0.1:18081/ and http://127.0.0.1:18082/,\n"
        "the balancers' statistics at http://127.0.0.1:18404/ and http://127.0.0.1:18405/, Prometheus at http://127.0.0.1:19090/.\n"
        "Ask how it stands: .venv/bin/ansible-playbook -i inventories/lab sluice.bluegreen.status\n"
        "Remove it: make lab-down"
    )
    return 1 if broken else 0


def main() -> int:
    began = time.time()
    BUILD.mkdir(parents=True, exist_ok=True)
    prepared = prepare()
    load = Load(BUILD / "requests.csv", LISTENERS, RATE)
    try:
        told = tell()
        time.sleep(3)  # so that some requests are seen after the last command
    finally:
        requests = load.stop()
    status = report(prepared, told, requests, read_events())
    say(f"The whole demo took {time.time() - began:.0f} s on {os.cpu_count()} cores.")
    return status


if __name__ == "__main__":
    sys.exit(main())
