# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the table: one for each kind of fault, the worst of its runs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaos.judge import Run, broken_promises, lost, seconds_to_safe
from chaos.points import ALL
from demo.traffic import Request

HEAD = ("fault", "runs", "kept", "worst requests lost", "worst time to safe, s")


def rows(runs: Sequence[Run], requests: Sequence[Request], lease: float) -> list[dict[str, Any]]:
    """By fault, in the order of ``points.ALL``.

    ``{"fault": str, "runs": int, "promises_kept": int, "worst_requests_lost": int, "worst_seconds_to_safe": float or
    None, "broken": [{"run": str, "problems": [str]}]}``; None: some run was never seen safe. ``promises_kept`` counts
    the runs that kept all.
    """
    grouped = [(fault.row, [run for run in runs if run.case.fault == fault]) for fault in ALL]
    return [_row(fault, found, requests, lease) for fault, found in grouped if found]


def _row(fault: str, runs: Sequence[Run], requests: Sequence[Request], lease: float) -> dict[str, Any]:
    broken = [(run.case.title, broken_promises(run, lease, requests)) for run in runs]
    times = [seconds_to_safe(run) for run in runs]
    known = [seconds for seconds in times if seconds is not None]
    return {
        "fault": fault,
        "runs": len(runs),
        "promises_kept": sum(not problems for _, problems in broken),
        "worst_requests_lost": max(len(lost(run, requests)) for run in runs),
        "worst_seconds_to_safe": round(max(known), 1) if len(known) == len(times) else None,
        "broken": [{"run": title, "problems": problems} for title, problems in broken if problems],
    }


def cells(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The same rows for people, below a head."""
    body = []
    for row in found:
        kept = "all" if row["promises_kept"] == row["runs"] else f"{row['promises_kept']} of {row['runs']}"
        seconds = row["worst_seconds_to_safe"]
        body.append(
            [
                row["fault"],
                str(row["runs"]),
                kept,
                str(row["worst_requests_lost"]),
                "never" if seconds is None else f"{seconds:.1f}",
            ]
        )
    return [list(HEAD), *body]
