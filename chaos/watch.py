# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run on a balancer: looks at the counters of some servers all the time, and tells what has changed, and when.

Arguments: HAProxy's socket, the service, and the servers. For each line of input a line of JSON: all samples that
differ from the one before, each ``{"at": seconds since the epoch, "requests": of these servers in all, "weight": theirs
in all, "tape": bytes of the service's tapes}``.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from sluice_bluegreen._errors import SluiceError
from sluice_bluegreen._haproxy import _stats
from sluice_bluegreen._haproxy._socket import RuntimeSocket
from sluice_bluegreen._paths import ServicePaths

EVERY = 0.01


def sample(paths: ServicePaths, sock: RuntimeSocket, servers: set[str]) -> dict[str, int]:
    stats = _stats.server_stats(sock, paths.service)
    states = _stats.server_states(sock, paths.service)
    tapes = paths.tapes.glob("*.jsonl") if paths.tapes.exists() else ()
    return {
        "requests": sum(stats[name].requests for name in servers),
        "weight": sum(states[name].weight for name in servers),
        "tape": sum(tape.stat().st_size for tape in tapes),
    }


def watch(found: list[dict[str, float]], paths: ServicePaths, sock: RuntimeSocket, servers: set[str]) -> None:
    last: dict[str, int] = {}
    while True:
        at = time.time()
        try:
            now = sample(paths, sock, servers)
        except SluiceError:
            now = last
        if now != last:
            last = now
            found.append({"at": at, **now})
        time.sleep(EVERY)


if __name__ == "__main__":
    samples: list[dict[str, float]] = []
    given = (samples, ServicePaths(sys.argv[2]), RuntimeSocket(sys.argv[1]), set(sys.argv[3:]))
    threading.Thread(target=watch, args=given, daemon=True).start()
    for _ in sys.stdin:
        print(json.dumps(samples), flush=True)
