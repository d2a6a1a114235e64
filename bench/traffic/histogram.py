# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latency histogram costs HAProxy at saturation: pairs of runs with and without it, one after the other."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .fleet import STABLE, HAProxy, answering, haproxy

# isort: split
from role_template import servers as of_ports
from role_template import write

PAIRS = 3
SECONDS = 6
CONNECTIONS = 64


def cost(folder: Path) -> dict[str, float]:
    """Per cent of throughput, and of HAProxy's processor time a request; medians of the pairs."""
    cores = sorted(os.sched_getaffinity(0))
    rates: dict[bool, list[float]] = {False: [], True: []}
    times: dict[bool, list[float]] = {False: [], True: []}
    with answering(folder / "servers", threads=max(1, len(cores) // 2)) as port:
        for pair in range(PAIRS):
            # The order changes, so that a machine that slows down does not speak for one side.
            for histogram in (False, True) if pair % 2 == 0 else (True, False):
                with haproxy(folder / f"{'with' if histogram else 'without'}{pair}") as balancer:
                    rate, seconds = _saturated(balancer, port, histogram, cores)
                rates[histogram].append(rate)
                times[histogram].append(seconds)
    by_rate = [100 * (1 - on / off) for on, off in zip(rates[True], rates[False])]
    by_time = [100 * (on / off - 1) for on, off in zip(times[True], times[False])]
    return {
        "histogram_off_requests_per_s": statistics.median(rates[False]),
        "histogram_on_requests_per_s": statistics.median(rates[True]),
        "histogram_cost_percent": statistics.median(by_rate),
        "histogram_processor_cost_percent": statistics.median(by_time),
    }


def _saturated(balancer: HAProxy, port: int, histogram: bool, cores: Sequence[int]) -> tuple[float, float]:
    """Requests a second with one thread on a core of its own, and its seconds of processor time a request."""
    balancer.main.write_text(balancer.main.read_text().replace("global\n", "global\n    nbthread 1\n", 1))
    page = {"name": "shop", "servers": of_ports(blue=[port, port], green=[port])}
    write(balancer, page, STABLE, haproxy_histogram=histogram)
    balancer.start()
    pid = balancer.processes[-1].pid
    if len(cores) > 1:
        os.sched_setaffinity(pid, cores[:1])
    _loaded(balancer.listen, 1, cores)
    before = _processor_seconds(pid)
    rate, count = _loaded(balancer.listen, SECONDS, cores)
    return rate, (_processor_seconds(pid) - before) / count


def _loaded(port: int, seconds: int, cores: Sequence[int]) -> tuple[float, float]:
    url = f"http://127.0.0.1:{port}/"
    wrk, hey = shutil.which(os.environ.get("WRK", "wrk")), shutil.which("hey")
    if wrk:
        command = [wrk, "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", url]
    elif hey:
        command = [hey, "-c", str(CONNECTIONS), "-z", f"{seconds}s", url]
    else:
        sys.exit("bench: there is neither wrk nor hey; as root on Debian: apt-get install wrk, or name it in WRK")
    others = set(cores[1:] or cores)
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, others)
    )
    found = re.search(r"Requests/sec:\s*([0-9.]+)", done.stdout)
    if not found or "Non-2xx" in done.stdout:
        sys.exit(f"bench: the load did not go through: {done.stdout}")
    return float(found[1]), float(found[1]) * seconds


def _processor_seconds(pid: int) -> float:
    # The name of the program, in brackets, may have spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
