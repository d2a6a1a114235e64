# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether all VMs have the same image, and run what was deployed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Optional

# A message with hundreds of VMs is not read.
_MOST_NAMED = 10


def differences(images: Mapping[str, str], expected: str = "") -> str:
    """A sentence on the VMs whose image is not the ``expected`` one, or not that of most; empty where all have it.

    ``images``: its id by VM; a VM with an empty one has not said.
    """
    known = {vm: image for vm, image in images.items() if image}
    if not known:
        return ""
    counts = Counter(sorted(known.values()))
    meant = expected or max(counts, key=lambda image: counts[image])
    others = [f"{vm} has {image}" for vm, image in sorted(known.items()) if image != meant]
    if not others:
        return ""
    whose = "the image of the release is" if expected else "the others have"
    return f"not every VM has the same image: {_few(others)}; {whose} {meant}"


def not_as_deployed(
    containers: Mapping[str, Optional[Sequence[Mapping[str, Any]]]], version: str, image_id: str
) -> list[str]:
    """A sentence for each VM that does not run ``version`` of ``image_id``, and that alone.

    ``containers``: those of the color by VM, or ``None`` where the VM could not be asked.
    """
    found = []
    for vm, present in containers.items():
        if present is None:
            found.append(f"{vm} could not be asked what it runs")
            continue
        running = [one for one in present if one["running"] and not one.get("hook")]
        if not running:
            found.append(f"{vm} runs nothing of it")
        for one in running:
            if one["version"] != version:
                found.append(f"{vm} runs version {one['version']} ({one['name']})")
            elif one["image_id"] != image_id:
                found.append(f"{vm} runs version {version} of another image, {one['image_id']}")
    return found


def refusal(
    containers: Mapping[str, Optional[Sequence[Mapping[str, Any]]]], service: str, version: str, image_id: str
) -> str:
    """The message on what :func:`not_as_deployed` finds; empty where all is well.

    Without an ``image_id`` nothing can be compared, and that is no reason to go on.
    """
    problems = not_as_deployed(containers, version, image_id)
    if not image_id:
        why = (
            f"the journal does not say which image of {version} was deployed, so that no VM can be compared with it: "
            "it was deployed by other means, or by an older version of this collection"
        )
    elif problems:
        why = f"what runs is not what was deployed, {version} of image {image_id}: {_few(problems)}"
    else:
        return ""
    return (
        f"{service}: {why}. The traffic stays where it is. Deploy the version again with sluice.bluegreen.deploy, or "
        "give it up with sluice.bluegreen.abort; one that is paused has to be given up first"
    )


def _few(sentences: Sequence[str]) -> str:
    more = f", and {len(sentences) - _MOST_NAMED} more" if len(sentences) > _MOST_NAMED else ""
    return ", ".join(sentences[:_MOST_NAMED]) + more
