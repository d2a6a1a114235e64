# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release gets the traffic, from which share on."""

from __future__ import annotations

from typing import Optional

from .._errors import StateError
from .._gate._known import checked
from .._plan import SMALLEST_SPLIT
from ._balancers import Fleet, Plan


def rollout_plan(
    fleet: Fleet,
    version: Optional[str],
    promote: bool,
    max_load: Optional[float] = None,
    resume: bool = False,
    only: Optional[str] = None,
) -> Plan:
    """The release to roll out: ``{release_id, version, candidate, stable, previous, first, start_share, second_look,
    image, known}``.

    ``promote`` goes on from a pause, and as ``resume`` does from the last stage that a dead release passed, both with a
    release id of their own (``resumes`` is the one before). ``start_share`` is the share in per cent up to which
    the stages have been passed, ``second_look`` says whether it went back from 100 % to look again, ``known`` what its
    gates found out about the stable color, as far as all journals say the same. ``max_load`` is as
    for :func:`deploy_plan`. ``only`` is the id of the release that may be rolled out, or that it resumes: StateError
    where another one is in progress.
    """
    state = fleet.state
    release = state["release"]
    if not release:
        if any(journal["state"]["release"] for journal in fleet.journals.values()):
            raise StateError(
                f"service {fleet.service}: the last release ended on {fleet.newest} and not on "
                f"{', '.join(fleet.behind)}; bring all of them to what {fleet.newest} says with "
                "sluice.bluegreen.abort. Nothing was changed"
            )
        raise StateError(
            f"service {fleet.service}: there is no release to roll out; put a version on the idle color with "
            "sluice.bluegreen.deploy, or do both with sluice.bluegreen.release"
        )
    if only and only not in (release["release_id"], release.get("origin")):
        raise StateError(
            f"service {fleet.service}: release {only}, which was to be rolled out, is not in progress any more; what "
            f"is, is {fleet.the_release}. To roll that one out, run sluice.bluegreen.rollout by itself. "
            "Nothing was changed"
        )
    paused = release["phase"] == "paused"
    dead = release["phase"] == "rolling"
    # A step of the process that died, or that paused, may still come late: only a new id keeps it out.
    anew = dead or paused
    # Who deployed it has given its lock back: one that is alive is another rollout of the same release.
    fleet.require_unlocked()
    fleet.require_one_story()
    fleet.require_lease()
    if paused and not promote:
        raise StateError(
            f"service {fleet.service}: {fleet.the_release}: go on with sluice.bluegreen.promote, or back with "
            "sluice.bluegreen.rollback"
        )
    if release["phase"] == "deploying":
        raise StateError(
            f"service {fleet.service}: {fleet.the_release} was never deployed to its end; "
            "run sluice.bluegreen.release again"
        )
    if version is not None and version != release["version"]:
        raise StateError(
            f"service {fleet.service}: version {version} was asked for, but {fleet.the_release} is what is deployed; "
            f"deploy {version} first, or leave the version out"
        )
    if promote and not anew:
        raise StateError(
            f"service {fleet.service}: {fleet.the_release}: it is not paused; roll it out with sluice.bluegreen.rollout"
        )
    if dead and not (resume or promote):
        raise StateError(
            f"service {fleet.service}: {fleet.the_release} died after {release['stage']} passed stages; go on after "
            "them with -e resume=true, begin anew with sluice.bluegreen.release, or give it up with "
            "sluice.bluegreen.abort"
        )
    candidate = release["color"]
    stable = state["stable"]
    if release["phase"] == "deployed":
        fleet.require_idle(candidate)
    if stable:
        fleet.require_capacity(candidate, max_load, way="see to its containers, or raise that limit")
    # Only what was judged is made durable, and of the dead one's last stage nothing is left to judge: it is done again.
    passed = min(float(release["split"]), 100.0 - SMALLEST_SPLIT) if dead else 0.0
    committed = min(shares[candidate] for shares in fleet.shares("disk").values())
    return {
        "release_id": None if anew else release["release_id"],
        "resumes": release["release_id"] if anew else None,
        "version": release["version"],
        "candidate": candidate,
        "stable": stable,
        "previous": fleet.version_on(candidate),
        "first": stable is None,
        "reversible": release["reversible"],
        "start_share": max(passed, committed) if anew else 0.0,
        "start_stage": int(release["stage"]) if anew else 0,
        "second_look": bool(release.get("second_look")),
        "image": release.get("image"),
        "known": _known(fleet) if anew else {},
    }


def _known(fleet: Fleet) -> Plan:
    releases = [journal["state"]["release"] or {} for journal in fleet.journals.values()]
    told = [release.get("known") for release in releases]
    return checked(told[0]) if all(one == told[0] for one in told) else {}
