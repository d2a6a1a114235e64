# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m chaos``: breaks everything that can break, at every moment of a release, and counts the promises kept.

Run by ``make chaos`` and ``make chaos-full``. Exits 1 when a promise was broken, 2 when the lab could not be prepared,
or not be brought back to a beginning, 3 when it ended before all was run that should have been; the lab stays up.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chaos.crew import Crew
from chaos.harness import Chaos, occupy, say
from chaos.judge import Run, broken_promises
from chaos.kept import Kept, Result, digest, left_over
from chaos.lab import ROOT, SERVICES, Lab
from chaos.points import Case, enumerate_cases, spread
from chaos.seen import LATEST, Seen
from chaos.table import cells, rows
from demo.text_table import lines
from demo.traffic import Load

BUILD = ROOT / "build" / "chaos"
TABLE = ROOT / "build" / "chaos.json"
RATE = 10.0
"""Requests a second through each balancer to each service."""
LEASE = 20.0


class Story:
    """Hears of each run, keeps its result once all its requests are written down, and tells of it."""

    def __init__(self, kept: Kept, load: Load, collection: str, lease: float) -> None:
        self.kept = kept
        self.load = load
        self.seen = Seen(load.path)
        self.collection = collection
        self.lease = lease
        self.number = 0
        self.total = 0
        self.waiting: list[tuple[str, Run]] = []
        self.results: list[Result] = []

    def tell(self, lane: Chaos, run: Run) -> None:
        self.number += 1
        problems = broken_promises(run, self.lease, [])
        verdict = "BROKEN" if problems else "kept"
        say(f"{self.number}/{self.total} {lane.service}: {run.case.title}: {verdict} ({run.ended - run.began:.0f} s)")
        for problem in problems:
            say(f"    {problem}")
        self.waiting.append((lane.service, run))
        self.keep(time.time() - LATEST)
        if self.load.died:
            say("The load has ended by itself, and without it no run shows anything.")
            raise SystemExit(2)

    def keep(self, until: float) -> None:
        """Keep the results of the runs that were over by then."""
        self.seen.read()
        for service, run in [entry for entry in self.waiting if entry[1].ended <= until]:
            self.waiting.remove((service, run))
            # A file that was changed while it ran makes it a run of neither.
            collection = self.collection if digest(ROOT, RATE, self.lease) == self.collection else "changed meanwhile"
            result = Result.of(run, service, collection, self.lease, RATE, self.seen)
            if self.load.died:
                result = replace(result, problems=[*result.problems, "the load has ended by itself"])
            told = broken_promises(run, self.lease, [])
            for problem in [problem for problem in result.problems if problem not in told]:
                say(f"{service}: {run.case.title}: BROKEN by its requests: {problem}")
            self.results.append(result)
            self.kept.add(result)


def verdict(broken: bool, runs: int, left: int, cases: int) -> str:
    """What a person reads below the table."""
    if broken:
        return "BROKEN PROMISES"
    if not runs:
        return "Nothing was run."
    if left:
        return f"Every promise was kept in what was run; {left} of {cases} cases are left."
    return "Every promise was kept."


def exit_status(broken: bool, runs: int, left: int, partly: bool) -> int:
    """``partly``: nobody has asked for all of it."""
    return 1 if broken or not runs else 3 if left and not partly else 0


def report(
    every: list[Case], only: str, results: dict[str, Result], story: Story, began: float, lanes: int, partly: bool
) -> int:
    """Print the table and what is broken, write the rows; the exit status."""
    cases = [case for case in every if re.search(only, case.title)]
    found = rows(cases, results, story.collection)
    TABLE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    say()
    for line in lines(cells(found)):
        say(line)
    broken = [entry for row in found for entry in row["broken"]]
    runs = sum(row["runs"] for row in found)
    left = len(left_over(every, results, story.collection))
    say(f"\n{verdict(bool(broken), runs, left, len(every))}")
    for entry in broken:
        say(f"- {entry['run']}")
        for problem in entry["problems"]:
            say(f"    {problem}")
    seconds = time.time() - began
    mean = sum(result.seconds for result in story.results) / max(1, len(story.results))
    say(
        f"\n{runs} of {len(cases)} cases were run, all with collection {story.collection} but the outdated. "
        f"This time {len(story.results)} runs, {lanes} services side by side, {mean:.0f} s a run, "
        f"{story.seen.count} requests, {seconds:.0f} s on {len(os.sched_getaffinity(0))} cores; {TABLE}"
    )
    return exit_status(bool(broken), runs, left, partly)


def prepare(lanes: list[Chaos], again: bool) -> None:
    """The lab, and one version of each service on it."""
    if again:
        for lane in lanes:
            lane.lab.connect()
        lanes[0].lab.mend_all()
    else:
        lanes[0].prepare()
        for lane in lanes[1:]:
            lane.lab.connect()
    with ThreadPoolExecutor(len(lanes)) as pool:
        for _ in pool.map(Chaos.ready, lanes):
            pass


def cases_of(chaos: Chaos, kept: Kept, collection: str, resume: bool) -> list[Case]:
    """Every case, by the tasks of a release that is counted now, or was by an earlier call."""
    tasks = kept.tasks(collection) if resume else None
    if tasks is None:
        tasks = chaos.count()
        kept.keep_tasks(collection, tasks)
    cases = enumerate_cases(tasks)
    say(f"{len(tasks)} tasks, {len(cases)} ways to disturb a release of them; collection {collection}")
    return cases


def interrupted(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def run() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break everything at every moment.")
    parser.add_argument("--minutes", type=float, help="end by then; what is run is a fair part of all")
    parser.add_argument("--resume", action="store_true", help="only what has no result yet with this collection")
    parser.add_argument("--only", default="", help="only runs whose title this pattern is found in")
    parser.add_argument("--services", type=int, default=len(SERVICES), help="how many side by side")
    parser.add_argument("--lease", type=float, default=LEASE, help="seconds (%(default)g); a slow machine needs more")
    parser.add_argument("--again", action="store_true", help="on the lab as an earlier run has left it")
    options = parser.parse_args()
    began = time.time()
    signal.signal(signal.SIGTERM, interrupted)
    folder = BUILD / time.strftime("%Y%m%dT%H%M%S", time.gmtime(began))
    folder.mkdir(parents=True)
    labs = [Lab(service) for service in SERVICES[: options.services]]
    loaded = {host: [lab.urls[host] for lab in labs] for host in labs[0].balancers}
    lanes = [Chaos(lab, folder / lab.service, options.lease, loaded) for lab in labs]
    collection = digest(ROOT, RATE, options.lease)
    kept = Kept(BUILD)
    try:
        prepare(lanes, options.again)
    except KeyboardInterrupt:
        for lane in lanes:
            lane.stop()
        say("Stopped before anything was run.")
        return 2
    urls = [url for lab in labs for url in lab.urls.values()]
    load = Load(folder / "requests.csv", urls, RATE * len(urls))
    story = Story(kept, load, collection, options.lease)
    crew = Crew(lanes, story.tell, began + options.minutes * 60 if options.minutes is not None else None)
    status = 0
    partly = options.minutes is not None or bool(options.only)
    every: list[Case] = []
    try:
        every = cases_of(lanes[0], kept, collection, options.resume)
        cases = [case for case in every if re.search(options.only, case.title)]
        waiting = left_over(cases, kept.latest(), collection) if options.resume else cases
        story.total = len(waiting)
        crew.go(spread(waiting))
    except KeyboardInterrupt:
        say("Stopped; what was run so far:")
        crew.stop()
        partly = False
    except SystemExit as ended:
        crew.stop()
        status = int(ended.code or 0)
    finally:
        load.end()
        story.keep(float("inf"))
    results = kept.latest() if options.resume else {result.title: result for result in story.results}
    found = report(every, options.only, results, story, began, len(lanes), partly)
    return status or found


def main() -> int:
    with occupy(BUILD):
        return run()


if __name__ == "__main__":
    sys.exit(main())
