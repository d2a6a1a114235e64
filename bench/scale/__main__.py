# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench-scale``: what the playbooks cost the controller by the number of VMs, against as many bare pings.

Prints a table for each number, and puts its numbers into build/bench-scale.json, a flat object of name to number.

The VMs are simulated: ansible-playbook does all that it does for a VM over SSH up to the connection, which answers in
place of the VM, for a ping as for the modules of a release. So what SSH and a VM take is in neither; it is the same for
a ping and for any other module that has nothing to do. Half of the VMs are of each color. The balancers are two real
HAProxy processes on this machine, reached by the connection ``local``; for ``site``, whose modules would change the
machine, they are simulated too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator

from ..traffic.fleet import ROOT
from .fleet import Cost, Fleet, fleet

SIZES = [100, 300]
SHOP = {"service": "shop"}
# In an order in which each finds what it needs; blue serves v1 before.
STEPS: list[tuple[str, str, dict[str, object]]] = [
    ("site", "site", {}),
    ("release", "release", {**SHOP, "version": "v2"}),
    ("status", "status", {}),
    ("rollback", "rollback", SHOP),
    ("fetch", "fetch", {**SHOP, "version": "v3"}),
    ("deploy", "deploy", {**SHOP, "version": "v3"}),
    ("preview", "preview", SHOP),
    # Of which `promote` is the part after a pause.
    ("rollout", "rollout", SHOP),
    ("retire", "retire", {**SHOP, "at_once": True}),
    ("rollback_retired", "rollback", SHOP),
    ("deploy_again", "deploy", {**SHOP, "version": "v4"}),
    ("abort", "abort", SHOP),
]
MEANING = {
    "vms": "VMs that it works on",
    "runs": "runs of modules on each of them",
    "s": "seconds from start to end",
    "vms_s": "seconds of its plays on VMs",
    "ping_s": "seconds of as many bare pings of the same VMs",
    "times": "vms_s / ping_s",
    "tasks": "results of tasks for each VM, those of modules among them",
    "mb": "MB of memory that ansible-playbook has at most",
    "all_mb": "MB of it and its forks, where what they share counts once",
}


def numbers(cost: Cost, ping: Cost | None) -> dict[str, float]:
    touched = len(cost.vms) or 1
    found = {
        "vms": float(len(cost.vms)),
        "runs": float(cost.most_runs),
        "s": cost.seconds,
        "vms_s": cost.seconds_on_vms,
        "mb": cost.main_mb,
        "all_mb": cost.all_mb,
        "tasks": cost.results_on_vms / touched,
    }
    if ping and cost.vms:
        one = ping.seconds_on_vms / sum(ping.runs[vm] for vm in ping.vms)
        found["ping_s"] = one * sum(cost.runs[vm] for vm in cost.vms)
        found["times"] = found["vms_s"] / found["ping_s"]
    return found


def measure(there: Fleet, only: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    """Each playbook's numbers as soon as they are there."""
    (there.folder / "ping.yml").write_text(
        json.dumps(
            [
                {
                    "name": "Ping",
                    "hosts": "shop_blue:shop_green",
                    "gather_facts": False,
                    # So many that what a play costs by itself does not count.
                    "tasks": [{"ansible.builtin.ping": {}}] * (3 if there.vms <= 1000 else 1),
                }
            ]
        )
    )
    ping = done(there.play(str(there.folder / "ping.yml")), "ping")
    yield "ping", numbers(ping, ping)
    for name, playbook, extra in STEPS:
        if only and name not in only:
            continue
        hosts = "site" if playbook == "site" else "release"
        cost = done(there.play(f"sluice.bluegreen.{playbook}", hosts, **extra), name)
        yield name, numbers(cost, ping)


def done(cost: Cost, name: str) -> Cost:
    if cost.status:
        sys.exit(f"bench: {name} failed: {cost.output[-3000:]}")
    return cost


def growth(known: dict[str, float], name: str, sizes: list[int]) -> float:
    """The exponent of the growth of the time on VMs: 1 is linear, 2 is quadratic."""
    times, vms = ([known[f"scale_{size}_{name}_{what}"] for size in sizes] for what in ("vms_s", "vms"))
    return math.log(times[-1] / times[0]) / math.log(vms[-1] / vms[0])


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.scale", description=(__doc__ or "").strip())
    parser.add_argument("vms", nargs="*", type=int, default=SIZES, help="sizes of the fleet")
    parser.add_argument("--only", nargs="*", default=[], help="only these playbooks, which must find what they need")
    parser.add_argument("--processes", action="store_true", help="start a Python for each module all the same")
    asked = parser.parse_args()
    path = ROOT / "build" / "bench-scale.json"
    path.parent.mkdir(exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {}
    prefix = "scale_processes" if asked.processes else "scale"
    print(f"{os.cpu_count()} cores, of which others used {os.getloadavg()[0]:.1f} when it began; 20 forks")
    columns = ["vms", "runs", "tasks", "vms_s", "ping_s", "times", "s", "mb", "all_mb"]
    found: dict[str, float] = {}
    for size in asked.vms:
        print(f"\n{size} VMs, {size // 2} of each color\n  {'':18}" + "".join(f"{column:>9}" for column in columns))
        with fleet(size, asked.processes) as there:
            for name, values in measure(there, asked.only):
                shown = (f"{values[column]:9.4g}" if column in values else f"{'-':>9}" for column in columns)
                print(f"  {name:18}" + "".join(shown), flush=True)
                found.update({f"{prefix}_{size}_{name}_{what}": round(value, 3) for what, value in values.items()})
                # What took an hour is kept, whatever becomes of the rest.
                path.write_text(json.dumps({**known, **found}, indent=1, sort_keys=True) + "\n")
    print("\n" + "\n".join(f"  {column:10}{MEANING[column]}" for column in columns))
    if len(asked.vms) > 1 and not asked.processes:
        print(f"\nGrowth of vms_s from {asked.vms[0]} to {asked.vms[-1]} VMs: 1 is linear, 2 is quadratic")
        for name in ["ping", *(step for step, _playbook, _extra in STEPS)]:
            if found.get(f"scale_{asked.vms[0]}_{name}_vms_s") and found[f"scale_{asked.vms[0]}_{name}_vms"] > 1:
                print(f"  {name:18}{growth(found, name, asked.vms):9.2f}")
    print(f"All numbers are in {path.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
