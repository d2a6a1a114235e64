# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads when asking how a service stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ._fleet._balancers import Fleet
from ._fleet._rollback import ways_back
from ._state import COLORS, other

HISTORY_LINES = 5
_SINCE = {"shift": "since the last shift", "start": "since HAProxy started", "look": "between two looks"}


def report(service: str, journals: Mapping[str, Any], splits: Mapping[str, Any]) -> list[str]:
    """The lines of ``status`` for one service, most important first; StateError without any observation.

    ``journals`` and ``splits`` are the results of ``journal_info`` and ``haproxy_split_info`` by balancer. A balancer
    that gave one of them not, or failed (``{"msg": ...}``), is told as such, and the others are told all the same.
    """
    lost = {
        host: (journals.get(host) or {}).get("msg") or (splits.get(host) or {}).get("msg") or "it gave no answer"
        for host in {**journals, **splits}
        if "state" not in (journals.get(host) or {}) or "disk" not in (splits.get(host) or {})
    }
    journals = {host: journal for host, journal in journals.items() if host not in lost}
    splits = {host: split for host, split in splits.items() if host not in lost}
    if lost and not journals:
        return [f"{service}: no balancer could be observed", *_lost(lost)]
    fleet = Fleet(service, journals, splits)
    state = fleet.state
    lines = [f"{service}: {_headline(state)}"]
    lines += [f"  release {_release(state['release'])}"] if state["release"] else []
    lines += [f"  can go back to {_way(way)}" for way in ways_back(state)]
    lines += [
        f"  lock on {host}: {_lock(journals[host]['lock'])}" for host in sorted(journals) if journals[host]["lock"]
    ]
    for host in sorted(splits):
        lines += _balancer(host, journals[host], splits[host])
    lines += _lost(lost)
    if fleet.forgotten:
        lines.append(
            f"  no journal knows of any release, so they were lost: put /var/lib/sluice/{service} back, if there is a "
            "copy; else the next operation takes what serves everywhere for stable"
        )
    else:
        lines += [f"  {host} missed events and says something else than {fleet.newest}" for host in fleet.behind]
    lines += [
        f"  {host} tells another story: {fleet.newest} has never heard of {', '.join(releases)}"
        for host, releases in fleet.forked.items()
    ]
    lines += [f"  {sentence}" for sentence in _between(splits)]
    if state["history"]:
        lines.append("  last releases:")
        lines += [f"    {_ended(entry)}" for entry in reversed(state["history"][-HISTORY_LINES:])]
    return lines


def _lost(lost: Mapping[str, str]) -> list[str]:
    return [f"  {host}: could not be observed: {lost[host]}" for host in sorted(lost)]


def _way(way: Mapping[str, Any]) -> str:
    why = f", with -e force=true only: {way['force']}" if way["force"] else ""
    return f"{way['version']} on {way['color']}{why}"


def _headline(state: Mapping[str, Any]) -> str:
    stable: Optional[str] = state["stable"]
    if not stable:
        return "never released"
    held = state["colors"][stable]
    back = state["colors"][other(stable)]
    headline = f"{stable} serves {held['version'] if held else 'an unknown version'}"
    if back and back["rolled_back"]:
        return f"{headline}; {other(stable)} holds {back['version']}, which was rolled back"
    if back and back["warm"] and "kept" in back:
        runs = f"runs on {', '.join(back['kept'])} only" if back["kept"] else "is stopped"
        return f"{headline}; {other(stable)} was retired: {back['version']} {runs}, and rollback starts it again"
    if back and back["warm"]:
        return f"{headline}; {other(stable)} keeps {back['version']} warm, rollback goes there"
    return f"{headline}; nothing warm to go back to on {other(stable)}"


def _release(release: Mapping[str, Any]) -> str:
    passed = f"{release['stage']} stage{'' if release['stage'] == 1 else 's'} passed"
    again = ", on its second look" if release.get("second_look") else ""
    marked = "" if release.get("reversible", True) else ", not reversible"
    marked += f", in hook {release['hook']}" if release.get("hook") else ""
    waits = f"; paused by {release.get('cause') or 'an unknown cause'}, go on with promote or back with rollback"
    return (
        f"{release['release_id']}: version {release['version']} on {release['color']}, {release['phase']}, "
        f"{passed}{again}{marked}, by {release['owner'] or 'unknown'} since {release['started']}"
        f"{waits if release['phase'] == 'paused' else ''}"
    )


def _lock(lock: Mapping[str, Any]) -> str:
    left = f"{lock['remaining']:.0f} s left" if lock["live"] else "ran out, its release is dead"
    return f"release {lock['release_id']} of {lock['owner'] or 'unknown'} since {lock['since']} ({left})"


def _balancer(host: str, journal: Mapping[str, Any], split: Mapping[str, Any]) -> list[str]:
    lease = f"lease ends in {journal['lease']['remaining']:.0f} s" if journal["lease"] else "no lease"
    observed = split["observed"]
    lines = [
        f"  {host}: committed {_shares(split['disk'])}; declared {_shares(journal['state'])}; works with "
        f"{_shares(split['runtime'])}; observed {_shares(observed)} of {observed['requests']} requests "
        f"{_SINCE[observed['since']]}; {lease}"
    ]
    for color in COLORS:
        servers = {name: server for name, server in split["servers"].items() if server["color"] == color}
        down = sorted(name for name, server in servers.items() if not server["up"])
        lines.append(
            f"    {color}: {len(servers) - len(down)} of {len(servers)} servers up"
            + (f", down: {', '.join(down)}" if down else "")
        )
    found = [*_drift(journal, split), *split["differences"], *journal["damage"]]
    found += [journal["no_lease"]] if journal.get("no_lease") else []
    return [*lines, *(f"    {sentence}" for sentence in found)]


def _drift(journal: Mapping[str, Any], split: Mapping[str, Any]) -> list[str]:
    """What the journal of a balancer says, and the balancer does not."""
    found = []
    declared, disk, runtime = (_shares(where) for where in (journal["state"], split["disk"], split["runtime"]))
    if journal["state"]["generation"] and declared != disk:
        found.append(
            f"The journal says that {declared} was committed, the disk has {disk}: somebody changed the file, or a "
            "commit was not recorded."
        )
    if disk != runtime and not journal["lease"]:
        found.append(
            "No lease will take HAProxy back to what is committed: a commit did not reach the disk, or somebody set "
            "weights by hand. A reload of HAProxy would bring back what is on the disk; see what the next command "
            "says, or bring it back with sluice.bluegreen.abort."
        )
    return found


def _between(splits: Mapping[str, Any]) -> list[str]:
    """Balancers that do not do the same."""
    found = []
    for where, what in (("disk", "have committed different splits"), ("runtime", "work with different splits")):
        of_split: dict[str, list[str]] = {}
        for host in sorted(splits):
            of_split.setdefault(_shares(splits[host][where]), []).append(host)
        if len(of_split) > 1:
            said = "; ".join(f"{shares} on {', '.join(hosts)}" for shares, hosts in of_split.items())
            found.append(f"the balancers {what}: {said}")
    return found


def _shares(where: Mapping[str, Any]) -> str:
    return ", ".join(f"{color} {round(where['shares'].get(color, 0), 2):g} %" for color in COLORS)


def _ended(entry: Mapping[str, Any]) -> str:
    cause = f" ({entry['cause']})" if entry["cause"] else ""
    return f"{entry['ended']}  {entry['version']} on {entry['color']}: {entry['outcome']}{cause}"
