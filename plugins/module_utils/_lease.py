# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a stage: a transient systemd timer on the balancer that takes runtime back to what is committed.

Renewing starts the next timer before it stops the last one, so that there is no moment without. A timer that fires
although it was replaced finds another token in the lease file and does nothing.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Optional, Protocol

from ._errors import StateError
from ._files import read_json, remove, write_json
from ._lock import boot_time
from ._paths import HELPER_DIR, ServicePaths

Lease = dict[str, Any]
HELPER = "sluice_bluegreen._lease_expired"
LIMIT = 20


class Timer(Protocol):
    """What runs a command on this machine later, whoever is dead by then."""

    def start(self, unit: str, seconds: float, command: Sequence[str]) -> None: ...

    def stop(self, unit: str) -> None: ...


class SystemdTimer:
    """Transient timers of systemd 247 (Debian 11) and later."""

    def __init__(self, helper_dir: str = HELPER_DIR, systemd_dir: str = "/run/systemd/system") -> None:
        self.helper_dir = helper_dir
        self.systemd_dir = systemd_dir

    @property
    def problem(self) -> Optional[str]:
        """Why no lease can be held here, with the way out; None where one can."""
        if not Path(self.systemd_dir).is_dir():
            return (
                "systemd does not run on this balancer, so no lease can be held and traffic would stay where a killed "
                "release left it; run HAProxy on a host with systemd (system containers included)"
            )
        if not Path(self.helper_dir, "sluice_bluegreen").is_dir():
            return (
                f"{self.helper_dir}/sluice_bluegreen is not on this balancer, so no lease can be held; "
                "prepare the balancer with sluice.bluegreen.site (role sluice.bluegreen.haproxy)"
            )
        return None

    def start(self, unit: str, seconds: float, command: Sequence[str]) -> None:
        if self.problem:
            raise StateError(self.problem)
        self._run(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={unit}",
            # What is counted from now, --on-active, systemd counts anew at each daemon-reload, and packages reload it.
            f"--on-startup={self._since_startup() + seconds:.3f}s",
            "--timer-property=AccuracySec=100ms",
            "--property=Restart=on-failure",
            # Five starts within ten seconds are the most that systemd allows by default; then it would give up.
            "--property=RestartSec=3s",
            f"--setenv=PYTHONPATH={self.helper_dir}",
            *command,
        )

    def stop(self, unit: str) -> None:
        self._run("systemctl", "stop", f"{unit}.timer", accept_failure=True)

    def _since_startup(self) -> float:
        """Seconds since this systemd was started, by the clock that it reckons such timers by."""
        command = ("systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value")
        said = self._run(*command)
        if not said.isdigit():
            raise StateError(f"{' '.join(command)} failed, so no lease is held: it says {said!r}, not microseconds")
        return time.monotonic() - int(said) / 1e6

    @staticmethod
    def _run(*command: str, accept_failure: bool = False) -> str:
        said = ""
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
            said = result.stdout.strip()
            problem = (result.stderr.strip() or f"exit status {result.returncode}") if result.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"no answer from systemd within {LIMIT} s"
        except OSError as error:
            problem = str(error.strerror or error)
        if problem and not accept_failure:
            raise StateError(f"{command[0]} failed, so no lease is held: {problem}")
        return said


def current(paths: ServicePaths, clock: Callable[[], float] = boot_time) -> Optional[Lease]:
    """The lease with ``remaining`` seconds, or None when runtime does not lead."""
    lease = read_json(paths.lease)
    if lease is None:
        return None
    return {**lease, "remaining": round(max(0.0, float(lease["until"]) - clock()), 1)}


def arm(
    paths: ServicePaths,
    release_id: str,
    seconds: float,
    timer: Timer,
    socket: str,
    clock: Callable[[], float] = boot_time,
) -> None:
    """Take or renew the lease for ``seconds``."""
    before = read_json(paths.lease)
    token = secrets.token_hex(4)
    unit = f"sluice-lease-{paths.service}-{token}"
    command = [sys.executable or "/usr/bin/python3", "-m", HELPER, "--service", paths.service, "--token", token]
    command += ["--socket", socket, "--state-dir", paths.state_dir, "--run-dir", paths.run_dir]
    command += ["--config-dir", paths.config_dir, "--release-id", release_id]
    timer.start(unit, seconds, command)
    lease = {"release_id": release_id, "token": token, "unit": unit, "seconds": seconds, "until": clock() + seconds}
    write_json(paths.lease, {**lease, "socket": socket, "config_dir": paths.config_dir})
    if before is not None:
        timer.stop(before["unit"])


def renew(
    paths: ServicePaths,
    release_id: str,
    timer: Timer,
    seconds: Optional[float] = None,
    clock: Callable[[], float] = boot_time,
) -> bool:
    """Renew the lease of ``release_id``, for as long as before where ``seconds`` is None; True while runtime may lead.

    One that has run out is about to fall back, and what the stage saw until then is not prolonged. The lease knows from
    the shift that it began with where HAProxy is.
    """
    lease = current(paths, clock)
    leading = lease is not None and lease["release_id"] == release_id and lease["remaining"] > 0
    if lease is not None and leading:
        there = ServicePaths(paths.service, paths.state_dir, paths.run_dir, lease["config_dir"])
        arm(there, release_id, seconds or lease["seconds"], timer, lease["socket"], clock)
    return leading


def drop(paths: ServicePaths, timer: Timer) -> bool:
    """End the lease, because runtime and disk agree; False where there was none."""
    lease = read_json(paths.lease)
    if lease is None:
        return False
    remove(paths.lease)
    timer.stop(lease["unit"])
    return True
