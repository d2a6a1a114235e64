# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events for the journal, as the steps of a release take them."""

from __future__ import annotations


class ModuleDocFragment:
    """The module says itself when they are written."""

    DOCUMENTATION = r"""
options:
  events:
    description: Events to write to the journal.
    type: list
    elements: dict
    default: []
    suboptions:
      event:
        description: Name of the event.
        type: str
        required: true
      data:
        description: What belongs to it.
        type: dict
        default: {}
"""
