# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests lost while the split is shifted and committed and HAProxy is reloaded, at a steady rate."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from multiprocessing.synchronize import Event
from pathlib import Path

from .fleet import COLORS, STABLE, HAProxy, answering, haproxy, names, split_weights, until

# isort: split
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift

RATE = 500
CLIENTS = 25
SHIFTS, COMMITS, RELOADS = 100, 20, 20
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
ANSWER = 10.0


def lost(folder: Path) -> dict[str, float]:
    """Requests that got another answer than 200, or none."""
    of_color = names(2)
    with answering(folder / "servers") as port, haproxy(folder / "balancer") as balancer:
        ports = {color: dict.fromkeys(of_color[color], port) for color in COLORS}
        balancer.service(ports, split_weights(of_color, STABLE), STABLE, check="check inter 1s")
        balancer.start()
        stop, counts = multiprocessing.Event(), multiprocessing.Queue()
        load = multiprocessing.Process(target=_load, args=(balancer.listen, stop, counts), daemon=True)
        load.start()
        began = time.monotonic()
        _disturb(balancer, of_color)
        stop.set()
        answers: Counter[str] = counts.get(timeout=60)
        took = time.monotonic() - began
        load.join()
    wrong = {answer: count for answer, count in answers.items() if answer != "200"}
    if wrong:
        print(f"lost: {wrong}")
    return {
        "requests_sent": float(sum(answers.values())),
        "requests_per_s": sum(answers.values()) / took,
        "requests_lost": float(sum(wrong.values())),
    }


def _disturb(balancer: HAProxy, of_color: dict[str, list[str]]) -> None:
    """A commit and a reload after every fifth shift; the pause lets requests come between."""
    for number in range(SHIFTS):
        share = float(number % 99 + 1)
        shares = {"blue": 100 - share, "green": share}
        weights = split_weights(of_color, shares)
        shift(balancer.runtime, "shop", weights)
        time.sleep(0.05)
        if number % (SHIFTS // COMMITS) == 0:
            path = str(balancer.conf_dir / "shop.cfg")
            _config.commit(path, "shop", weights, shares, balancer.program, str(balancer.main))
        if number % (SHIFTS // RELOADS) == 2:
            old = balancer.processes[-1]
            balancer.reload()
            until("the old process has ended", lambda old=old: old.poll() is not None)


def _load(port: int, stop: Event, counts: multiprocessing.Queue[Counter[str]]) -> None:
    counts.put(asyncio.run(_clients(port, stop)))


async def _clients(port: int, stop: Event) -> Counter[str]:
    answers: Counter[str] = Counter()
    await asyncio.gather(*(_client(port, stop, answers, number) for number in range(CLIENTS)))
    return answers


async def _client(port: int, stop: Event, answers: Counter[str], number: int) -> None:
    """One connection that is kept, at its part of the rate; a new one where HAProxy closed it between two requests."""
    due = time.monotonic() + number / RATE
    peer: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while not stop.is_set():
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += CLIENTS / RATE
        try:
            if peer is None or peer[0].at_eof():
                peer = await asyncio.open_connection("127.0.0.1", port)
            answer, keep = await asyncio.wait_for(_request(*peer), ANSWER)
            answers[answer] += 1
            if not keep:
                peer[1].close()
                peer = None
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            answers[type(error).__name__] += 1
            peer = None


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, bool]:
    writer.write(REQUEST)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:")), 0)
    await reader.readexactly(length)
    return head.split(" ")[1], "connection: close" not in head
