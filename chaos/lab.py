# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab of the inventory beside this file: its containers, what they say, and what can be done to them."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Optional

import docker
import docker.errors
import yaml

from chaos.judge import Balancer, Look
from chaos.observer import Observer

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
INVENTORY = FOLDER / "inventory"
SERVICES = ("shop", "cart", "news")
"""The first one has VMs of its own, so that all of them can be spoiled."""
FAULTY = "mail"
"""Version v3 of this one fails with some of its requests."""
STATE = "/var/lib/sluice"
PYTHON = "/usr/bin/python3"
AHEAD = "/run/chaos-clock"
STRANGE = "/etc/haproxy/conf.d/zz-chaos.cfg"
UP_WITHIN = 90.0


def _version_at(url: str) -> Optional[str]:
    """The version that answers there; None where there is no good answer."""
    with suppress(OSError, http.client.HTTPException), urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.headers.get("X-App-Version", ""))
    return None


class Lab:
    """One container of the engine for each host of the inventory, as one service sees them."""

    def __init__(self, service: str = SERVICES[0], inventory: Path = INVENTORY) -> None:
        self.service = service
        page = yaml.safe_load((inventory / "group_vars" / "all" / "services.yml").read_text(encoding="utf-8"))
        listener = str(page["bluegreen_services"][service]["listen"]["bind"]).rsplit(":", 1)[-1]
        hosts = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]["lab"]
        self.name = hosts["vars"]["lab_name"]
        self.balancer_hosts = hosts["children"]["loadbalancers"]["hosts"]
        vms = hosts["children"]["vms"]["children"]
        groups = page["bluegreen_services"][service]["hosts"]
        self.vms = {color: list(vms[group]["hosts"]) for color, group in groups.items()}
        self.hosts = {**self.balancer_hosts, **{k: v for group in vms.values() for k, v in group["hosts"].items()}}
        self.balancers = list(self.balancer_hosts)
        self.urls = {
            name: f"http://127.0.0.1:{outside}/"
            for name, host in self.balancer_hosts.items()
            for outside, inside in (ports.split(":") for ports in host["lab_publish"])
            if inside == listener
        }
        self.pool = ThreadPoolExecutor(len(self.balancers))
        self.observers: dict[str, Observer] = {}

    def connect(self) -> None:
        """Once there is an engine."""
        self.engine = docker.from_env()

    def _name(self, host: str) -> str:
        return f"sluice-{self.name}-{host}"

    def container(self, host: str) -> Any:
        return self.engine.containers.get(self._name(host))

    def run(self, host: str, *command: str) -> str:
        """Run a command as root on a host; RuntimeError with what it said where it fails."""
        done = self.container(host).exec_run(list(command), environment={"PYTHONPATH": "/usr/local/lib/sluice"})
        said: str = done.output.decode(errors="replace")
        if done.exit_code:
            raise RuntimeError(f"{host}: {' '.join(command)[:80]}: {done.exit_code}: {said.strip()}")
        return said

    def shell(self, host: str, script: str) -> str:
        return self.run(host, "sh", "-ec", script)

    def look(self, without: Collection[str] = (), what: str = "look") -> Look:
        """How the service stands on every balancer but those ``without``, all asked at once for ``what``."""
        asked = [host for host in self.balancers if host not in without]
        seen = dict(zip(asked, self.pool.map(partial(self._look, what=what), asked)))
        return Look(time.time(), seen)

    def _look(self, host: str, what: str = "look") -> Optional[Balancer]:
        try:
            if host not in self.observers:
                self.observers[host] = Observer(self.container(host), "observe.py", self.service)
            return Balancer.read(json.loads(self.observers[host].ask(what)))
        except (docker.errors.DockerException, ValueError, OSError):
            # Its host may have been gone meanwhile.
            if host in self.observers:
                self.observers.pop(host).close()
            return None

    def served(self) -> dict[str, str]:
        """By balancer the version that answers a request through it; not those through which none does."""
        asked = {host: _version_at(url) for host, url in self.urls.items()}
        return {host: version for host, version in asked.items() if version is not None}

    def wait_up(self, hosts: Sequence[str]) -> list[str]:
        """Wait until the hosts let somebody log in, and balancers serve; the names of those that do not in time."""
        limit = time.monotonic() + UP_WITHIN
        waiting = list(hosts)
        while waiting and time.monotonic() < limit:
            waiting = [host for host in waiting if not self._is_up(host)]
            if waiting:
                time.sleep(0.5)
        return waiting

    def wait_answered(self, urls: Collection[str]) -> list[str]:
        """Wait until each address gives a good answer, as a balancer that was cut off does once it calls servers up."""
        limit = time.monotonic() + UP_WITHIN
        waiting = list(urls)
        while waiting and time.monotonic() < limit:
            waiting = [url for url in waiting if _version_at(url) is None]
            if waiting:
                time.sleep(0.5)
        return waiting

    def _is_up(self, host: str) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.hosts[host]["ansible_port"]), timeout=2) as connection:
                connection.settimeout(2)
                if not connection.recv(4).startswith(b"SSH-"):
                    return False
        except OSError:
            return False
        if host in self.balancers:
            seen = self._look(host)
            return seen is not None and seen.runtime is not None
        try:
            return bool(self.run(host, "docker", "version", "--format", "{{.Server.Version}}"))
        except (RuntimeError, docker.errors.APIError):
            return False

    def forget_images(self, color: str) -> None:
        """Take every container and image away from the VMs of a color, because images share their layers."""
        for host in self.vms[color]:
            self.shell(host, "docker ps -aq | xargs -r docker rm -f; docker image prune -af")

    # What can be done to a host, and how it is mended; each takes the host's name.

    def haproxy_reload(self, host: str) -> None:
        self.run(host, "systemctl", "reload", "haproxy")

    def haproxy_restart(self, host: str) -> None:
        self.run(host, "systemctl", "restart", "haproxy")

    def haproxy_kill(self, host: str) -> None:
        self.run(host, "systemctl", "kill", "--signal=KILL", "haproxy")

    def balancer_stop(self, host: str) -> None:
        self.container(host).stop(timeout=10)

    def balancer_pause(self, host: str) -> None:
        self.container(host).pause()

    def balancer_cut(self, host: str) -> None:
        self._network().disconnect(self.container(host), force=True)

    def balancer_hide(self, host: str) -> None:
        """Nobody can log in any more, and who had done so is thrown out."""
        self.shell(host, "systemctl stop ssh; pkill -KILL -x sshd || true")

    def vm_kill(self, host: str) -> None:
        self.container(host).kill()

    def container_kill(self, host: str) -> None:
        self.shell(host, f"docker ps -q --filter label=sluice.bluegreen.service={self.service} | xargs -r docker kill")

    def disk_fill(self, host: str) -> None:
        """A small disk over the state's folder, with everything that was in it, and not a byte to spare."""
        self.shell(
            host,
            f"rm -rf /run/chaos && cp -a {STATE} /run/chaos && size=$(($(du -sk {STATE} | cut -f1) + 256)) "
            f"&& mount -t tmpfs -o size=${{size}}k tmpfs {STATE} "
            f"&& cp -a /run/chaos/. {STATE}/ && {{ dd if=/dev/zero of={STATE}/full bs=1k 2>/dev/null || true; }}",
        )

    def config_break(self, host: str) -> None:
        """A file beside the services' that HAProxy refuses; it goes on with what it has loaded."""
        self.shell(host, f"printf 'frontend of nobody\\n    bind nowhere\\n' > {STRANGE}")

    def clock_ahead(self, host: str) -> None:
        """Whatever Ansible runs there has a clock an hour ahead; CLOCK_BOOTTIME is as it is."""
        self.shell(
            host,
            # libfaketime 0.9.10 lets nobody sleep by a clock that it leaves alone, as time.sleep() does (EINVAL).
            f"mkdir -p {AHEAD} && printf '%s\\n' 'import select, time' "
            f"'time.sleep = lambda seconds: select.select([], [], [], seconds) and None' > {AHEAD}/sitecustomize.py && "
            f"printf '%s\\n' '#!/bin/sh' 'export PYTHONPATH={AHEAD}${{PYTHONPATH:+:$PYTHONPATH}}' "
            f"'exec faketime --exclude-monotonic -f +1h {PYTHON}.real \"$@\"' "
            f"> {PYTHON}.new && chmod 755 {PYTHON}.new && ln -sfn $(readlink -f {PYTHON}) {PYTHON}.real "
            f"&& mv {PYTHON}.new {PYTHON}",
        )

    def mend(self, action: str, host: str) -> None:
        """Undo what the method of that name did; what mends itself needs nothing."""
        mends: dict[str, Callable[[], Any]] = {
            "balancer_stop": lambda: self.container(host).start(),
            "balancer_pause": lambda: self.container(host).unpause(),
            "balancer_cut": lambda: self._network().connect(
                self.container(host), ipv4_address=self.hosts[host]["bluegreen_address"]
            ),
            "balancer_hide": lambda: self.run(host, "systemctl", "start", "ssh"),
            "vm_kill": lambda: self.container(host).start(),
            "disk_fill": lambda: self.shell(
                host,
                f"rm -f {STATE}/full; rm -rf /run/chaos; cp -a {STATE} /run/chaos; umount {STATE}; "
                f"rm -rf {STATE}/*; cp -a /run/chaos/. {STATE}/; rm -rf /run/chaos",
            ),
            "config_break": lambda: self.run(host, "rm", "-f", STRANGE),
            "clock_ahead": lambda: self.shell(host, f"[ ! -e {PYTHON}.real ] || mv -T {PYTHON}.real {PYTHON}"),
        }
        mends.get(action, lambda: None)()

    def mend_all(self) -> None:
        """After a run that broke off: every host that there is up, connected, and with its own disk and clock."""
        there = {entry.name: entry for entry in self.engine.containers.list(all=True)}
        hosts = [host for host in self.hosts if self._name(host) in there]
        for host in hosts:
            container = there[self._name(host)]
            if container.status == "paused":
                container.unpause()
            elif container.status != "running":
                container.start()
            elif not container.attrs["NetworkSettings"]["Networks"]:
                self.mend("balancer_cut", host)
        for host in self.balancers:
            if host in hosts:
                self.mend("clock_ahead", host)
                self.mend("config_break", host)
                self.mend("balancer_hide", host)
                if f" {STATE} " in self.shell(host, "cat /proc/mounts"):
                    self.mend("disk_fill", host)

    def _network(self) -> Any:
        return self.engine.networks.get(f"sluice-{self.name}")
