# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action plugin passes on of the module that it ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def outcome(answer: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """How the module's run went, and what it has under the keys ``more``; not what else it returned."""
    return {key: answer[key] for key in ("changed", "failed", "msg", "warnings", "unreachable", *more) if key in answer}
