# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases that are tried, what is done to the lab in each, and what its gate has to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

ERRORS: dict[str, Any] = {"max_ratio": 1.5, "margin": "1.5pp", "warmup": "5s"}
PROMETHEUS = "http://127.0.0.1:19090"
# The lab's Prometheus looks every 5 s, and calls a VM `instance`.
COUNTED: dict[str, Any] = {
    **ERRORS,
    "source": "prometheus",
    "url": PROMETHEUS,
    "requests": 'sum by (color, instance) (http_requests_total{path="/"})',
    "bad": 'sum by (color, instance) (http_requests_total{path="/", status=~"5.."})',
    "server_label": "instance",
}
TIMED: dict[str, Any] = {
    "source": "prometheus",
    "url": PROMETHEUS,
    "buckets": 'sum by (color, instance, le) (http_request_duration_seconds_bucket{path="/"})',
    "server_label": "instance",
}
LIMIT: dict[str, Any] = {
    "name": "99 % of the requests within half a second",
    "url": PROMETHEUS,
    "query": 'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{path="/"}[30s])))',
    "max": 0.5,
}
CANARY = (5, 25, 50, 100)


@dataclass(frozen=True)
class Act:
    """Something that is done to the lab once a stage has lasted ``seconds``, by the lines that its gate prints.

    ``what`` is a method of :class:`gates.lab.Lab`; ``whom`` are VMs: ``candidate``, ``all``, ``one`` of the candidate.
    """

    stage: int
    seconds: float
    what: str
    whom: str = ""


@dataclass(frozen=True)
class Case:
    """One release; ``name`` is also that of its tape, the one of stage ``stage``."""

    name: str
    title: str
    outcome: str
    cause: str
    version: str = ""
    """Empty: the good one of v1 and v2 that does not serve."""
    gates: Optional[Mapping[str, Any]] = None
    stages: Sequence[int] = CANARY
    dwell: int = 6
    timeout: int = 180
    acts: Sequence[Act] = ()
    ill: bool = False
    """Whether one machine of the candidate fails from before the first stage on."""
    load: bool = True
    within: Optional[float] = None
    """Seconds from the shift to the verdict, at most."""
    stage: int = 1
    """The stage in which there is the verdict; those before it are passed."""
    names_ill: bool = False
    says: str = ""
    """A pattern that the reason has to match."""
    both_fail: bool = False
    """Whether errors of both colors have to be on the tape, or nothing was tried."""


CASES = (
    Case(
        "good_quick_5_per_cent",
        "a good version, judged on errors and latency",
        "promoted",
        "passed",
        gates={"errors": ERRORS, "latency": {}},
    ),
    Case(
        "bad_5_per_cent_of_v3",
        "v3, which fails 5 % of its requests",
        "rolled_back",
        "errors",
        version="v3",
        gates={"errors": ERRORS},
        within=60,
    ),
    Case(
        "bad_v5_3_times_as_slow",
        "v5, which takes 3 times as long",
        "rolled_back",
        "latency",
        version="v5",
        gates={"errors": ERRORS, "latency": {}},
        within=60,
    ),
    Case(
        "unclear_one_machine",
        "a good version on one bad machine of two",
        "paused",
        "one_host",
        gates={"errors": ERRORS},
        stages=(50, 100),
        timeout=45,
        ill=True,
        names_ill=True,
    ),
    Case(
        "good_incident_on_both",
        "a good version, and an incident on both colors",
        "promoted",
        "passed",
        gates={"errors": ERRORS, "latency": {}},
        stages=(50, 100),
        dwell=30,
        acts=(Act(1, 6, "fail_third", "all"), Act(1, 18, "fail_none", "all")),
        both_fail=True,
    ),
    Case(
        "unclear_prometheus_stopped",
        "a good version, judged by Prometheus, which stops",
        "paused",
        "source_down",
        gates={"errors": COUNTED, "latency": TIMED, "thresholds": [LIMIT]},
        stages=(25, 50, 100),
        timeout=90,
        acts=(Act(2, 0, "prometheus_stop"),),
        stage=2,
        says="no verdict without its source",
    ),
    Case(
        "bad_candidate_killed",
        "a good version whose containers are killed",
        "rolled_back",
        "candidate_down",
        gates={"errors": ERRORS},
        stages=(25, 100),
        dwell=60,
        acts=(Act(1, 9, "container_kill", "candidate"),),
        within=60,
    ),
    Case(
        "unclear_no_load",
        "a good version that nobody asks",
        "paused",
        "too_few_requests",
        gates={"errors": ERRORS},
        stages=(50, 100),
        timeout=30,
        load=False,
        says=r"had none in this stage, about [1-9]\d* more are needed",
    ),
)
