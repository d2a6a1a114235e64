# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate does when its data are missing: by gate and by what is the matter, hold, pause or roll back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

CAUSES = ("no_data", "source_down")
ACTIONS = ("hold", "pause", "rollback")
# One poll that was lost is no reason to act; this many in a row are.
PATIENCE = 3


@dataclass(frozen=True)
class Trouble:
    """Data that are missing: of which gate, ``no_data`` or ``source_down``, and why."""

    gate: str
    cause: str
    text: str


@dataclass(frozen=True)
class Forced:
    """What a policy demands now: ``pause`` or ``rollback``, and for which trouble."""

    action: str
    trouble: Trouble


class Policies:
    """Follows the troubles from tick to tick; ``policies`` by gate and cause, ``hold`` where nothing is said."""

    def __init__(self, policies: Mapping[str, Mapping[str, str]]) -> None:
        self._policies = policies
        self._in_a_row: dict[tuple[str, str], int] = {}

    def update(self, troubles: Sequence[Trouble]) -> Optional[Forced]:
        """The gravest demand of a trouble that has now lasted ``PATIENCE`` ticks in a row."""
        now: dict[tuple[str, str], Trouble] = {}
        for trouble in troubles:
            now.setdefault((trouble.gate, trouble.cause), trouble)
        self._in_a_row = {key: self._in_a_row.get(key, 0) + 1 for key in now}
        demands = [
            Forced(action, trouble)
            for key, trouble in now.items()
            if self._in_a_row[key] >= PATIENCE
            and (action := self._policies.get(trouble.gate, {}).get(trouble.cause, ACTIONS[0])) != ACTIONS[0]
        ]
        return max(demands, key=lambda forced: ACTIONS.index(forced.action), default=None)


def first(troubles: Sequence[Trouble], cause: str) -> Optional[str]:
    """The text of the first trouble with this cause."""
    return next((trouble.text for trouble in troubles if trouble.cause == cause), None)
