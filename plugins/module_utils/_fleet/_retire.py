# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the color that lost its traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from .._errors import StateError
from .._state import State, candidate_color, other
from ._balancers import Fleet, Plan


def retire_plan(
    fleet: Fleet, servers: Mapping[str, Sequence[str]], *, keep_warm: float, keep: int, at_once: bool, moment: float
) -> Plan:
    """What becomes of the color that lost its traffic: ``{from, version, due, kept, noted, message}``.

    ``servers`` are the names of the servers by color, ``keep_warm`` seconds since the traffic left, ``moment`` the Unix
    time now. Without ``due`` nothing is to be done, and ``message`` says why; ``kept`` are the VMs that go on running,
    and ``noted`` says whether the journal knows so. StateError where a release is in progress, or where the color has
    traffic.
    """
    fleet.require_unlocked()
    fleet.require_one_story()
    state = fleet.state
    stable, release = state["stable"], state["release"]
    if release:
        raise StateError(
            f"service {fleet.service}: {fleet.the_release} is not over, and may need the color before it; go on with "
            "it or give it up (sluice.bluegreen.abort), then retire. Nothing was changed"
        )
    color = other(stable) if stable else candidate_color(state)
    fleet.require_idle(color)
    entry = state["colors"][color]
    plan: Plan = {
        "from": color,
        "stable": stable,
        "stable_version": fleet.version_on(stable),
        "version": entry["version"] if entry else None,
        "kept": list(servers[color][:keep]),
        "due": False,
        "noted": bool(entry) and entry.get("kept") == list(servers[color][:keep]),
    }
    if not entry:
        return {**plan, "message": f"{color} was never released to, so there is nothing to retire"}
    until = _lost_traffic(state) + keep_warm
    if not at_once and moment < until:
        when = datetime.fromtimestamp(until, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            **plan,
            "message": f"{color} keeps {entry['version']} warm until {when} (retire.keep_warm on the service's page); "
            "nothing was done. -e at_once=true does not wait for that",
        }
    kept = f", and goes on on {', '.join(plan['kept'])}" if plan["kept"] else ""
    return {**plan, "due": True, "message": f"{entry['version']} on {color} is stopped{kept}"}


def _lost_traffic(state: State) -> float:
    """When the color that is idle now lost its traffic, as Unix time; the latest that it can have been."""
    ended = [entry["ended"] for entry in state["history"] if entry["outcome"] in ("promoted", "reverted")]
    # Releases that came to nothing may have taken that entry's place.
    told = ended[-1] if ended else state["history"][0]["started"]
    return datetime.strptime(told, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()
