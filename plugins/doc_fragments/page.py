# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a service, as modules take it."""

from __future__ import annotations


class ModuleDocFragment:
    """The page as it was read and checked, with seals in the place of its secrets."""

    DOCUMENTATION = r"""
options:
  service:
    description: The service's page, as M(sluice.bluegreen.service_info) gives it.
    type: dict
    required: true
"""
