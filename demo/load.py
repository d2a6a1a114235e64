# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady load through every balancer, of which each single request is written down.

One row of CSV a request, as it ends: ``time`` (when it was sent, seconds since the epoch), ``balancer`` (the base URL),
``status`` (0: no answer), ``version`` (the header ``X-App-Version``, empty without one), ``error`` (why there is no
answer), ``ms`` (time to the end of the answer), ``new`` (1 when it opened a connection of its own). Nothing is ever
sent twice. The load stops at SIGTERM, SIGINT or after ``--seconds``, once what is on its way has been answered.
"""

from __future__ import annotations

import locust  # first: it makes the standard library's sockets cooperative

import argparse  # isort: skip
import collections
import csv
import http.client
import itertools
import select
import signal
import time
import urllib.parse
from pathlib import Path
from typing import IO

import gevent
import gevent.event
from locust.env import Environment

RATE_OF_A_VISITOR = 2.0
NEW_CONNECTION_EVERY = 5
TIMEOUT = 10.0


class Record:
    """Every request, as a row of the file and in the totals."""

    FIELDS = ("time", "balancer", "status", "version", "error", "ms", "new")

    def __init__(self, file: IO[str]) -> None:
        self.rows = csv.writer(file, lineterminator="\n")
        self.rows.writerow(self.FIELDS)
        self.answers: collections.Counter[tuple[str, int, str]] = collections.Counter()
        self.first = self.last = 0.0

    def add(self, sent: float, balancer: str, status: int, version: str, error: str, ms: float, new: bool) -> None:
        """Write one request down; the meaning of each field is on the module's page."""
        self.rows.writerow((f"{sent:.4f}", balancer, status, version, error, f"{ms:.2f}", int(new)))
        self.answers[balancer, status, error or version] += 1
        self.first = min(self.first or sent, sent)
        self.last = max(self.last, sent)

    def totals(self) -> str:
        """How many requests had which answer, a line each."""
        count = sum(self.answers.values())
        seconds = self.last - self.first
        lines = [f"{count} requests in {seconds:.1f} s ({count / max(seconds, 0.1):.1f} a second)"]
        for (balancer, status, what), number in sorted(self.answers.items()):
            lines.append(f"  {balancer}  {status or 'no answer'}  {what or '-'}  {number}")
        return "\n".join(lines)


class Visitor(locust.User):
    """Somebody who asks one balancer at fixed moments, whether or not the last answer was quick."""

    abstract = True
    interval: float
    urls: itertools.cycle[str]
    starts: itertools.cycle[float]
    record: Record

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.url = next(self.urls)
        target = urllib.parse.urlsplit(self.url)
        self.address = target.netloc
        self.path = target.path or "/"
        self.kept = self.connection()
        self.asked = 0
        self.due = next(self.starts)

    def on_start(self) -> None:
        """Wait for this visitor's turn, so that the requests of all are spread evenly."""
        gevent.sleep(max(0.0, self.due - time.monotonic()))

    def wait_time(self) -> float:
        """Seconds until the next request is due; a late one is made up for, so that the rate holds."""
        self.due += self.interval
        return max(0.0, self.due - time.monotonic())

    @locust.task
    def visit(self) -> None:
        """Ask once, and write down what came of it."""
        self.asked += 1
        new = self.asked % NEW_CONNECTION_EVERY == 0
        connection = self.connection() if new else self.live()
        sent, start = time.time(), time.perf_counter()
        status, version, error = 0, "", ""
        try:
            connection.request("GET", self.path, headers={"Connection": "close"} if new else {})
            answer = connection.getresponse()
            answer.read()
            status, version = answer.status, answer.headers.get("X-App-Version", "")
        except (OSError, http.client.HTTPException) as reason:
            error = f"{type(reason).__name__}: {reason}"
            connection.close()
        self.record.add(sent, self.url, status, version, error, (time.perf_counter() - start) * 1000, new)

    def connection(self) -> http.client.HTTPConnection:
        """Give a connection, which opens when it is first used. It never sends a request again by itself."""
        return http.client.HTTPConnection(self.address, timeout=TIMEOUT)

    def live(self) -> http.client.HTTPConnection:
        """Give the kept connection, to be opened again where the balancer has closed it since the last answer."""
        if self.kept.sock is not None and select.select([self.kept.sock], [], [], 0)[0]:
            self.kept.close()
        return self.kept


def run(urls: list[str], rate: float, seconds: float | None, record: Record) -> None:
    """Send ``rate`` requests a second, spread over the base URLs, until told to stop."""
    number = max(len(urls), round(rate / RATE_OF_A_VISITOR))

    class Everybody(Visitor):
        interval = number / rate

    Everybody.record = record
    Everybody.urls = itertools.cycle(urls)
    begin = time.monotonic() + 0.5
    Everybody.starts = itertools.cycle([begin + visitor / rate for visitor in range(number)])

    stop = gevent.event.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(signum, stop.set)
    runner = Environment(user_classes=[Everybody], stop_timeout=TIMEOUT + 1).create_local_runner()
    runner.start(number, spawn_rate=number)
    stop.wait(seconds)
    runner.quit()


def main() -> None:
    """Read the arguments, run, print the totals."""
    parser = argparse.ArgumentParser(description="A steady load through every balancer, each request written down.")
    parser.add_argument("urls", nargs="+", metavar="URL", help="base URL of a balancer's listener")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second in all (200)")
    parser.add_argument("--seconds", type=float, help="stop after so long; without it, at SIGTERM or SIGINT")
    parser.add_argument("--output", type=Path, default=Path("load.csv"), help="the file of all requests (load.csv)")
    arguments = parser.parse_args()
    with arguments.output.open("w", buffering=1, encoding="utf-8", newline="") as file:
        record = Record(file)
        run(arguments.urls, arguments.rate, arguments.seconds, record)
    print(record.totals(), flush=True)


if __name__ == "__main__":
    main()
