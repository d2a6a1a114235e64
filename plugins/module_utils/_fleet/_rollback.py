# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where traffic goes back to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._errors import StateError
from .._state import State, candidate_color, other
from ._balancers import Fleet, Plan


def rollback_plan(
    fleet: Fleet,
    servers: Mapping[str, Sequence[str]],
    takeover: bool,
    force: bool,
    max_load: Optional[float] = None,
    abort: bool = False,
    only: Optional[str] = None,
    version: Optional[str] = None,
) -> Plan:
    """As :func:`_plan`; StateError where ``version`` was named, and it is neither gone back to nor given up."""
    plan = _plan(fleet, servers, takeover, force, max_load, abort, only)
    meant = [plan["to_version"], *([plan["from_version"]] if plan["kind"] == "release" else [])]
    if version and plan["kind"] != "unsettled" and version not in meant:
        raise StateError(
            f"service {fleet.service}: version {version} was named, and this goes back from {plan['from_version']} on "
            f"{plan['from']} to {plan['to_version'] or 'nothing'}. Leave the version out for that; another one is "
            "released with sluice.bluegreen.release. Nothing was changed"
        )
    return plan


def _plan(
    fleet: Fleet,
    servers: Mapping[str, Sequence[str]],
    takeover: bool,
    force: bool,
    max_load: Optional[float],
    abort: bool,
    only: Optional[str],
) -> Plan:
    """Where traffic goes back to: ``{to, from, to_version, from_version, kind, gives_up, previous}``.

    ``kind`` is ``release`` (the release in progress, ``gives_up``, is given up), ``promoted`` (back to the color
    before; never with ``abort``) or ``unsettled`` (the traffic belongs where the journal says: with ``abort`` where
    balancers do not do that, else after an operation that was cut off without a promotion, or where a balancer missed
    that a release was given up). A dead release is taken over without asking. ``servers`` are the names of the servers
    by color. ``max_load`` is as for :func:`deploy_plan`, where a promotion is taken back; a release is given up
    whatever is up. ``only`` is the id of the release that may be given up: StateError where another one is in progress.
    """
    if not takeover:
        fleet.require_unlocked()
    if not force:
        fleet.require_one_story()
    state = fleet.state
    release = state["release"]
    stable = state["stable"]
    if release:
        if only and release["release_id"] != only:
            raise StateError(
                f"service {fleet.service}: release {only}, which was to be given up, is not in progress any more; what "
                f"is, is release {release['release_id']} (version {release['version']} on {release['color']}). To give "
                "that one up, run sluice.bluegreen.abort by itself. Nothing was changed"
            )
        fleet.require_reversible("go on with it (sluice.bluegreen.promote, or release -e resume=true)", force)
        return {
            "kind": "release",
            "gives_up": release["release_id"],
            "to": stable,
            "to_version": fleet.version_on(stable),
            "from": release["color"],
            "from_version": release["version"],
            "previous": fleet.version_on(release["color"]),
        }
    # What was cut off is taken back, and nothing before it: the traffic may be there already, on some or on all.
    in_vain = fleet.cut_off_in_vain or fleet.given_up_in_part
    if not stable and not fleet.unsettled:
        raise StateError(f"service {fleet.service} was never released, so there is nothing to go back to")
    if (abort and fleet.unsettled) or (not abort and (fleet.forked or (in_vain and not force))):
        left = other(stable) if stable else candidate_color(state)
        if stable and not force:
            fleet.require_somebody(stable, "go there with -e force=true")
        return {
            "kind": "unsettled",
            "gives_up": None,
            "to": stable,
            "to_version": fleet.version_on(stable),
            "from": left,
            "from_version": fleet.version_on(left),
            "previous": None,
        }
    if not stable:
        raise StateError(
            f"service {fleet.service}: no release was ever promoted, so there is nothing to go back to; give up what "
            "there is with sluice.bluegreen.abort. Nothing was changed"
        )
    if abort:
        raise StateError(
            f"service {fleet.service}: no release is in progress, {stable} serves {fleet.version_on(stable)}; to go "
            "back to the version before it, use sluice.bluegreen.rollback. Nothing was changed"
        )
    back = other(stable)
    entry = state["colors"][back]
    if not entry or not entry["warm"]:
        why = (
            f"{back} ran {entry['version']} before, but its containers were replaced since"
            if entry
            else f"{back} is empty"
        )
        raise StateError(
            f"service {fleet.service}: nothing warm to go back to from {stable}: {why}; release the version that you "
            "want with sluice.bluegreen.release"
        )
    if entry["rolled_back"] and not force:
        raise StateError(
            f"service {fleet.service}: {back} holds {entry['version']}, which was itself rolled back; "
            "go there all the same with -e force=true, or release the version that you want"
        )
    if not (state["colors"][stable] or {}).get("reversible", True) and not force:
        raise StateError(
            f"service {fleet.service}: {stable} serves {state['colors'][stable]['version']}, which was released with "
            f"reversible: false, so {entry['version']} may not be able to serve after it; go back all the same with "
            "-e force=true. Nothing was changed",
            irreversible=True,
        )
    down = [host for host in sorted(fleet.splits) if not _servers_up(fleet.splits[host], servers[back])]
    retired = "kept" in entry
    # Whoever holds or held the lock may be stopping what still runs.
    start = retired and bool(down or fleet.locked or fleet.capacity_problem(back, max_load))
    for host in down if not start else []:
        if not force:
            raise StateError(
                f"service {fleet.service}: {host} calls no server of {back} up ({', '.join(servers[back])}), so going "
                f"back to {entry['version']} would answer nobody; see to its containers, or go there with -e force=true"
            )
    if not force and not start:
        way = "see to its containers, or go there all the same with -e force=true"
        fleet.require_capacity(back, max_load, way=way)
    return {
        "kind": "promoted",
        "gives_up": None,
        "to": back,
        "to_version": entry["version"],
        "from": stable,
        "from_version": fleet.version_on(stable),
        "previous": None,
        "retired": retired,
        "start": start,
    }


def _servers_up(split: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The servers among ``names`` that a balancer calls up."""
    return [name for name in names if split["servers"].get(name, {}).get("up")]


def ways_back(state: State) -> list[dict[str, Any]]:
    """The rollback window: ``[{color, version, force}]``; ``force`` says why ``-e force=true`` is needed, or None."""
    release, stable = state["release"], state["stable"]
    if not stable:
        return []
    if release:
        marked = not release["reversible"] and release["phase"] in ("rolling", "paused")
        left, color = release["version"], stable
    else:
        marked = not (state["colors"][stable] or {}).get("reversible", True)
        left, color = (state["colors"][stable] or {}).get("version"), other(stable)
    entry = state["colors"][color]
    if not entry or not entry["warm"]:
        return []
    force = f"{left} is marked reversible: false" if marked else None
    if entry["rolled_back"] and not release:
        force = f"{entry['version']} was itself rolled back"
    return [{"color": color, "version": entry["version"], "force": force}]
