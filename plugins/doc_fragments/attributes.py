# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation shared by the collection's modules: what each supports, declared."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of a module or an action plugin.

    ``sluice.bluegreen.attributes`` names the attributes and leaves ``support`` to the module;
    ``sluice.bluegreen.attributes.info_module`` states it for a module that only reads.
    """

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and say what would change, without changing it.
  diff_mode:
    description: Says what changed, or would change, as a difference in C(--diff) mode.
  idempotent:
    description: A second run with the same parameters and nothing changed in between reports no change.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This only reads.
  diff_mode:
    support: N/A
    details:
      - This only reads.
  idempotent:
    support: full
    details:
      - This only reads.
"""
