# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a balancer, and a VM, keeps what belongs to a service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ._errors import InputError

STATE_DIR = "/var/lib/sluice"
RUN_DIR = "/run/sluice"
CONFIG_DIR = "/etc/haproxy/conf.d"
HELPER_DIR = "/usr/local/lib/sluice"

SERVICE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def require_service_name(name: str) -> None:
    """Raises InputError for a name that is none of a service, and so might be a path to anywhere."""
    if not SERVICE_NAME.fullmatch(name):
        raise InputError(
            f"service name {name!r}: use lower-case letters, digits, '-' and '_', beginning with a letter, "
            "40 characters at most"
        )


@dataclass(frozen=True)
class ServicePaths:
    """The files of one service on one balancer.

    ``state_dir`` survives a reboot (journal, tapes). ``run_dir`` must not: a lock or a lease from before a reboot
    means nothing, because HAProxy then serves what is committed, and a full disk must not stop a rollback.
    """

    service: str
    state_dir: str = STATE_DIR
    run_dir: str = RUN_DIR
    config_dir: str = CONFIG_DIR

    def __post_init__(self) -> None:
        require_service_name(self.service)

    @property
    def journal(self) -> Path:
        return Path(self.state_dir, self.service, "journal.jsonl")

    @property
    def tapes(self) -> Path:
        return Path(self.state_dir, self.service, "tapes")

    @property
    def mutex(self) -> Path:
        return Path(self.run_dir, self.service, "mutex")

    @property
    def lock(self) -> Path:
        return Path(self.run_dir, self.service, "lock.json")

    @property
    def lease(self) -> Path:
        return Path(self.run_dir, self.service, "lease.json")

    @property
    def counters(self) -> Path:
        """The servers' totals as of the last shift; they begin anew with HAProxy."""
        return Path(self.run_dir, self.service, "counters.json")

    @property
    def config(self) -> Path:
        return Path(self.config_dir, f"{self.service}.cfg")


@dataclass(frozen=True)
class ColorPaths:
    """The files of one color of a service on one of its VMs; they go with a reboot, as a balancer's lock does."""

    service: str
    color: str
    run_dir: str = RUN_DIR

    def __post_init__(self) -> None:
        require_service_name(self.service)

    @property
    def mutex(self) -> Path:
        return Path(self.run_dir, self.service, f"{self.color}.mutex")

    @property
    def operation(self) -> Path:
        """Whose containers these are to start and to stop."""
        return Path(self.run_dir, self.service, f"{self.color}.operation")
