# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write to the ledger through the balancers until told to stop, and note what was promised.

``writer.py FIRST OUTPUT URL...``: ids begin at FIRST. OUTPUT gets a line ``<id> <cents>`` for every write that was
answered with 200, in order, and a line ``! <id> <cents> <problem>`` for every other one.
"""

from __future__ import annotations

import http.client
import signal
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

WRITERS, PER_SECOND, LIMIT = 6, 10, 420
stopped = threading.Event()


def write(connection: http.client.HTTPConnection, number: int, cents: int) -> str:
    """Write an entry and read it again; the problem, or an empty text."""
    try:
        for method, body in (("PUT", str(cents)), ("GET", None)):
            connection.request(method, f"/entries/{number}", body)
            response = connection.getresponse()
            answer = response.read().decode()
            if response.status != 200 or f'"cents":{cents}' not in answer.replace(" ", ""):
                return f"{method} {response.status} {answer.strip()[:200]}"
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return f"{type(error).__name__} {error}"
    return ""


def run(first: int, which: int, url: str, note: list[str]) -> None:
    """One writer, with ids of its own: every third write changes its entry before the last."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    mine: list[int] = []
    count = 0
    while not stopped.wait(1 / PER_SECOND):
        number = mine[-2] if count % 3 == 2 else first + WRITERS * len(mine) + which
        cents = 100 * number + count % 100
        problem = write(connection, number, cents)
        note.append(f"! {number} {cents} {problem}" if problem else f"{number} {cents}")
        if count % 3 != 2:
            mine.append(number)
        count += 1


def main() -> None:
    first, output, urls = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    signal.signal(signal.SIGTERM, lambda *_signal: stopped.set())
    notes: list[list[str]] = [[] for _ in range(WRITERS)]
    threads = [
        threading.Thread(target=run, args=(first, which, urls[which % len(urls)], notes[which]))
        for which in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + LIMIT
    while not stopped.wait(0.5) and time.monotonic() < until:
        pass
    stopped.set()
    for thread in threads:
        thread.join()
    Path(output).write_text("".join(f"{line}\n" for note in notes for line in note), encoding="utf-8")
    print(f"{sum(map(len, notes))} writes")


if __name__ == "__main__":
    main()
