# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latency histogram costs HAProxy at saturation: its processor time a request, with and without.

A difference of some per cent drowns in what else a machine does within seconds. So one process with one thread has
services of both kinds, which get the load in turns of a tenth of a second, and each turn is compared with its
neighbours. The median of all these pairs comes with the interval in which it would be 95 times of 100, whatever the
noise is like, and a second service without a histogram shows how far apart equal services seem to be.
"""

from __future__ import annotations

import csv
import math
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .fleet import STABLE, HAProxy, answering, free_port, haproxy, program

# isort: split
from role_template import servers as of_ports
from role_template import write

SERVICES = {"without": False, "with": True, "control": False}
SECONDS = 90.0
TURN = 0.1
# What was under way when the load was stopped still belongs to its turn.
SETTLE = 0.01
CONNECTIONS = 64
# The part of a turn that HAProxy's thread must have run, for HAProxy to be what limits the throughput.
SATURATED = 0.9
# Rounds without which there is nothing to say.
LEAST = 10


@dataclass(frozen=True)
class Turn:
    """``requests`` in ``took`` seconds, for which HAProxy ran ``seconds``."""

    requests: int
    took: float
    seconds: float


def cost(folder: Path) -> dict[str, float]:
    """Medians over the rounds; the throughput by the clock only where HAProxy had its core in enough of them."""
    with answering(folder / "servers") as port, haproxy(folder / "balancer") as balancer:
        balancer.main.write_text(balancer.main.read_text().replace("global\n", "global\n    nbthread 1\n", 1))
        ports = {name: free_port() for name in SERVICES}
        for name, histogram in SERVICES.items():
            listen = {"bind": f"127.0.0.1:{ports[name]}"}
            page = {"name": name, "servers": of_ports(blue=[port, port], green=[port]), "listen": listen}
            write(balancer, page, STABLE, haproxy_histogram=histogram)
        balancer.start()
        rounds = measured(balancer, ports)
    if len(rounds) < LEAST:
        raise SystemExit(f"bench: this machine had time for {len(rounds)} rounds, and {LEAST} are the least")
    seconds = {name: [turns[name].seconds / turns[name].requests for turns in rounds] for name in SERVICES}
    # The turns before and after the one with the histogram.
    around = [(a + b) / 2 for a, b in zip(seconds["without"], seconds["control"])]
    low, middle, high = more(around, seconds["with"])
    found = {
        "histogram_rounds": float(len(rounds)),
        "histogram_off_requests_per_s": 1 / statistics.median(around),
        "histogram_on_requests_per_s": 1 / statistics.median(seconds["with"]),
        "histogram_cost_percent": middle,
        "histogram_cost_low_percent": low,
        "histogram_cost_high_percent": high,
        "histogram_control_percent": more(seconds["without"], seconds["control"])[1],
    }
    busy = [turns for turns in rounds if all(turn.seconds > SATURATED * turn.took for turn in turns.values())]
    if len(busy) >= LEAST:
        clock = {name: [turns[name].took / turns[name].requests for turns in busy] for name in SERVICES}
        found["histogram_throughput_cost_percent"] = more(clock["without"], clock["with"])[1]
    return found


def more(without: Sequence[float], having: Sequence[float]) -> tuple[float, float, float]:
    """Per cent that ``having`` takes more than ``without``: the median of the pairs between the ends of its interval.

    Of n pairs, the number below the true median has the mean n / 2 and the variance n / 4, whatever they are.
    """
    ratios = sorted(b / a for a, b in zip(without, having))
    half = 0.98 * math.sqrt(len(ratios))
    ends = (ratios[math.floor(len(ratios) / 2 - half)], ratios[math.ceil(len(ratios) / 2 + half) - 1])
    low, middle, high = (100 * (ratio - 1) for ratio in (ends[0], statistics.median(ratios), ends[1]))
    return low, middle, high


def measured(balancer: HAProxy, ports: Mapping[str, int], limit: float = SECONDS) -> list[dict[str, Turn]]:
    """A turn of each service in each round, for ``limit`` seconds, HAProxy on a core of its own where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    pid = balancer.processes[-1].pid
    os.sched_setaffinity(pid, cores[:1])
    found = []
    with _loads(ports, set(cores[1:] or cores)) as loads:
        for name, load in loads.items():
            _turn(balancer, pid, name, load)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            # The order changes, so that a machine that slows down does not speak for one side.
            order = list(loads) if len(found) % 2 else list(reversed(loads))
            turns = {name: _turn(balancer, pid, name, loads[name]) for name in order}
            # On a machine that others use too, a load may not have run at all.
            if all(turn.requests > 0 for turn in turns.values()):
                found.append(turns)
    return found


def _turn(balancer: HAProxy, pid: int, name: str, load: subprocess.Popen[bytes]) -> Turn:
    requests, seconds, began = _requests(balancer, name), _processor_seconds(pid), time.perf_counter()
    load.send_signal(signal.SIGCONT)
    time.sleep(TURN)
    took = time.perf_counter() - began
    load.send_signal(signal.SIGSTOP)
    time.sleep(SETTLE)
    return Turn(_requests(balancer, name) - requests, took, _processor_seconds(pid) - seconds)


@contextmanager
def _loads(ports: Mapping[str, int], cores: set[int]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A stopped load for each service."""
    wrk = program("WRK", "wrk", "wrk")
    found: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, port in ports.items():
            command = [wrk, "-t", "1", "-c", str(CONNECTIONS), "-d", "1h", f"http://127.0.0.1:{port}/"]
            found[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            os.sched_setaffinity(found[name].pid, cores)
            found[name].send_signal(signal.SIGSTOP)
        yield found
    finally:
        for process in found.values():
            process.kill()
            process.wait()


def _requests(balancer: HAProxy, name: str) -> int:
    """Requests of a service that were answered with 200."""
    reply = balancer.runtime.run([f"show stat {name}_in 1 -1"])[0]
    (row,) = csv.DictReader(reply[2:].splitlines())
    # wrk looks first whether there is somebody, with a connection without a request, which makes a 400.
    if int(row["hrsp_5xx"]):
        raise SystemExit(f"bench: {row['hrsp_5xx']} requests of the load on {name} did not go through")
    return int(row["hrsp_2xx"])


def _processor_seconds(pid: int) -> float:
    """The time that the threads of a process ran, to the nanosecond where the kernel tells it so."""
    threads = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    if threads:
        return sum(int(fields[0]) for fields in threads) / 1e9
    # The name of the program, in brackets, may have spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
