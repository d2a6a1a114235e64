# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m chaos.rollback``: how long a rollback takes, by the counters of the balancers.

Releases a version that fails with 5 % of its requests, again and again. Each time: from the look at the counters that
decided (the tick before whose verdict a line of the tape is written) to the last request that any balancer gave to the
candidate, and to the moment at which every balancer gives it none any more, whichever is later.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from chaos.__main__ import BUILD, LEASE, prepare
from chaos.harness import LIMIT, Chaos, occupy, say
from chaos.lab import FAULTY, ROOT, Lab
from chaos.observer import Observer
from demo.text_table import lines
from demo.traffic import Load

RESULT = ROOT / "build" / "rollback.json"
BAD = "v3"
RATE = 200.0

Samples = Sequence[Mapping[str, float]]


def deciding_look(samples: Samples) -> float:
    """When the tick that decided looked here: it wrote the last line of the tape but one; ValueError without two."""
    grown = [after["at"] for before, after in zip(samples, samples[1:]) if after["tape"] > before["tape"]]
    if len(grown) < 2:
        raise ValueError("the tape has fewer than two lines")
    return grown[-2]


def served_stable_only(samples: Samples) -> float:
    """From when on the candidate got nothing; ValueError where it still does."""
    if samples[-1]["weight"]:
        raise ValueError("the candidate still has a weight")
    last_weight = max(i for i, sample in enumerate(samples) if sample["weight"])
    asked = [after["at"] for before, after in zip(samples, samples[1:]) if after["requests"] > before["requests"]]
    return max(samples[last_weight + 1]["at"], *asked)


def seconds_of(by_balancer: Mapping[str, Samples]) -> float:
    """From the first balancer's deciding look to the last one that serves stable only."""
    began = min(deciding_look(samples) for samples in by_balancer.values())
    return max(served_stable_only(samples) for samples in by_balancer.values()) - began


def roll_back_once(chaos: Chaos) -> Optional[dict[str, Any]]:
    """One bad release, watched; None, and it is told, where it was not rolled back."""
    _, candidate = chaos.next_release(chaos.ready())
    servers = chaos.lab.vms[candidate]
    watchers = {
        host: Observer(chaos.lab.container(host), "watch.py", chaos.service, *servers) for host in chaos.lab.balancers
    }
    try:
        book = chaos.playbook(*chaos.release(BAD))
        book.wait(LIMIT)
        seen = {host: json.loads(watcher.ask()) for host, watcher in watchers.items()}
    finally:
        for watcher in watchers.values():
            watcher.close()
    if "rolled_back" not in book.output:
        say(f"not rolled back: {book.message}")
        return None
    try:
        return {"rollback_s": round(seconds_of(seen), 3), "samples": {host: len(found) for host, found in seen.items()}}
    except ValueError as error:
        say(f"not measured: {error}")
        return None


def run() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos.rollback", description="How long a rollback takes.")
    parser.add_argument("--runs", type=int, default=7, help="how many bad releases")
    parser.add_argument("--lease", type=float, default=LEASE, help="seconds (%(default)g); a slow machine needs more")
    parser.add_argument("--again", action="store_true", help="on the lab as an earlier run has left it")
    options = parser.parse_args()
    folder = BUILD / time.strftime("rollback-%Y%m%dT%H%M%S", time.gmtime())
    folder.mkdir(parents=True)
    chaos = Chaos(Lab(FAULTY), folder, options.lease)
    prepare([chaos], options.again)
    load = Load(folder / "requests.csv", list(chaos.lab.urls.values()), RATE)
    try:
        runs = [run for run in (roll_back_once(chaos) for _ in range(options.runs)) if run]
    finally:
        load.stop()
    if not runs:
        return 1
    times = [run["rollback_s"] for run in runs]
    found = {
        "rollback_median_s": round(statistics.median(times), 3),
        "rollback_worst_s": max(times),
        "runs": runs,
        "cores": len(os.sched_getaffinity(0)),
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for line in lines([["rollback", "seconds"], *([str(i), f"{s:.3f}"] for i, s in enumerate(times, start=1))]):
        say(line)
    say(f"\nmedian {found['rollback_median_s']} s, worst {max(times)} s, of {len(runs)} rollbacks; {RESULT}")
    return 0 if len(runs) == options.runs else 1


def main() -> int:
    with occupy(BUILD):
        return run()


if __name__ == "__main__":
    sys.exit(main())
