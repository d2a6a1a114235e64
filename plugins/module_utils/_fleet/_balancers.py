# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancers of a service say together, and what an operation may require of them.

``journals`` and ``splits`` are the results of ``journal_info`` and ``haproxy_split_info`` by balancer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._capacity import overload
from .._errors import StateError
from .._state import COLORS, State, other, unknown_to

Plan = dict[str, Any]
CAME_TO_NOTHING = ("rolled_back", "aborted", "failed")
UNKNOWN = "unknown"
"""The version that serves where no journal knows of it."""


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
        self._adopted = self._serving()

    @property
    def state(self) -> State:
        """The state of the balancer that knows most; the others catch up with the next operation.

        Where no journal knows of anything, and one color serves, that is what is stable.
        """
        return dict(self._adopted or self.journals[self.newest]["state"])

    @property
    def forgotten(self) -> bool:
        """Whether traffic flows of which no journal knows anything: they were lost."""
        states = [journal["state"] for journal in self.journals.values()]
        knows = any(state["operations"] or state["stable"] or state["release"] for state in states)
        return not knows and any(any(shares.values()) for shares in self.every_share())

    def _serving(self) -> Optional[State]:
        shares = self.every_share()
        if not self.forgotten or any(one != shares[0] for one in shares) or 100.0 not in shares[0].values():
            return None
        color = next(color for color in COLORS if shares[0][color] == 100)
        held = {"version": UNKNOWN, "release_id": None, "warm": True, "rolled_back": False, "reversible": True}
        colors = {one: held if one == color else None for one in COLORS}
        return {**self.journals[self.newest]["state"], "stable": color, "shares": shares[0], "colors": colors}

    @property
    def behind(self) -> list[str]:
        """Balancers whose journal says something else than the newest."""
        newest, known = self.state, self.state["operations"]
        states = {host: self.journals[host]["state"] for host in sorted(self.journals)}
        return [
            host
            for host, state in states.items()
            if _told(state) != _told(newest)
            or unknown_to(state["operations"], known)
            or unknown_to(known, state["operations"])
        ]

    @property
    def forked(self) -> dict[str, list[str]]:
        """By balancer the operations that the newest has never heard of, where there are such."""
        known = self.state["operations"]
        strange = {host: unknown_to(known, self.journals[host]["state"]["operations"]) for host in self.behind}
        return {host: releases for host, releases in strange.items() if releases}

    def _knows(self, host: str) -> tuple[int, bool, int, int, str]:
        """How much the journal of ``host`` knows; a clock only where nothing else tells two apart."""
        state = self.journals[host]["state"]
        mine = state["operations"]
        covered = sum(not unknown_to(mine, other["state"]["operations"]) for other in self.journals.values())
        # A release that came to nothing did so after all that it had committed on any balancer.
        ended = any(
            last["release_id"] == mine[-1] and last["outcome"] in CAME_TO_NOTHING for last in state["history"][-1:]
        )
        return covered, ended, int(state["generation"]), int(state["steps"]), str(state["updated"] or "")

    @property
    def the_release(self) -> str:
        """The release in progress, as messages name it."""
        release = self.state["release"]
        return (
            f"release {release['release_id']} (version {release['version']} on {release['color']}, {release['phase']})"
        )

    def committed(self, color: str) -> float:
        """Per cent of the traffic that ``color`` has by the journal."""
        return float(self.state["shares"][color])

    def version_on(self, color: Optional[str]) -> Optional[str]:
        """The version that ``color`` holds by the journal; None for no color too."""
        version: Optional[str] = (self.state["colors"][color] or {}).get("version") if color else None
        return version

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

    def require_memory(self) -> None:
        """Some journal knows where the traffic belongs, or all of it goes to one color everywhere."""
        if self.forgotten and not self._adopted:
            raise StateError(
                f"service {self.service}: no journal knows of any release, but the traffic is divided, "
                f"{self._divided()}: the journals were lost. Put /var/lib/sluice/{self.service} back on one of the "
                "balancers, or bring all traffic to one color by hand, as docs/killed.md says. Nothing was changed"
            )

    def _divided(self) -> str:
        return "; ".join(
            f"{host} {what} " + " and ".join(f"{shares[color]:g} % to {color}" for color in COLORS)
            for where, what in (("runtime", "sends"), ("disk", "is committed to send"))
            for host, shares in self.shares(where).items()
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
        balancers that missed something, the one that knows, and its state; ``adopted`` where none knows and that state
        is what serves.
        """
        behind = self.behind
        catch_up = (
            {
                "hosts": behind,
                "from": self.newest,
                "state": self.state,
                "forked": self.forked,
                "adopted": self._adopted is not None,
            }
            if behind
            else None
        )
        expects = {host: _expects(self.journals[host]["state"]) for host in self.journals}
        return {"expects": expects, "catch_up": catch_up}

    @property
    def died(self) -> bool:
        """Whether an operation was cut off, so that traffic may be where nobody wanted to leave it."""
        left = any(journal["lock"] and not journal["lock"]["live"] for journal in self.journals.values())
        return left or self._owed or bool(self.state["release"]) or bool(self.behind)

    @property
    def _owed(self) -> bool:
        """Whether a commit that belongs to what has happened is missing, because a disk did not take it."""
        stable = self.state["stable"]
        return bool(stable) and self.committed(stable) < 100

    @property
    def unsettled(self) -> bool:
        """Whether any balancer does something else, with no release in progress, than to send all to what is stable."""
        wanted = {color: 100.0 if color == self.state["stable"] else 0.0 for color in COLORS}
        return bool(self.behind) or any(shares != wanted for shares in self.every_share())

    @property
    def cut_off_in_vain(self) -> bool:
        """Whether the last operation was cut off, and left the color that was stable before it in its place.

        One that was itself to go back, or that only stopped containers, is in nobody's way who wants to go back now,
        unless it has done so.
        """
        locks = [journal["lock"] for journal in self.journals.values() if journal["lock"]]
        dead = {lock["release_id"] for lock in locks}
        done, history = self.state["operations"], self.state["history"]
        releases = {lock["release_id"] for lock in locks if lock.get("operation", "release") == "release"}
        # Whoever died before it had anything to tell is not known by its id.
        if releases - set(done):
            return True
        if history and history[-1]["release_id"] in dead:
            return bool(history[-1]["outcome"] != "promoted" and history[-1]["release_id"] == done[-1])
        return bool(releases & set(done[-1:]))

    @property
    def given_up_in_part(self) -> bool:
        """Whether a balancer has missed that the last release was given up or taken back, or could not commit it."""
        history, newest = self.state["history"], self.state
        if not history or history[-1]["outcome"] == "promoted":
            return False
        return self._owed or any(_traffic(self.journals[host]["state"]) != _traffic(newest) for host in self.behind)

    @property
    def locked(self) -> bool:
        """Whether any balancer has a lock, of a release that is alive or dead."""
        return any(journal["lock"] for journal in self.journals.values())

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
                        "should be idle; look with sluice.bluegreen.status, then bring all traffic to what is stable "
                        "with sluice.bluegreen.abort"
                    )

    def require_somebody(self, color: str, way: str) -> None:
        """No balancer may be brought to a ``color`` that it calls down, away from one that answers; ``way`` is out."""
        for host, shares in self.shares("runtime").items():
            up = {server.get("color") for server in self.splits[host]["servers"].values() if server["up"]}
            if color not in up and other(color) in up and shares[other(color)] > 0:
                raise StateError(
                    f"service {self.service}: by the journal {color} is stable, but {host} calls no server of it up, "
                    f"and {other(color)} answers; see to the containers of {color}, or {way}. Nothing was changed"
                )

    def require_servers(self, servers: Mapping[str, Sequence[str]]) -> None:
        """Every balancer's HAProxy has the servers of the inventory (names by color), in their colors, and no other."""
        known = {name: color for color, names in servers.items() for name in names}
        for host in sorted(self.splits):
            found = set(self.splits[host]["servers"])
            lacks, extra = sorted(set(known) - found), sorted(found - set(known))
            moved = [
                f"{name} as {color}, which is {known[name]} in the inventory"
                for color, names in self.splits[host]["disk"]["colors"].items()
                for name in names
                if known.get(name, color) != color
            ]
            if lacks or extra or moved:
                parts = [f"lacks {', '.join(lacks)}"] if lacks else []
                parts += [f"has {', '.join(extra)}, which the inventory does not have"] if extra else []
                parts += [f"has {', '.join(moved)}"] if moved else []
                raise StateError(
                    f"service {self.service}: HAProxy on {host} {' and '.join(parts)}; bring the balancers up to the "
                    "inventory with sluice.bluegreen.site. Nothing was changed"
                )

    def require_capacity(self, color: str, max_load: Optional[float], *, way: str, all_up: bool = False) -> None:
        """No balancer sees too few servers of ``color`` up to carry all of the traffic (see ``_capacity.overload``).

        ``way`` is the way out. ``all_up`` takes those of ``color`` for up, before it has got its new version.
        """
        problem = self.capacity_problem(color, max_load, all_up=all_up)
        if problem:
            raise StateError(f"service {self.service}: {problem}; {way}. Nothing was changed")

    def capacity_problem(self, color: str, max_load: Optional[float], *, all_up: bool = False) -> Optional[str]:
        """Why ``color`` cannot carry all of the traffic, as the first balancer sees it that sees so; else None."""
        for host in sorted(self.splits):
            servers = {
                name: {**server, "up": server["up"] or (all_up and server.get("color") == color)}
                for name, server in self.splits[host]["servers"].items()
            }
            problem = overload(servers, color, other(color), 100, max_load)
            if problem:
                return f"seen from {host}, {problem}"
        return None

    def require_unlocked(self) -> None:
        for host in sorted(self.journals):
            lock = self.journals[host]["lock"]
            if lock and lock["live"]:
                raise StateError(
                    f"service {self.service} is locked on {host} by release {lock['release_id']} of "
                    f"{lock['owner'] or 'unknown'} since {lock['since']} ({lock['remaining']:.0f} s left). "
                    "Wait for it to end; rollback and abort may take over from it with -e takeover=true"
                )

    def require_reversible(self, way: str, allowed: bool) -> None:
        """No way back out of what cannot be reversed once its version has served, unless that is ``allowed``."""
        release = self.state["release"]
        if release and not allowed and not release["reversible"] and release["phase"] in ("rolling", "paused"):
            raise StateError(
                f"service {self.service}: {self.the_release} is marked reversible: false, and its version has served "
                f"at {self.committed(release['color']):g} %; {way}, or go back all the same with "
                "sluice.bluegreen.rollback -e force=true. Nothing was changed",
                irreversible=True,
            )


def _told(state: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two journals must agree on; the rest are times, which no two machines write alike."""
    release = state["release"] or {}
    keys = ("release_id", "version", "color", "phase", "stage", "reversible", "hooks")
    return state["stable"], state["shares"], state["colors"], [release.get(key) for key in keys]


def _traffic(state: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of a journal says where the traffic belongs."""
    return state["stable"], state["shares"], (state["release"] or {}).get("release_id")


def _expects(state: Mapping[str, Any]) -> dict[str, Any]:
    release = state["release"]
    return {
        "stable": state["stable"],
        "release_id": release["release_id"] if release else None,
        # Some change neither of both: a retirement, or a release that began and came to nothing.
        "operation": state["operations"][-1] if state["operations"] else None,
    }
