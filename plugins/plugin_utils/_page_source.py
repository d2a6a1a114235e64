# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a service as it was written, for who needs one of its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils import _service


def written(templar: Any, task_vars: Mapping[str, Any], service: str, *keys: str) -> dict[str, Any]:
    """What is at ``keys`` on the page, templated, inside of the dictionaries that lead there; empty where it is not.

    Each of them may be a template, and only those on the way are looked into: other secrets are nobody's business here.
    """
    found: Any = task_vars.get(_service.VARIABLE)
    for key in (service, *keys):
        found = found if isinstance(found, Mapping) else templar.template(found)
        found = found.get(key) if isinstance(found, Mapping) else None
    page: dict[str, Any] = {}
    at = page
    for key in keys[:-1]:
        at = at.setdefault(key, {})
    at[keys[-1]] = templar.template(found)
    return page
