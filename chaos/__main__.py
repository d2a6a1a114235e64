# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m chaos``: breaks everything that can break, at every moment of a release, and counts the promises kept.

Run by ``make chaos`` and ``make chaos-full``. Exits 1 when a promise was broken, 2 when the lab could not be prepared;
the lab stays up.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time

import yaml

from chaos.harness import Chaos, say
from chaos.judge import broken_promises
from chaos.lab import INVENTORY, ROOT, SERVICE, Lab
from chaos.points import enumerate_cases, spread
from chaos.table import cells, rows
from demo.text_table import lines
from demo.traffic import Load, Request

BUILD = ROOT / "build" / "chaos"
RESULT = ROOT / "build" / "chaos.json"
RATE = 120.0


def lease_of() -> float:
    """Seconds, from the page of the inventory."""
    page = yaml.safe_load((INVENTORY / "group_vars" / "all" / "services.yml").read_text(encoding="utf-8"))
    return float(str(page["bluegreen_services"][SERVICE]["lease"]).rstrip("s"))


def report(chaos: Chaos, requests: list[Request], seconds: float) -> int:
    """Print the table and what is broken, write the rows; the exit status."""
    found = rows(chaos.runs, requests, chaos.lease)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    say()
    for line in lines(cells(found)):
        say(line)
    broken = [entry for row in found for entry in row["broken"]]
    say("\nEvery promise was kept." if not broken else "\nBROKEN PROMISES")
    for entry in broken:
        say(f"- {entry['run']}")
        for problem in entry["problems"]:
            say(f"    {problem}")
    runs = sum(row["runs"] for row in found)
    say(f"\n{runs} runs, {len(requests)} requests, {seconds:.0f} s on {len(os.sched_getaffinity(0))} cores; {RESULT}")
    return 1 if broken or not runs else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Break everything at every moment.")
    parser.add_argument("--minutes", type=float, help="begin no run after so long; what is run is a fair part of all")
    parser.add_argument("--only", default="", help="only runs whose title this pattern is found in")
    parser.add_argument("--again", action="store_true", help="on the lab as an earlier run has left it")
    options = parser.parse_args()
    began = time.time()
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    chaos = Chaos(Lab(), BUILD, lease_of())
    chaos.prepare(options.again)
    load = Load(BUILD / "requests.csv", list(chaos.lab.urls.values()), RATE)
    try:
        tasks = chaos.count()
        cases = [case for case in enumerate_cases(tasks) if re.search(options.only, case.title)]
        say(f"{len(tasks)} tasks, {len(cases)} ways to disturb a release of them")
        counted = time.time()
        for number, case in enumerate(spread(cases), start=1):
            start = time.time()
            if options.minutes is not None and start - counted > options.minutes * 60:
                break
            run = chaos.try_case(case)
            chaos.runs.append(run)
            problems = broken_promises(run, chaos.lease, [])
            verdict = "BROKEN" if problems else "kept"
            say(f"{number}/{len(cases)} {case.title}: {verdict} ({time.time() - start:.0f} s)")
            for problem in problems:
                say(f"    {problem}")
    except KeyboardInterrupt:
        say("Stopped; what was run so far:")
        chaos.stop()
    finally:
        requests = load.stop()
    return report(chaos, requests, time.time() - began)


if __name__ == "__main__":
    sys.exit(main())
