# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody reloads HAProxy just now, as systemd knows it: the process that answers is still the one before."""

from __future__ import annotations

import subprocess

UNIT = "haproxy"
_LIMIT = 5.0


def in_progress(unit: str = UNIT) -> bool:
    """Whether a reload of ``unit`` has begun and is not over; False where systemd does not know or does not run."""
    command = ["systemctl", "show", "--property=ActiveState", "--value", unit]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "reloading"
