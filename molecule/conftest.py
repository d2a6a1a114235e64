# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of all scenarios look through. `host` comes from testinfra: each host of `testinfra_hosts` in turn."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

JOURNAL = "/var/lib/sluice/shop/journal.jsonl"
CONFIG = "/etc/haproxy/conf.d/shop.cfg"
LISTENERS = {
    "lb1": "http://127.0.0.1:28081/",
    "lb2": "http://127.0.0.1:28082/",
    "edge1": "http://198.18.66.11/",
    "edge2": "http://198.18.66.12/",
}
STATISTICS = {
    "lb1": "http://127.0.0.1:28404/stats",
    "lb2": "http://127.0.0.1:28405/stats",
    "edge1": "http://198.18.66.11:8404/stats",
    "edge2": "http://198.18.66.12:8404/stats",
}


@dataclass(frozen=True)
class Answer:
    """What a client got: status, headers by lower-case name, text."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def version(self) -> str:
        return self.headers.get("x-app-version", "")


@dataclass(frozen=True)
class Request:
    """One request of the load; ``status`` 0 is one that was not answered."""

    at: float
    balancer: str
    status: int
    version: str
    error: str


class Journal:
    """The journal of a balancer, as it is on its disk."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.events: list[dict[str, Any]] = [json.loads(line) for line in self.lines]

    @property
    def broken_links(self) -> list[int]:
        """Numbers of the lines that do not carry the SHA-256 of the line before, 64 zeros in the first."""
        assert self.lines, "the journal is empty"
        hashes = ["0" * 64, *(hashlib.sha256(line.encode()).hexdigest() for line in self.lines)]
        return [number for number, event in enumerate(self.events, 1) if event["prev"] != hashes[number - 1]]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.events if entry["event"] == event]

    def names(self, release_id: str) -> list[str]:
        return [entry["event"] for entry in self.events if entry["release_id"] == release_id]


def moment(event: dict[str, Any]) -> float:
    """When an event was written, in seconds since the epoch."""
    return datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()


def get(url: str) -> Answer:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read().decode())


@pytest.fixture
def name(host: Host) -> str:
    """The inventory name of the host."""
    return str(host.backend.get_hostname())


@pytest.fixture
def ask(name: str) -> Callable[[], Answer]:
    """Sends a request to the service through this balancer."""
    return lambda: get(LISTENERS[name])


@pytest.fixture
def statistics(name: str) -> Answer:
    """The statistics page of this balancer."""
    return get(STATISTICS[name])


@pytest.fixture
def servers(name: str) -> dict[str, dict[str, str]]:
    """By server what HAProxy itself reports of backend ``shop`` now, by the columns of its statistics.

    Without what stands in for the stable color, which is none of the service's servers.
    """
    rows = csv.DictReader(get(f"{STATISTICS[name]};csv").text.removeprefix("# ").splitlines())
    of_shop = {row["svname"]: row for row in rows if row["pxname"] == "shop"}
    return {name: row for name, row in of_shop.items() if name not in ("BACKEND", "sluice_spare")}


@pytest.fixture
def runtime_weights(servers: dict[str, dict[str, str]]) -> dict[str, int]:
    return {name: int(row["weight"]) for name, row in servers.items()}


@pytest.fixture
def disk_weights(host: Host) -> dict[str, int]:
    """By server the weight in the configuration file, which a restart would begin with."""
    words = [line.split() for line in host.file(CONFIG).content_string.splitlines()]
    return {
        line[1]: int(line[line.index("weight") + 1]) for line in words if line[:1] == ["server"] and "weight" in line
    }


@pytest.fixture
def journal(host: Host) -> Journal:
    return Journal(host.file(JOURNAL).content_string)


@pytest.fixture
def left_behind(host: Host) -> list[str]:
    """Lock, lease and its timers, none of which outlasts a release that is over."""
    files = [name for name in ("lock.json", "lease.json") if host.file(f"/run/sluice/shop/{name}").exists]
    timers = host.check_output("systemctl list-timers --all --no-legend").splitlines()
    return files + [timer for timer in timers if "sluice-lease" in timer]


@pytest.fixture
def ledger(host: Host) -> Callable[[str], str]:
    """Asks the database of the ledger."""
    psql = "psql --no-psqlrc --quiet --tuples-only --no-align --field-separator=' ' ledger --command %s"
    return lambda query: str(host.check_output(f"runuser -u postgres -- {psql}", query))


@pytest.fixture
def output() -> Path:
    """Where the playbooks of this scenario wrote down what they saw."""
    return Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "build", "molecule", os.environ["MOLECULE_SCENARIO_NAME"])


@pytest.fixture
def fleet(output: Path) -> dict[str, Any]:
    """The definition of the fleet that the scenario provisions."""
    found: dict[str, Any] = json.loads((output / "fleet.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def load(output: Path) -> list[Request]:
    """Every request that the load sent."""
    with (output / "load.csv").open(encoding="utf-8", newline="") as file:
        return [
            Request(float(row["time"]), row["balancer"], int(row["status"]), row["version"], row["error"])
            for row in csv.DictReader(file)
        ]
