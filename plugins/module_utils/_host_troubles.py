# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lacks that its fleet or the roles need, judged from what was read on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A kernel keeps some of the memory for itself, and a file system some of the disk.
_OF_MEMORY = 0.85
_OF_DISK = 0.85


def troubles(seen: Mapping[str, Any], least: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that keeps a host from being used; empty where nothing does.

    ``seen``: ``distribution``, ``release``, ``cpus``, ``memory_mib``, ``disk_mib``, ``disk_free_mib``, whether it lets
    Ansible be ``root`` (else ``root_error``), and ``clock``: seconds since the epoch, ``there`` on the host, and
    ``before`` and ``after`` on the controller. ``least``: ``cpus``, ``memory_mib``, ``disk_gib``, ``disk_free_gib``,
    the seconds that the ``clock`` may differ, and by the name of a distribution its releases as ``distributions``.
    """
    found = []
    if not seen["root"]:
        error = " ".join(str(seen.get("root_error") or "no answer").split())
        found.append(f"does not let Ansible become root ({error}): let its user run sudo without a password")
    found += _distribution(str(seen["distribution"]), str(seen["release"]), least["distributions"])
    cpus, memory, disk, free = (float(seen[key]) for key in ("cpus", "memory_mib", "disk_mib", "disk_free_mib"))
    if cpus < float(least["cpus"]):
        found.append(f"has {cpus:g} CPUs, and {float(least['cpus']):g} are wanted")
    if memory < float(least["memory_mib"]) * _OF_MEMORY:
        found.append(f"has {memory:.0f} MiB of memory, and {float(least['memory_mib']):.0f} MiB are wanted")
    if disk < float(least["disk_gib"]) * 1024 * _OF_DISK:
        found.append(f"has a disk of {disk / 1024:.1f} GiB at /var, and {float(least['disk_gib']):g} GiB are wanted")
    if free < float(least["disk_free_gib"]) * 1024:
        wanted = float(least["disk_free_gib"])
        found.append(f"has {free / 1024:.1f} GiB free at /var, and images need {wanted:g} GiB")
    return found + _clock(seen["clock"], float(least["clock"]))


def _distribution(name: str, release: str, known: Mapping[str, Any]) -> list[str]:
    releases = [str(one) for one in known.get(name) or []]
    if any(release == one or release.startswith(f"{one}.") for one in releases):
        return []
    every = "; ".join(f"{other} {', '.join(str(one) for one in known[other])}" for other in sorted(known))
    return [f"runs {name} {release}, and what the roles prepare is {every}"]


def _clock(clock: Mapping[str, Any], most: float) -> list[str]:
    before, there, after = (float(clock[key]) for key in ("before", "there", "after"))
    # Between the two looks at this clock the host's own may have been read at any moment.
    if there > after + most:
        return [f"has a clock that is {there - after:.0f} s or more ahead of the controller's: run an NTP client there"]
    if there < before - most:
        return [f"has a clock that is {before - there:.0f} s or more behind the controller's: run an NTP client there"]
    return []
