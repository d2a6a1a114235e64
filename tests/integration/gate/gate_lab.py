"""Two real HAProxy processes as balancers, real servers behind them, and a real ansible-playbook in front."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
import yaml
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _latency

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "haproxy"))

from haproxy_process import free_port, get, haproxy_program

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(os.environ.get("GATE_ANSIBLE_PLAYBOOK", Path(sys.executable).parent / "ansible-playbook"))

CONFIG = """
global
    stats socket {socket} mode 600 level admin
    nbthread 1
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend in
    bind 127.0.0.1:{port}
    http-request set-var(txn.sluice_began) date(0,us)
    default_backend shop
backend shop
    option httpchk GET /healthz
{histogram}
    server blue1 127.0.0.1:{blue} weight 50 check inter 200ms
    server green1 127.0.0.1:{green1} weight 25 check inter 200ms
    server green2 127.0.0.1:{green2} weight 25 check inter 200ms
"""
# What the template of the role haproxy writes for a service, as every HAProxy since 2.2 takes it.
HISTOGRAM = """
    http-response set-var(txn.sluice_bucket) date(0,us),sub(txn.sluice_began),map_ip_int({map})
    http-response set-header x-sluice-retries %rc
    http-response track-sc2 srv_id,mul(256),add(txn.sluice_bucket) table shop_latency if \
        {{ var(txn.sluice_bucket) -m found }} {{ res.hdr(x-sluice-retries) -m str 0 }}
"""
HISTOGRAM_TABLE = """
backend shop_latency
    stick-table type integer size 1k nopurge store conn_cnt
"""


class App:
    """A server that fails every n-th request, closes on every n-th, and takes ``delay`` s for each."""

    def __init__(self) -> None:
        self.fail_every = 0
        self.close_every = 0
        self.delay = 0.0
        self.served = 0
        self.failed = 0
        self.took: list[float] = []
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                app.served += self.path == "/"
                if self.path == "/":
                    time.sleep(app.delay)
                    app.took.append(app.delay)
                bad = app.fail_every and self.path == "/" and app.served % app.fail_every == 0
                app.failed += bool(bad)
                if app.close_every and self.path == "/" and app.served % app.close_every == 0:
                    return
                # Whoever asked may be gone by now, for instance a balancer that a test stopped.
                with contextlib.suppress(OSError):
                    self.send_response(500 if bad else 200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            do_POST = do_GET  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Balancer:
    """One HAProxy process with its own socket and listener."""

    def __init__(self, name: str, folder: Path, apps: dict[str, App], histogram: bool = True) -> None:
        self.name = name
        self.socket = folder / f"{name}.sock"
        self.port = free_port()
        self._log = folder / f"{name}.log"
        config = folder / f"{name}.cfg"
        ports = {"blue": apps["blue1"].port, "green1": apps["green1"].port, "green2": apps["green2"].port}
        rules = table = ""
        if histogram:
            (folder / "latency.map").write_text("\n".join(_latency.map_lines()) + "\n")
            rules, table = HISTOGRAM.format(map=folder / "latency.map"), HISTOGRAM_TABLE
        config.write_text(CONFIG.format(socket=self.socket, port=self.port, histogram=rules, **ports) + table)
        self._command = [haproxy_program(), "-db", "-f", str(config)]
        self.process = self._start()

    def _start(self, *more: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen([*self._command, *more], stderr=log)

    def up(self) -> bool:
        """Whether the checks have found every server."""
        assert self.process.poll() is None, self._log.read_text()
        return self.command("show stat").count(",UP,") >= 3

    def reload(self) -> None:
        """A new process takes over and works with what the file says; the old one goes."""
        old = self.process
        self.process = self._start("-sf", str(old.pid))
        old.wait(10)

    def command(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.socket))
            client.sendall(f"{command}\n".encode())
            return client.recv(65536).decode()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Load:
    """A steady trickle of requests through every balancer, from ``clients`` that may ``keep`` their connections."""

    def __init__(self, balancers: list[Balancer], clients: int = 1, keep: bool = False) -> None:
        self._ports = [balancer.port for balancer in balancers]
        self._stop = threading.Event()
        run = self._run_kept if keep else self._run
        self._threads = [threading.Thread(target=run, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for port in self._ports:
                with contextlib.suppress(HTTPError, URLError, OSError):
                    urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            time.sleep(0.01)

    def _run_kept(self) -> None:
        """Requests that may not be sent twice, on connections that had others before."""
        while not self._stop.is_set():
            for port in self._ports:
                get(port, 50, "POST")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Site:
    def __init__(self, folder: Path, histogram: bool = True) -> None:
        self.folder = folder
        self.apps = {name: App() for name in ("blue1", "green1", "green2")}
        self.balancers = [Balancer(name, folder, self.apps, histogram) for name in ("lb1", "lb2")]
        self._load: Load | None = None
        for balancer in self.balancers:
            wait_until(balancer.up, "servers come up")

    def load(self, clients: int = 1, keep: bool = False) -> None:
        self._load = Load(self.balancers, clients, keep)

    def no_load(self) -> None:
        if self._load:
            self._load.stop()
            self._load = None

    def stop(self) -> None:
        self.no_load()
        for balancer in self.balancers:
            balancer.stop()
        for app in self.apps.values():
            app.stop()

    def gate(self, **more: object) -> dict[str, object]:
        """Arguments of a gate at 50 % that ends soon."""
        return {
            "service": "shop",
            "candidate": "green",
            "servers": [
                {"name": "blue1", "color": "blue"},
                {"name": "green1", "color": "green"},
                {"name": "green2", "color": "green"},
            ],
            "weights": {"blue1": 50, "green1": 25, "green2": 25},
            "gates": {"errors": {"margin": "3pp"}},
            "socket": {balancer.name: str(balancer.socket) for balancer in self.balancers},
            "stage": 1,
            "split": 50,
            "tick": 1,
            "dwell": 4,
            "timeout": 40,
            "lease": 20,
            **more,
        }

    def hosts(self) -> dict[str, dict[str, object]]:
        return {balancer.name: {} for balancer in self.balancers}


class Playbook:
    """A play with one metrics_gate task, run by a real ansible-playbook."""

    def __init__(self, folder: Path, gate: dict[str, object], hosts: dict[str, dict[str, object]], *more: str) -> None:
        self.folder = folder
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"balancers": {"hosts": hosts, "vars": local}}
        (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        (folder / "play.yml").write_text(yaml.safe_dump([self._play(gate)]))
        (folder / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n")
        self.process = subprocess.Popen(
            [str(PLAYBOOK), "-i", str(folder / "hosts.yml"), str(folder / "play.yml"), *more],
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
                "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
                "ANSIBLE_HOME": str(folder / "ansible"),
                "ANSIBLE_HOST_KEY_CHECKING": "false",
                "ANSIBLE_PIPELINING": "true",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _play(self, gate: dict[str, object]) -> dict[str, object]:
        keep = {"content": "{{ gate | to_json }}", "dest": str(self.folder / "result.json"), "mode": "0600"}
        judge = {"name": "Judge", "sluice.bluegreen.metrics_gate": gate, "run_once": True, "register": "gate"}
        write = {"name": "Keep the result", "ansible.builtin.copy": keep, "run_once": True, "check_mode": False}
        return {
            "hosts": "balancers",
            "gather_facts": False,
            "tasks": [{**judge, "ignore_errors": True}, write],
        }

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.output, f"{words!r} in the output of the playbook", 60)

    def result(self) -> dict[str, object]:
        """The registered result, once the playbook is through."""
        code = self.process.wait(120)
        self._reader.join(10)
        assert code == 0, self.output
        return json.loads((self.folder / "result.json").read_text())


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Playbook]]:
    """Start a playbook: arguments of the gate, hosts, and more for the command line."""
    running: list[Playbook] = []

    def start(gate: dict[str, object], hosts: dict[str, dict[str, object]], *more: str) -> Playbook:
        running.append(Playbook(tmp_path, gate, hosts, *more))
        return running[-1]

    yield start
    for playbook in running:
        playbook.process.kill()
        playbook.process.wait()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.stop()


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail(f"waited {seconds:g} s in vain: {what}")
