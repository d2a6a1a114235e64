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
from ._plan import SMALLEST_SPLIT
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
        self.newest = max(sorted(journals), key=self._knows)

    @property
    def state(self) -> State:
        """The state of the balancer that knows most; the others catch up with the next operation."""
        return dict(self.journals[self.newest]["state"])

    @property
    def behind(self) -> list[str]:
        """Balancers whose journal says something else than the newest."""
        newest = _told(self.state)
        operations = set(self.state["operations"])
        return [
            host
            for host in sorted(self.journals)
            if _told(self.journals[host]["state"]) != newest
            or set(self.journals[host]["state"]["operations"]) != operations
        ]

    @property
    def forked(self) -> dict[str, list[str]]:
        """By balancer the operations that the newest has never heard of, where there are such."""
        known = self.state["operations"]
        strange = {
            host: [release for release in self.journals[host]["state"]["operations"] if release not in known]
            for host in self.behind
        }
        return {host: releases for host, releases in strange.items() if releases}

    def _knows(self, host: str) -> tuple[int, int, int, str]:
        """How much the journal of ``host`` knows; a clock only where nothing else tells two apart."""
        state = self.journals[host]["state"]
        mine = set(state["operations"])
        covered = sum(set(other["state"]["operations"]) <= mine for other in self.journals.values())
        return covered, int(state["generation"]), int(state["steps"]), str(state["updated"] or "")

    def require_one_story(self) -> None:
        """No two journals with operations that the other has never heard of."""
        for host, releases in self.forked.items():
            raise StateError(
                f"service {self.service}: the journals tell different stories: {host} knows of {', '.join(releases)}, "
                f"of which {self.newest} has never heard, and the other way round, so each was released to on its own. "
                "Look with sluice.bluegreen.status, then bring all of them to what "
                f"{self.newest} says with sluice.bluegreen.rollback -e force=true. Nothing was changed",
                forked=self.forked,
            )

    def require_lease(self) -> None:
        """Every balancer can take its traffic back by itself."""
        for host in sorted(self.journals):
            problem = self.journals[host].get("no_lease")
            if problem:
                raise StateError(f"service {self.service}: {host}: {problem}. Nothing was changed")

    @property
    def common(self) -> Plan:
        """What every plan needs to begin with the same on all balancers.

        ``expects``: by balancer what its journal must still say when the lock is taken. ``catch_up``: None, or the
        balancers that missed something, the one that knows, and its state.
        """
        behind = self.behind
        catch_up = (
            {"hosts": behind, "from": self.newest, "state": self.state, "forked": self.forked} if behind else None
        )
        expects = {host: _expects(self.journals[host]["state"]) for host in self.journals}
        return {"expects": expects, "catch_up": catch_up}

    @property
    def died(self) -> bool:
        """Whether an operation was cut off, so that traffic may be where nobody wanted to leave it."""
        left = any(journal["lock"] and not journal["lock"]["live"] for journal in self.journals.values())
        return left or bool(self.state["release"]) or bool(self.behind)

    @property
    def cut_off_in_vain(self) -> bool:
        """Whether the last operation was cut off, and left the color that was stable before it in its place."""
        dead = {journal["lock"]["release_id"] for journal in self.journals.values() if journal["lock"]}
        done, history = self.state["operations"], self.state["history"]
        promoted = bool(history) and history[-1]["outcome"] == "promoted" and history[-1]["release_id"] in dead
        # Whoever died before it had anything to tell is not known by its id.
        return bool(dead) and not promoted and (bool(dead & set(done[-1:])) or not dead & set(done))

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

    def every_share(self) -> list[dict[str, float]]:
        """The shares of every balancer, at runtime and on the disk."""
        return [shares for where in ("runtime", "disk") for shares in self.shares(where).values()]

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
                "Wait for it to end; rollback and abort may take over from it with -e takeover=true"
            )


def _told(state: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two journals must agree on; the rest are times, which no two machines write alike."""
    release = state["release"] or {}
    keys = ("release_id", "version", "color", "phase", "stage", "reversible")
    return state["stable"], state["shares"], state["colors"], [release.get(key) for key in keys]


def _expects(state: Mapping[str, Any]) -> dict[str, Any]:
    release = state["release"]
    return {"stable": state["stable"], "release_id": release["release_id"] if release else None}


def _describe(release: Mapping[str, Any]) -> str:
    return f"release {release['release_id']} (version {release['version']} on {release['color']}, {release['phase']})"


def deploy_plan(
    fleet: Fleet,
    version: Optional[str],
    max_load: Optional[float] = None,
    *,
    resume: bool = False,
    reversible: bool = True,
) -> Plan:
    """Where a new version goes: ``{candidate, stable, previous, first}``; ``previous`` is the version found there.

    ``settle`` says that all traffic goes to stable first, because an operation before was cut off. With ``resume`` the
    plan of a release that died in its rollout has ``resume`` True, and nothing is to be deployed. ``max_load`` is how
    much more the candidate's servers may get than those of stable, if they are all up.
    """
    fleet.require_unlocked()
    fleet.require_one_story()
    fleet.require_lease()
    state = fleet.state
    release = state["release"]
    if release and release["phase"] == "paused":
        raise StateError(
            f"service {fleet.service}: {_describe(release)} waits for a decision at "
            f"{_percent(state, release['color']):g} %; go on with sluice.bluegreen.promote, "
            "or back with sluice.bluegreen.rollback"
        )
    resumes = resume and bool(release) and release["phase"] in ("deployed", "rolling")
    if not resumes and version is None:
        raise StateError(
            f"service {fleet.service}: there is no release that could be resumed; say which version to release, "
            "e.g. -e version=2.1.0"
        )
    if resumes and version not in (None, release["version"]):
        raise StateError(
            f"service {fleet.service}: version {version} was asked for, but {_describe(release)} is what could be "
            "resumed; leave -e resume=true out to begin anew, which gives that one up"
        )
    _refuse_to_leave(fleet, "resume it with sluice.bluegreen.release -e resume=true", resumes)
    candidate = candidate_color(state)
    if not fleet.died:
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
        "version": release["version"] if resumes else version,
        "reversible": release["reversible"] if resumes else reversible,
        "supersedes": release["release_id"] if release else None,
        "resume": bool(resumes),
        "settle": not resumes and any(shares[candidate] > 0 for shares in fleet.every_share()),
    }


def _refuse_to_leave(fleet: Fleet, way: str, allowed: bool) -> None:
    """No way back out of a release that cannot be reversed once its version has served, unless it is ``allowed``."""
    state = fleet.state
    release = state["release"]
    if release and not allowed and not release["reversible"] and release["phase"] in ("rolling", "paused"):
        raise StateError(
            f"service {fleet.service}: {_describe(release)} is marked reversible: false, and its version has served at "
            f"{_percent(state, release['color']):g} %; {way}, or go back all the same with sluice.bluegreen.rollback "
            "-e force=true. Nothing was changed",
            irreversible=True,
        )


def rollout_plan(
    fleet: Fleet, version: Optional[str], promote: bool, max_load: Optional[float] = None, resume: bool = False
) -> Plan:
    """The release to roll out: ``{release_id, version, candidate, stable, previous, first, start_share, second_look}``.

    ``promote`` goes on from a pause, and as ``resume`` does from the last stage that a dead release passed, both with a
    release id of their own (``resumes`` is the one before). ``start_share`` is the share in per cent up to which
    the stages have been passed, ``second_look`` says whether it went back from 100 % to look again. ``max_load`` is as
    for :func:`deploy_plan`.
    """
    state = fleet.state
    release = state["release"]
    if not release:
        raise StateError(
            f"service {fleet.service}: there is no release to roll out; put a version on the idle color with "
            "sluice.bluegreen.deploy, or do both with sluice.bluegreen.release"
        )
    paused = release["phase"] == "paused"
    dead = release["phase"] == "rolling"
    # A step of the process that died, or that paused, may still come late: only a new id keeps it out.
    anew = dead or paused
    fleet.require_unlocked(but=None if anew else release["release_id"])
    fleet.require_one_story()
    fleet.require_lease()
    if paused and not promote:
        raise StateError(
            f"service {fleet.service}: {_describe(release)}: go on with sluice.bluegreen.promote, or back with "
            "sluice.bluegreen.rollback"
        )
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
    if promote and not anew:
        raise StateError(
            f"service {fleet.service}: {_describe(release)}: it is not paused; roll it out with "
            "sluice.bluegreen.rollout"
        )
    if dead and not (resume or promote):
        raise StateError(
            f"service {fleet.service}: {_describe(release)} died after {release['stage']} passed stages; go on after "
            "them with -e resume=true, begin anew with sluice.bluegreen.release, or give it up with "
            "sluice.bluegreen.abort"
        )
    candidate = release["color"]
    stable = state["stable"]
    if release["phase"] == "deployed":
        fleet.require_idle(candidate)
    if stable:
        fleet.require_capacity(candidate, max_load, way="see to its containers, or raise that limit")
    held = state["colors"][candidate]
    # Only what was judged is made durable, and of the dead one's last stage nothing is left to judge: it is done again.
    passed = min(float(release["split"]), 100.0 - SMALLEST_SPLIT) if dead else 0.0
    return {
        "release_id": None if anew else release["release_id"],
        "resumes": release["release_id"] if anew else None,
        "version": release["version"],
        "candidate": candidate,
        "stable": stable,
        "previous": held["version"] if held else None,
        "first": stable is None,
        "reversible": release["reversible"],
        "start_share": max(passed, _percent(state, candidate)) if anew else 0.0,
        "start_stage": int(release["stage"]) if anew else 0,
        "second_look": bool(release.get("second_look")),
    }


def rollback_plan(
    fleet: Fleet,
    servers: Mapping[str, Sequence[str]],
    takeover: bool,
    force: bool,
    max_load: Optional[float] = None,
    abort: bool = False,
) -> Plan:
    """Where traffic goes back to: ``{to, from, to_version, from_version, kind, gives_up, previous}``.

    ``kind`` is ``release`` (the release in progress, ``gives_up``, is given up), ``promoted`` (back to the color
    before; never with ``abort``) or ``unsettled`` (the traffic belongs where the journal says: with ``abort`` where
    balancers do not do that, else after an operation that was cut off without a promotion). A dead release is taken
    over without asking. ``servers`` are the names of the servers by color. ``max_load`` is as for
    :func:`deploy_plan`, where a promotion is taken back; a release is given up whatever is up.
    """
    if not takeover:
        fleet.require_unlocked()
    if not force:
        fleet.require_one_story()
    state = fleet.state
    release = state["release"]
    stable = state["stable"]
    if release:
        _refuse_to_leave(fleet, "go on with it (sluice.bluegreen.promote, or release -e resume=true)", force)
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
    unsettled = bool(fleet.behind) or any(shares != state["shares"] for shares in fleet.every_share())
    # What was cut off is taken back, and nothing before it: the traffic may be there already, on some or on all.
    if (abort and unsettled) or (not abort and not force and fleet.cut_off_in_vain):
        version = (state["colors"][stable] or {}).get("version")
        return {
            "kind": "unsettled",
            "gives_up": None,
            "to": stable,
            "to_version": version,
            "from": other(stable),
            "from_version": (state["colors"][other(stable)] or {}).get("version"),
            "previous": None,
        }
    if abort:
        serves = (state["colors"][stable] or {}).get("version")
        raise StateError(
            f"service {fleet.service}: no release is in progress, {stable} serves {serves}; to go back to the version "
            "before it, use sluice.bluegreen.rollback. Nothing was changed"
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


def _percent(state: State, color: str) -> float:
    return float(state["shares"][color])


def servers_up(split: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The servers among ``names`` that a balancer calls up."""
    return [name for name in names if split["servers"].get(name, {}).get("up")]
