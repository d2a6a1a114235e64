# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What part of the fleet a run has before it: all of it, what a limit leaves, or a slice of AWX. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Optional

from ._errors import InputError

_FEW = 5
_OLDEST_CORE = (2, 17)


def slice_of(variables: Mapping[str, Any]) -> Optional[str]:
    """The sliced job template that this job is a part of, or ``None``.

    AWX runs the slices as jobs of a workflow that it makes up on the spot and calls by the name of their template, and
    gives each an inventory that has no other hosts than its own. Nothing else tells a job that it is a slice.
    """
    template, workflow = (
        variables.get(f"awx_{name}") or variables.get(f"tower_{name}")
        for name in ("job_template_name", "workflow_job_name")
    )
    return str(template) if template and template == workflow else None


def require_whole(
    service: str, needed: Sequence[str], reached: Optional[Collection[str]], limit: Any, sliced: Optional[str]
) -> None:
    """Raise InputError where this run does not have all hosts before it that it needs.

    ``needed`` are the hosts that the inventory has for it, ``reached`` those that ``limit`` leaves (``None`` without a
    limit), ``sliced`` is as :func:`slice_of` gives it.
    """
    if sliced:
        raise InputError(
            f"service {service}: this job is a slice of {sliced}, or of a workflow by the same name, and a slice sees "
            "only its own hosts; traffic moves on all balancers or on none. Set Job Slicing of that template to 1; "
            "only sluice.bluegreen.site and sluice.bluegreen.fetch can be sliced. Nothing was changed"
        )
    missing = [host for host in needed if reached is not None and host not in reached]
    if missing:
        more = f" and {len(missing) - _FEW} more" if len(missing) > _FEW else ""
        raise InputError(
            f"service {service}: the limit {limit} leaves out {', '.join(missing[:_FEW])}{more}, and this needs all of "
            "them or none. Run it without a limit; in AWX, launch it again or relaunch it on all hosts instead of the "
            "failed ones. Nothing was changed"
        )


def require_core(version: str) -> None:
    """Raise InputError where ``version`` of ansible-core (such as ``2.19.1``) is one that this is not made for."""
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < _OLDEST_CORE:
        raise InputError(
            f"this is ansible-core {version}, and a release needs {'.'.join(map(str, _OLDEST_CORE))} or later: with an "
            "older one a balancer that is lost does not send the others back. Upgrade it; in AWX, give the templates "
            "an execution environment that has it. Nothing was changed"
        )
