# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a new version goes."""

from __future__ import annotations

from typing import Optional

from .._errors import StateError
from .._state import candidate_color
from ._balancers import Fleet, Plan


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
            f"service {fleet.service}: {fleet.the_release} waits for a decision at "
            f"{fleet.committed(release['color']):g} %; go on with sluice.bluegreen.promote, "
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
            f"service {fleet.service}: version {version} was asked for, but {fleet.the_release} is what could be "
            "resumed; leave -e resume=true out to begin anew, which gives that one up"
        )
    fleet.require_reversible("resume it with sluice.bluegreen.release -e resume=true", resumes)
    candidate = candidate_color(state)
    if not fleet.died:
        fleet.require_idle(candidate)
    stable = state["stable"]
    settle = not resumes and any(shares[candidate] > 0 for shares in fleet.every_share())
    if settle and stable:
        fleet.require_somebody(stable, "go there all the same with sluice.bluegreen.abort -e force=true")
    if stable:
        fleet.require_capacity(candidate, max_load, way="add VMs to its group, or raise that limit", all_up=True)
    return {
        "candidate": candidate,
        "stable": stable,
        "stable_version": fleet.version_on(stable),
        "previous": fleet.version_on(candidate),
        "first": stable is None,
        "version": release["version"] if resumes else version,
        "reversible": release["reversible"] if resumes else reversible,
        "supersedes": release["release_id"] if release else None,
        "resume": bool(resumes),
        "settle": settle,
    }
