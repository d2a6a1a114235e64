"""Balancers on one machine: each with its own HAProxy, and its own /run, /etc/haproxy and /var/lib.

What Ansible runs on a balancer is started by an interpreter that enters a mount namespace first. A stand-in for systemd
runs the timers for real. Needs root and the right to mount.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_states
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths
from real_ansible import ROOT
from vm_engine import IMAGE

sys.path.insert(0, str(ROOT / "tests" / "integration" / "haproxy"))

from haproxy_process import HAProxy

NAMES = {"blue": ["blue1", "blue2"], "green": ["green1", "green2"]}
STABLE = {"blue": 100.0, "green": 0.0}
INTERPRETER = """#!/bin/sh
exec unshare --mount --propagation private -- /bin/sh -ec '
    mount --bind {program} {folder}/haproxy
    for place in /etc /usr/sbin /usr/local/lib; do
        mount -t overlay overlay -o lowerdir={folder}/places$place:$place $place
    done
    mount --bind {folder}/etc /etc/haproxy
    mount --bind {folder}/haproxy /usr/sbin/haproxy
    mount --bind {folder}/run /run
    mount --bind {folder}/lib /var/lib
    PATH={folder}/bin:$PATH exec {python} "$@"' sh "$@"
"""
# Starts what systemd would, when it would; without its retries, and as if it had been started with the machine.
SYSTEMD_RUN = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do
    case "$1" in
        --unit=*) unit="${1#--unit=}";;
        --on-startup=*) at="${1#--on-startup=}";;
        --setenv=*) setting="${1#--setenv=}";;
    esac
    shift
done
after=$(awk -v at="${at%s}" '{ print (at > $1 ? at - $1 : 0) }' /proc/uptime)
setsid /bin/sh -c 'after="$1" setting="$2"; shift 2; sleep "$after"; rm -f "$0"; exec env "$setting" "$@"' \\
    /run/units/"$unit".timer "$after" "$setting" "$@" > /run/units/"$unit".log 2>&1 < /dev/null &
echo $! > /run/units/"$unit".timer
"""
SYSTEMCTL = """#!/bin/sh
[ "$1" != show ] || exec echo 0
pid=$(cat /run/units/"$2" 2> /dev/null) && rm -f /run/units/"$2" && grep -q "$2" /proc/"$pid"/cmdline && kill -- "-$pid"
"""


def can_mount() -> bool:
    command = ["unshare", "--mount", "--", "mount", "--bind", "/run", "/run"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Balancer:
    """One balancer of service ``shop``; blue is stable with v1, and serves all.

    ``layout``: what else its HAProxy's service has.
    """

    def __init__(self, folder: Path, program: str, ports: Mapping[str, Mapping[str, int]], **layout: Any) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("run/haproxy", "run/units", "run/systemd/system", "lib", "bin", "etc"):
            (folder / name).mkdir(parents=True)
        # What this machine may lack, laid over what it has.
        for name in ("etc/haproxy", "usr/sbin", "usr/local/lib/sluice"):
            (folder / "places" / name).mkdir(parents=True)
        (folder / "places/usr/sbin/haproxy").touch()
        (folder / "haproxy").touch()
        (folder / "places/usr/local/lib/sluice/sluice_bluegreen").symlink_to(ROOT / "plugins" / "module_utils")
        for name, text in {"bin/systemd-run": SYSTEMD_RUN, "bin/systemctl": SYSTEMCTL}.items():
            self._program(name, text)
        self._program("python", INTERPRETER.format(folder=folder, program=program, python=sys.executable))
        self.haproxy = HAProxy(folder / "etc", program)
        (folder / "run/haproxy/admin.sock").symlink_to(self.haproxy.socket)
        weights = split_weights({color: list(servers) for color, servers in ports.items()}, STABLE)
        self.haproxy.service(ports, weights, STABLE, **layout)
        self.haproxy.start()
        self.paths = ServicePaths(
            "shop", str(folder / "lib/sluice"), str(folder / "run/sluice"), str(self.haproxy.conf_dir)
        )

    def _program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    @property
    def entry(self) -> dict[str, Any]:
        """The inventory's entry."""
        return {"ansible_connection": "local", "ansible_python_interpreter": str(self.folder / "python")}

    def note(self, event: str, release_id: str, **data: Any) -> None:
        _journal.append(self.paths.journal, event, release_id, data)

    def promoted(self, release_id: str, version: str, color: str, **data: Any) -> None:
        """A release that went well some time ago; the split is not touched."""
        shares = {name: 100.0 if name == color else 0.0 for name in NAMES}
        self.note("release_started", release_id, version=version, color=color, **data)
        self.note("committed", release_id, shares=shares)
        self.note("promoted", release_id)

    def deployed(self, release_id: str, version: str, color: str, image: Any = IMAGE, **data: Any) -> None:
        """A release that has no traffic yet; without ``image``, one that was deployed by other means."""
        self.note("release_started", release_id, version=version, color=color, **data)
        self.note("deployed", release_id, **({"image": image} if image else {}))

    def commit(self, shares: Mapping[str, float]) -> None:
        """On the disk and at runtime."""
        weights = split_weights(NAMES, shares)
        path = Path(self.paths.config)
        path.write_text(_config.with_weights(path.read_text(), "shop", weights, shares))
        self.haproxy.runtime.act([f"set server shop/{name} weight {weight}" for name, weight in weights.items()])

    @property
    def state(self) -> dict[str, Any]:
        return _state.derive(_journal.read(self.paths.journal).events)

    @property
    def events(self) -> list[str]:
        return [event["event"] for event in _journal.read(self.paths.journal).events]

    @property
    def told(self) -> list[str]:
        """Each event with what it says, for messages."""
        return [f"{event['event']} {event['data']}" for event in _journal.read(self.paths.journal).events]

    @property
    def runtime(self) -> dict[str, int]:
        return {name: state.weight for name, state in server_states(self.haproxy.runtime, "shop").items()}

    @property
    def disk(self) -> dict[str, float]:
        return _config.committed_shares(Path(self.paths.config).read_text())

    def stop(self) -> None:
        self.haproxy.stop()
        for unit in (self.folder / "run/units").glob("*.timer"):
            with contextlib.suppress(OSError, ValueError):
                number = int(unit.read_text())
                if unit.name in Path(f"/proc/{number}/cmdline").read_text():
                    os.killpg(number, signal.SIGKILL)
