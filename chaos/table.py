# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the table: one for each kind of fault, the worst of its runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from chaos.kept import Result
from chaos.points import ALL, Case

HEAD = ("fault", "cases", "runs", "kept", "worst requests lost", "worst time to safe, s", "last run (UTC)", "outdated")


def rows(cases: Sequence[Case], results: Mapping[str, Result], collection: str) -> list[dict[str, Any]]:
    """By fault, in the order of ``points.ALL``, from the last result of each case.

    ``{"fault": str, "cases": int, "runs": int, "promises_kept": int, "worst_requests_lost": int,
    "worst_seconds_to_safe": float or None, "first_run": str or None, "last_run": str or None, "outdated": int,
    "broken": [{"run": str, "problems": [str]}]}``; None in ``worst_seconds_to_safe``: there was no run, or some run was
    never seen safe. ``promises_kept`` counts the runs that kept all, ``outdated`` those of another collection than
    ``collection``.
    """
    found = []
    for fault in ALL:
        titles = [case.title for case in cases if case.fault == fault]
        runs = [results[title] for title in titles if title in results]
        if titles:
            found.append({"fault": fault.row, "cases": len(titles), **_row(runs, collection)})
    return found


def _row(runs: Sequence[Result], collection: str) -> dict[str, Any]:
    known = [run.seconds_to_safe for run in runs if run.seconds_to_safe is not None]
    return {
        "runs": len(runs),
        "promises_kept": sum(not run.problems for run in runs),
        "worst_requests_lost": max((run.requests_lost for run in runs), default=0),
        "worst_seconds_to_safe": round(max(known), 1) if known and len(known) == len(runs) else None,
        "first_run": _moment(min(run.at for run in runs)) if runs else None,
        "last_run": _moment(max(run.at for run in runs)) if runs else None,
        "outdated": sum(run.collection != collection for run in runs),
        "broken": [{"run": run.title, "problems": list(run.problems)} for run in runs if run.problems],
    }


def cells(found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The same rows for people, below a head."""
    return [list(HEAD), *(_cells(row) for row in found)]


def _cells(row: Mapping[str, Any]) -> list[str]:
    told = [row["fault"], str(row["cases"]), str(row["runs"])]
    if not row["runs"]:
        return [*told, "-", "-", "-", "-", "-"]
    kept = "all" if row["promises_kept"] == row["runs"] else f"{row['promises_kept']} of {row['runs']}"
    seconds = row["worst_seconds_to_safe"]
    return [
        *told,
        kept,
        str(row["worst_requests_lost"]),
        "never" if seconds is None else f"{seconds:.1f}",
        row["last_run"],
        str(row["outdated"] or "-"),
    ]


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M")
