# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to change the split of a service with many servers."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from . import ssh
from .fleet import HAProxy, answering, big_service, haproxy

# isort: split
from ansible_collections.sluice.bluegreen.plugins.modules import haproxy_split

REPEATS = 3
LOOPED = 100
SHARES = (5, 25, 50, 75)
GROWTH = (10, 100, 1000, 5000)


def _params(balancer: HAProxy, count: int, port: int) -> dict[str, Any]:
    # What a lease needs is systemd, which is not everywhere; a step back to safety goes on without one.
    return {**big_service(balancer, count, port), "journal": "best_effort", "lease": 30}


def _module_seconds(params: dict[str, Any], repeats: int) -> float:
    """Median time of the module's own work; every server gets another weight each time."""
    whole = {
        "commit": False,
        "config": "",
        "haproxy": "",
        "stage": None,
        "reason": "",
        "events": [],
        "max_load": None,
        **params,
        "servers": [{"capacity": 1.0, **server} for server in params["servers"]],
    }
    times = []
    for number in range(repeats):
        share = 30.0 + number
        began = time.perf_counter()
        result = haproxy_split.run(
            {**whole, "shares": {"blue": 100 - share, "green": share}}, False, lambda _text: None
        )
        times.append(time.perf_counter() - began)
        assert result["changed"]
    return statistics.median(times)


def growth(folder: Path) -> dict[str, float]:
    """The module's own time by the number of servers a color."""
    found = {}
    for count in GROWTH:
        with answering(folder / f"servers{count}") as port, haproxy(folder / f"growth{count}") as balancer:
            repeats = 1 if count == GROWTH[-1] else REPEATS
            found[f"shift_{2 * count}_module_s"] = _module_seconds(_params(balancer, count, port), repeats)
    return found


def over_ssh(folder: Path) -> dict[str, float]:
    """A whole task for 1000 + 1000 servers, against a loop over 100 of them, both over SSH."""
    with (
        answering(folder / "servers") as port,
        haproxy(folder / "shift") as balancer,
        ssh.host(folder / "ssh") as variables,
    ):
        params = _params(balancer, 1000, port)
        names = [server["name"] for server in params["servers"][:LOOPED]]
        # In turns, so that a machine that slows down does not speak for one side.
        tasks = [
            task
            for number, share in enumerate(SHARES)
            for task in (
                {
                    "name": "one task",
                    "sluice.bluegreen.haproxy_split": {
                        **{key: value for key, value in params.items() if key != "servers"},
                        "servers": "{{ servers }}",
                        "shares": {"blue": 100 - share, "green": share},
                    },
                },
                {
                    "name": "loop",
                    "community.general.haproxy": {
                        "state": "enabled",
                        "backend": "shop",
                        "host": "{{ item }}",
                        "weight": "77",
                        "socket": balancer.socket,
                    },
                    "loop": names[number :: len(SHARES)],
                },
            )
        ]
        warm = [{"name": name, "ansible.builtin.ping": {}} for name in ("warm", "bare", "bare", "bare")]
        variables = {**variables, "servers": params["servers"]}
        took = ssh.seconds(folder / "tasks", variables, [*warm, *tasks])
    task = statistics.median(took["one task"])
    by_loop = sum(took["loop"]) / LOOPED
    return {
        "ssh_ping_task_s": statistics.median(took["bare"]),
        "shift_2000_task_s": task,
        "loop_server_s": by_loop,
        "loop_2000_scaled_s": 2000 * by_loop,
        "shift_2000_ratio": 2000 * by_loop / task,
    }
