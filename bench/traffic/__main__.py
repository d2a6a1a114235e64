# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: prints a table and puts its numbers into build/bench.json, a flat object of name to number."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import histogram, lost, shifts
from .fleet import ROOT, program, version_of

MEANING = {
    "shift_20_module_s": "the module's own time, 10 + 10 servers (s)",
    "shift_200_module_s": "the same, 100 + 100 servers (s)",
    "shift_2000_module_s": "the same, 1000 + 1000 servers (s)",
    "shift_10000_module_s": "the same, 5000 + 5000 servers, random(1) (s)",
    "ssh_ping_task_s": "a bare ping task over SSH (s)",
    "shift_2000_task_s": "one task over SSH, 1000 + 1000 servers (s)",
    "loop_server_s": "a loop of community.general.haproxy over SSH, a server (s)",
    "loop_2000_scaled_s": "the loop for 2000 servers, scaled from 100 of them (s)",
    "shift_2000_ratio": "times that the one task is faster",
    "histogram_rounds": "turns of each service that were compared",
    "histogram_off_requests_per_s": "requests in a second of HAProxy's processor time, no histogram (requests/s)",
    "histogram_on_requests_per_s": "the same with the histogram (requests/s)",
    "histogram_cost_percent": "what the histogram costs of HAProxy's processor time a request (%)",
    "histogram_cost_low_percent": "the lower end of the interval that has it with 95 % (%)",
    "histogram_cost_high_percent": "the upper end (%)",
    "histogram_control_percent": "the same between two services without it: how exact that is (%)",
    "histogram_throughput_cost_percent": "what it costs of the throughput, where HAProxy filled its core (%)",
    "requests_sent": "requests during 100 shifts, 20 commits and 20 reloads",
    "requests_per_s": "their rate (requests/s)",
    "requests_lost": "requests lost",
}
PARTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "growth": shifts.growth,
    "ssh": shifts.over_ssh,
    "histogram": histogram.cost,
    "lost": lost.lost,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.traffic", description=(__doc__ or "").strip())
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these parts")
    chosen = parser.parse_args().parts or list(PARTS)
    print(f"HAProxy {version_of(program('HAPROXY', '/usr/sbin/haproxy', 'haproxy'))}")
    found: dict[str, float] = {}
    for part in chosen:
        with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
            numbers = PARTS[part](Path(folder))
        found.update(numbers)
        for name, number in numbers.items():
            print(f"  {name:34}{number:12.4g}  {MEANING[name]}", flush=True)
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **found}, indent=1, sort_keys=True) + "\n")
    print(f"All numbers are in {path.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
