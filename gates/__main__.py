# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m gates``: releases on the lab, good, bad and in trouble, each with the verdict that it must have.

Run by ``make prove-gates``. Exits 1 when an expectation was not met, 2 when the lab could not be prepared or it was
stopped; the lab stays up, and the tapes lie in ``build/gates``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from chaos.lab import ROOT
from demo.text_table import lines
from gates.cases import CASES, Case
from gates.expect import Check, Seen, checks
from gates.lab import Lab
from gates.proof import RATE, Proof, say

BUILD = ROOT / "build" / "gates"
RESULT = ROOT / "build" / "gates.json"
Done = tuple[Case, Seen, list[Check]]


def rows(done: Sequence[Done]) -> list[list[str]]:
    """A row a case, below a head."""
    table = [["release", "outcome", "cause", "stage", "verdict after s", "requests", "failed", "of version", "met"]]
    for case, seen, found in done:
        seconds = seen.seconds(case.stage)
        table.append(
            [
                case.title,
                seen.outcome,
                seen.cause,
                f"{case.stages[case.stage - 1]} %",
                "-" if seconds is None else f"{seconds:.0f}",
                str(seen.answers.requests),
                str(seen.answers.failed),
                ", ".join(f"{version} {count}" for version, count in sorted(seen.answers.failed_of.items())) or "-",
                "yes" if all(check.met for check in found) else "NO",
            ]
        )
    return table


def report(done: Sequence[Done], seconds: float) -> int:
    """Print both tables, write all of it down; the exit status."""
    cores = len(os.sched_getaffinity(0))
    written = [
        {
            "case": case.name,
            "release": case.title,
            "outcome": seen.outcome,
            "cause": seen.cause,
            "message": seen.message,
            "verdict_after_s": seen.seconds(case.stage),
            "stage": case.stage,
            "split": case.stages[case.stage - 1],
            "tape": seen.counts,
            "answers": asdict(seen.answers),
            "checks": [asdict(check) for check in found],
        }
        for case, seen, found in done
    ]
    summary = {"rate": RATE, "cores": cores, "seconds": round(seconds), "cases": written}
    RESULT.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    say(f"\nReleases on the lab, {RATE:g} requests a second through two balancers")
    for line in lines(rows(done)):
        say(line)
    say()
    told = [["release", "what", "expected", "found", "met"]]
    told += [
        [case.title, check.what, check.expected, check.found[:110], "yes" if check.met else "NO"]
        for case, _, found in done
        for check in found
    ]
    for line in lines(told):
        say(line)
    unmet = sum(not check.met for _, _, found in done for check in found)
    say(f"\n{'Every expectation was met.' if not unmet else f'{unmet} EXPECTATIONS WERE NOT MET'}")
    say(f"{len(done)} releases, {seconds:.0f} s on {cores} cores; {RESULT}, tapes and output in {BUILD}")
    return 1 if unmet or not done else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m gates", description="Releases on the lab, each with its verdict.")
    parser.add_argument("--only", default="", help="only cases whose name this pattern is found in")
    parser.add_argument("--again", action="store_true", help="on the lab as an earlier run has left it")
    options = parser.parse_args()
    began = time.time()
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    proof = Proof(Lab(), BUILD)
    done: list[Done] = []
    stopped = False
    try:
        proof.prepare(options.again)
        for case in [case for case in CASES if re.search(options.only, case.name)]:
            say(f"\n{case.title}")
            start = time.time()
            seen, problem = proof.try_case(case)
            found = checks(case, seen)
            done.append((case, seen, found))
            say(f"  {seen.outcome} ({seen.cause}) {problem or seen.message}, {time.time() - start:.0f} s")
            for check in found:
                if not check.met:
                    say(f"  NOT MET: {check.what}: expected {check.expected}, found {check.found}")
    except KeyboardInterrupt:
        say("Stopped; what was tried so far:")
        stopped = True
    finally:
        proof.stop()
    status = report(done, time.time() - began)
    return 2 if stopped else status


if __name__ == "__main__":
    sys.exit(main())
