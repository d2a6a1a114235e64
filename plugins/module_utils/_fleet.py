# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do next, decided from what every balancer of a service says. Pure.

``journals`` and ``splits`` are the results of ``journal_info`` and ``haproxy_split_info`` by balancer. An operation
either gets a plan or a StateError that says who or what is in the way and which command leads out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ._capacity import overload
from ._errors import StateError
from ._state import COLORS, State, candidate_color, other

Plan = dict[str, Any]


class Fleet:
    """The balancers of one service, as just observed; at least one."""

    def __init__(
        self, service: str, journals: Mapping[str, Mapping[str, Any]], splits: Mapping[str, Mapping[str, Any]]
    ) -> None:
        if not journals or set(journals) != set(splits):
            missing = sorted(set(journals) ^ set(splits)) or ["all of them"]
            raise StateError(
                f"service {service}: no observation from balancer {', '.join(missing)}; nothing was changed"
            )
        self.service = service
        self.journals = journals
        self.splits = splits
        self.newest = max(sorted(journals), key=lambda host: _age(journals[host]["state"]))

    @property
    def state(self) -> State:
        """The state of the balancer that was told last; the others catch up with the next commit."""
        return dict(self.journals[self.newest]["state"])

    @property
    def behind(self) -> list[str]:
        """Balancers whose journal says something else than the newest."""
        keys = ("stable", "shares", "colors")
        newest = self.state
        return [
            host
            for host in sorted(self.journals)
            if any(self.journals[host]["state"][key] != newest[key] for key in keys)
            or (self.journals[host]["state"]["release"] or {}).get("release_id")
            != (newest["release"] or {}).get("release_id")
        ]

    def live_lock(self, *, but: Optional[str] = None) -> Optional[tuple[str, Mapping[str, Any]]]:
        """The balancer and lock of a release that is alive now, other than release ``but``."""
        for host in sorted(self.journals):
            lock = self.journals[host]["lock"]
            if lock and lock["live"] and lock["release_id"] != but:
                return host, lock
        return None

    def shares(self, where: str) -> dict[str, dict[str, float]]:
        """Per cent by balancer and color; ``where`` is ``disk`` or ``runtime``."""
        return {host: {c: float(self.splits[host][where]["shares"][c]) for c in COLORS} for host in sorted(self.splits)}

    def require_idle(self, color: str) -> None:
        """No balancer may send ``color`` anything, now or after a restart."""
        for where, what in (("runtime", "sends"), ("disk", "is committed to send")):
            for host, shares in self.shares(where).items():
                if shares[color] > 0:
                    raise StateError(
                        f"service {self.service}: {host} {what} {shares[color]:g} % of the traffic to {color}, which "
                        "should be idle; look with sluice.bluegreen.status, then bring all traffic to one color with "
                        "sluice.bluegreen.rollback"
                    )

    def require_servers(self, servers: Mapping[str, Sequence[str]]) -> None:
        """Every balancer's HAProxy has the servers of the inventory (names by color), and no other."""
        known = {name for names in servers.values() for name in names}
        for host in sorted(self.splits):
            found = set(self.splits[host]["servers"])
            lacks, extra = sorted(known - found), sorted(found - known)
            if lacks or extra:
                parts = [f"lacks {', '.join(lacks)}"] if lacks else []
                parts += [f"has {', '.join(extra)}, which the inventory does not have"] if extra else []
                raise StateError(
                    f"service {self.service}: HAProxy on {host} {' and '.join(parts)}; bring the balancers up to the "
                    "inventory with sluice.bluegreen.site. Nothing was changed"
                )

    def require_capacity(self, color: str, max_load: Optional[float], *, way: str, all_up: bool = False) -> None:
        """No balancer sees too few servers of ``color`` up to carry all of the traffic (see ``_capacity.overload``).

        ``way`` is the way out. ``all_up`` takes those of ``color`` for up, before it has got its new version.
        """
        for host in sorted(self.splits):
            servers = {
                name: {**server, "up": server["up"] or (all_up and server.get("color") == color)}
                for name, server in self.splits[host]["servers"].items()
            }
            problem = overload(servers, color, other(color), 100, max_load)
            if problem:
                raise StateError(f"service {self.service}: seen from {host}, {problem}; {way}. Nothing was changed")

    def require_unlocked(self, *, but: Optional[str] = None) -> None:
        held = self.live_lock(but=but)
        if held:
            host, lock = held
            raise StateError(
                f"service {self.service} is locked on {host} by release {lock['release_id']} of "
                f"{lock['owner'] or 'unknown'} since {lock['since']} ({lock['remaining']:.0f} s left). "
                "Wait for it to end; rollback may take over from it with -e takeover=true"
            )


def _age(state: Mapping[str, Any]) -> tuple[int, str]:
    return int(state["generation"]), str(state.get("updated") or "")


def _describe(release: Mapping[str, Any]) -> str:
    return f"release {release['release_id']} (version {release['version']} on {release['color']}, {release['phase']})"


def deploy_plan(fleet: Fleet, version: str, max_load: Optional[float] = None) -> Plan:
    """Where a new version goes: ``{candidate, stable, previous, first}``; ``previous`` is the version found there.

    ``max_load`` is how much more the candidate's servers may get than those of stable, if they are all up.
    """
    fleet.require_unlocked()
    state = fleet.state
    release = state["release"]
    if release and release["phase"] == "paused":
        raise StateError(
            f"service {fleet.service}: {_describe(release)} waits for a decision at "
            f"{_percent(state, release['color']):g} %; go on with sluice.bluegreen.promote, "
            "or back with sluice.bluegreen.rollback"
        )
    candidate = candidate_color(state)
    fleet.require_idle(candidate)
    stable = state["stable"]
    if stable:
        fleet.require_capacity(candidate, max_load, way="add VMs to its group, or raise that limit", all_up=True)
    held = state["colors"][candidate]
    return {
        "candidate": candidate,
        "stable": stable,
        "stable_version": (state["colors"][stable] or {}).get("version") if stable else None,
        "previous": held["version"] if held else None,
        "first": stable is None,
        "version": version,
        "supersedes": release["release_id"] if release else None,
    }


def rollout_plan(fleet: Fleet, version: Optional[str], promote: bool, max_load: Optional[float] = None) -> Plan:
    """The release to roll out: ``{release_id, version, candidate, stable, previous, first, start_share}``.

    ``promote`` goes on from a pause, and only from a pause. ``start_share`` is the committed share of the candidate;
    stages up to it have been passed. ``max_load`` is as for :func:`deploy_plan`.
    """
    state = fleet.state
    release = state["release"]
    if not release:
        raise StateError(
            f"service {fleet.service}: there is no release to roll out; put a version on the idle color with "
            "sluice.bluegreen.deploy, or do both with sluice.bluegreen.release"
        )
    fleet.require_unlocked(but=release["release_id"])
    paused = release["phase"] == "paused"
    if promote != paused:
        way = (
            "it is not paused; roll it out with sluice.bluegreen.rollout"
            if promote
            else "go on with sluice.bluegreen.promote, or back with sluice.bluegreen.rollback"
        )
        raise StateError(f"service {fleet.service}: {_describe(release)}: {way}")
    if release["phase"] == "deploying":
        raise StateError(
            f"service {fleet.service}: {_describe(release)} was never deployed to its end; "
            "run sluice.bluegreen.release again"
        )
    if version is not None and version != release["version"]:
        raise StateError(
            f"service {fleet.service}: version {version} was asked for, but {_describe(release)} is what is deployed; "
            f"deploy {version} first, or leave the version out"
        )
    candidate = release["color"]
    stable = state["stable"]
    if not paused:
        fleet.require_idle(candidate)
    if stable:
        fleet.require_capacity(candidate, max_load, way="see to its containers, or raise that limit")
    held = state["colors"][candidate]
    return {
        "release_id": release["release_id"],
        "version": release["version"],
        "candidate": candidate,
        "stable": stable,
        "previous": held["version"] if held else None,
        "first": stable is None,
        "start_share": _percent(state, candidate) if paused else 0.0,
        "start_stage": int(release["stage"]) if paused else 0,
    }


def rollback_plan(
    fleet: Fleet,
    servers: Mapping[str, Sequence[str]],
    takeover: bool,
    force: bool,
    max_load: Optional[float] = None,
) -> Plan:
    """Where traffic goes back to: ``{to, from, to_version, from_version, kind, gives_up, previous}``.

    ``kind`` is ``release`` (the release in progress, ``gives_up``, is given up) or ``promoted`` (back to the color
    before). A dead release is taken over without asking. ``servers`` are the names of the servers by color.
    ``max_load`` is as for :func:`deploy_plan`, where a promotion is taken back; a release is given up whatever is up.
    """
    if not takeover:
        fleet.require_unlocked()
    state = fleet.state
    release = state["release"]
    stable = state["stable"]
    if release and (release["phase"] in ("rolling", "paused") or not stable):
        return {
            "kind": "release",
            "gives_up": release["release_id"],
            "to": stable,
            "to_version": (state["colors"][stable] or {}).get("version") if stable else None,
            "from": release["color"],
            "from_version": release["version"],
            "previous": (state["colors"][release["color"]] or {}).get("version"),
        }
    if not stable:
        raise StateError(f"service {fleet.service} was never released, so there is nothing to go back to")
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
    for host in sorted(fleet.splits):
        if not servers_up(fleet.splits[host], servers[back]) and not force:
            raise StateError(
                f"service {fleet.service}: {host} calls no server of {back} up ({', '.join(servers[back])}), so going "
                f"back to {entry['version']} would answer nobody; see to its containers, or go there with -e force=true"
            )
    if not force:
        way = "see to its containers, or go there all the same with -e force=true"
        fleet.require_capacity(back, max_load, way=way)
    return {
        "kind": "promoted",
        "gives_up": None,
        "to": back,
        "to_version": entry["version"],
        "from": stable,
        "from_version": (state["colors"][stable] or {}).get("version"),
        "previous": None,
    }


def _percent(state: State, color: str) -> float:
    return float(state["shares"][color])


def servers_up(split: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The servers among ``names`` that a balancer calls up."""
    return [name for name in names if split["servers"].get(name, {}).get("up")]
