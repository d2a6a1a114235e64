"""``make bench-judge``: prints the tables and writes them to build/bench-judge.json. The seed is fixed."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Optional

from plugins.module_utils._gate._interval import RatioHistory
from plugins.module_utils._gate._judge import Judge
from plugins.module_utils._gate._settings import Settings

from . import traffic
from .rollouts import QUANTILES, Release, release
from .rules import RULES
from .traffic import GOOD, TICK, Fault, Traffic

SEED = 20260131
RATES = (10, 100, 1000, 5000)
SPLIT = 0.05
"""The candidate's share of the traffic while the rules are compared: the first stage of a canary."""
WATCHED = 900.0
FOUND = {"0.3 %": 0.003, "1 %": 0.01, "5 %": 0.05}
FAULTS = (
    GOOD,
    *(Fault(f"{name} errors", errors=errors) for name, errors in FOUND.items()),
    Fault("p50 +50 %", slower=1.5),
    Fault("p99 +50 %", tail=1.5),
    Fault("5 % errors, at 100 % only", errors=0.05, from_split=1.0),
    Fault("one bad VM, 5 % errors", errors=0.05, hosts=1),
)
SERVERS = 200
CHECKED = "this judge, with the host check"
Job = tuple[Any, ...]


def skip_the_interval() -> None:
    """The interval of the ratio is for a person: it decides nothing, and takes half of the simulation's time."""
    RatioHistory.interval = lambda _self, _alpha=0.05: (0.0, None)


def first_alarms(job: Job) -> dict[str, Optional[float]]:
    """By rule the second at which it would roll back, None for never in a quarter of an hour."""
    rate, fault, seed = job
    times = [TICK * (i + 1) for i in range(round(WATCHED / TICK))]
    requests, bad = Traffic(seed, rate, fault).counts(times, SPLIT)
    rules = {name: make() for name, make in RULES.items()}
    found: dict[str, Optional[float]] = dict.fromkeys(rules)
    for t, n, k in zip(times, requests, bad):
        for name in [name for name in rules if found[name] is None]:
            if rules[name].alarm(n, k):
                found[name] = t
        if None not in found.values():
            break
    return found


def one_release(job: Job) -> Release:
    rate, fault, seed = job
    return release(Traffic(seed, rate, fault))


def jobs(fault: Fault, rate: int, runs: int) -> Iterable[Job]:
    # The fault is not in the seed: every fault meets the same VMs and the same incidents.
    return [(rate, fault, (SEED, rate, run)) for run in range(runs)]


def compare_rules(run: Callable[..., Any], good: int, bad: int) -> dict[str, Any]:
    """By rule: false alarms by rate, and by fault and rate the share found and the median of the seconds."""
    table: dict[str, Any] = {name: {"false_alarms": {}, "found": {}} for name in RULES}
    for rate in RATES:
        alarms = run(first_alarms, jobs(GOOD, rate, good))
        for name, row in table.items():
            row["false_alarms"][rate] = sum(found[name] is not None for found in alarms) / good
        for label, errors in FOUND.items():
            alarms = run(first_alarms, jobs(Fault(label, errors=errors), rate, bad))
            for name, row in table.items():
                # One that is never found takes longer than any.
                seconds = [WATCHED * 2 if found[name] is None else found[name] for found in alarms]
                median = statistics.median(seconds)
                row["found"].setdefault(label, {})[rate] = {
                    "share": sum(found[name] is not None for found in alarms) / bad,
                    "median": median if median <= WATCHED else None,
                }
    return table


def closed_loop(run: Callable[..., Any], good: int, bad: int) -> dict[str, Any]:
    """By fault and rate: shares of outcomes, their causes, seconds until the end by outcome."""
    table: dict[str, Any] = {}
    for fault in FAULTS:
        for rate in RATES:
            ended = run(one_release, jobs(fault, rate, good if fault is GOOD else bad))
            row: dict[str, Any] = {"runs": len(ended)}
            row["second_look"] = sum(one.second_look for one in ended) / len(ended)
            for outcome in ("rolled back", "promoted", "held"):
                those = [one for one in ended if one.outcome == outcome]
                seconds = sorted(one.seconds for one in those)
                row[outcome] = {
                    "share": len(those) / len(ended),
                    "median": statistics.median(seconds) if seconds else None,
                    "p90": seconds[ceil(0.9 * len(seconds)) - 1] if seconds else None,
                    "causes": dict(Counter(one.cause for one in those).most_common()),
                    "splits": dict(Counter(f"{one.split:g} %" for one in those).most_common()),
                }
            table.setdefault(fault.name, {})[rate] = row
    return table


def tick_cost(ticks: int = 200) -> dict[str, float]:
    """Milliseconds of one tick of the judge with errors and three quantiles, for 200 servers."""
    more = SERVERS // (traffic.CANDIDATE + traffic.STABLE)
    source = Traffic((SEED,), 2000)
    judge = Judge(Settings(latency=QUANTILES))
    taken = []
    for i in range(ticks):
        line = source.line(TICK * (i + 1), TICK * (i + 1), SPLIT)
        colors = {
            color: {f"{name}-{copy}": entry for name, entry in servers.items() for copy in range(more)}
            for color, servers in line["colors"].items()
        }
        began = time.perf_counter()
        judge.tick({**line, "colors": colors})
        taken.append(1000.0 * (time.perf_counter() - began))
    taken.sort()
    return {"servers": SERVERS, "ticks": ticks, "median_ms": taken[ticks // 2], "worst_ms": taken[-1]}


def expectations(rules: dict[str, Any], loop: dict[str, Any], cost: dict[str, float]) -> list[dict[str, Any]]:
    """What the design expects, what was found, and whether that is enough."""
    found = []

    def expect(what: str, value: Optional[float], limit: float, unit: str) -> None:
        met = value is not None and value <= limit
        found.append({"what": what, "found": value, "limit": limit, "unit": unit, "met": met})

    for rate in RATES:
        expect(f"good releases rolled back at {rate} req/s", 100 * loop["good"][rate]["rolled back"]["share"], 0.5, "%")
    for label, rate in (("5 %", 100), ("1 %", 1000)):
        expect(
            f"{label} errors at {rate} req/s, median, at a split of 5 %",
            rules[CHECKED]["found"][label][rate]["median"],
            60,
            "s",
        )
        row = loop[f"{label} errors"][rate]["rolled back"]
        expect(f"{label} errors at {rate} req/s, median, all of the closed loop", row["median"], 60, "s")
    expect(f"one tick of the judge, {SERVERS} servers, median", cost["median_ms"], 5, "ms")
    return found


def text_of(rows: Sequence[Sequence[str]]) -> str:
    """A table: the first row is the head, the first column is text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def seconds_of(value: Optional[float]) -> str:
    return "never" if value is None else f"{value:.0f} s"


def print_rules(table: dict[str, Any], good: int, bad: int) -> None:
    rates = "/".join(map(str, RATES))
    print(
        f"Rules on the errors of a candidate that gets {SPLIT:.0%} of the traffic for {WATCHED:.0f} s\n"
        f"False alarms: share of {good} good candidates at {rates} req/s. Found: median of {bad} bad ones; "
        "'never': by fewer than half.\n"
    )
    shown = [("1 %", 100), ("1 %", 1000), ("5 %", 100), ("0.3 %", 1000), ("0.3 %", 5000)]
    rows = [["", "false alarms", *(f"{label} at {rate}" for label, rate in shown)]]
    for name, row in table.items():
        alarms = " / ".join(f"{row['false_alarms'][rate]:.4f}" for rate in RATES)
        rows.append([name, alarms, *(seconds_of(row["found"][label][rate]["median"]) for label, rate in shown)])
    print(text_of(rows))


def print_loop(table: dict[str, Any]) -> None:
    print(
        "\nRollouts by the strategy canary (5, 25, 50, 100 %), errors and latency gated, all settings at their "
        "defaults\n'rolled back after' is median and 90th percentile from the beginning of the rollout; so is "
        "'promoted after', the median\n"
    )
    head = ["", "req/s", "rollouts", "rolled back", "(at 100 %)", "promoted", "held", "looked twice"]
    rows = [[*head, "rolled back after", "promoted after"]]
    for name, by_rate in table.items():
        for rate, row in by_rate.items():
            back = row["rolled back"]
            after = f"{back['median']:.0f} s, {back['p90']:.0f} s" if back["median"] is not None else "-"
            promoted = row["promoted"]["median"]
            rows.append(
                [
                    name if rate == RATES[0] else "",
                    str(rate),
                    str(row["runs"]),
                    f"{100 * back['share']:.1f} %",
                    f"{100 * back['splits'].get('100 %', 0) / row['runs']:.1f} %",
                    *(f"{100 * row[outcome]['share']:.1f} %" for outcome in ("promoted", "held")),
                    f"{100 * row['second_look']:.1f} %",
                    after,
                    f"{promoted:.0f} s" if promoted is not None else "-",
                ]
            )
    print(text_of(rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-judge", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rollouts, to see that it works")
    parser.add_argument("--output", type=Path, default=Path("build/bench-judge.json"))
    options = parser.parse_args()
    watched, found, good, bad = (200, 40, 100, 20) if options.quick else (3000, 300, 1000, 100)
    # Into a file or a pipe too, each table when it is there.
    sys.stdout.reconfigure(line_buffering=True)
    began = time.monotonic()
    cost = tick_cost()
    with multiprocessing.Pool(len(os.sched_getaffinity(0)), skip_the_interval) as pool:

        def run(work: Callable[[Job], Any], todo: Iterable[Job]) -> list[Any]:
            return pool.map(work, todo, chunksize=5)

        rules = compare_rules(run, watched, found)
        print_rules(rules, watched, found)
        loop = closed_loop(run, good, bad)
    print_loop(loop)
    print(
        f"\nOne tick of the judge for {SERVERS} servers: {cost['median_ms']:.2f} ms, at worst {cost['worst_ms']:.2f} ms"
    )
    expected = expectations(rules, loop, cost)
    print("\nExpected by the design")
    print(
        text_of(
            [
                ["", "found", "at most", ""],
                *(
                    [
                        e["what"],
                        "never" if e["found"] is None else f"{e['found']:.3g} {e['unit']}",
                        f"{e['limit']:g} {e['unit']}",
                        "met" if e["met"] else "MISSED",
                    ]
                    for e in expected
                ),
            ]
        )
    )
    took = time.monotonic() - began
    print(f"\n{took:.0f} s on {len(os.sched_getaffinity(0))} cores, seed {SEED}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        json.dumps(
            {
                "seed": SEED,
                "quick": options.quick,
                "world": {
                    "stable": traffic.STABLE,
                    "candidate": traffic.CANDIDATE,
                    "base_errors": traffic.BASE_ERRORS,
                    "host_sigma": traffic.HOST_SIGMA,
                    "host_latency_sigma": traffic.HOST_LATENCY_SIGMA,
                    "daily_wave": traffic.WAVE,
                    "incidents_a_second": traffic.INCIDENTS,
                    "tick": TICK,
                },
                "rules": rules,
                "rollouts": loop,
                "tick": cost,
                "expected": expected,
                "seconds": took,
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    if not all(e["met"] for e in expected):
        parser.exit(1, "bench-judge: not all that was expected was met\n")


if __name__ == "__main__":
    main()
