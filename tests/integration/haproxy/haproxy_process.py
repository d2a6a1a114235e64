# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real HAProxy processes on ports and sockets of their own, and small web servers behind them."""

from __future__ import annotations

import contextlib
import functools
import http.client
import http.server
import os
import secrets
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._config import header_line
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import process_info

PATIENCE = 10.0
PORTS = range(20000, 30000)


def haproxy_program() -> str:
    """/usr/sbin/haproxy, or what the environment variable HAPROXY names."""
    found = shutil.which(os.environ.get("HAPROXY", "/usr/sbin/haproxy"))
    assert found, "these tests need HAProxy: apt-get install haproxy"
    return found


def self_signed(folder: Path) -> Path:
    """A certificate for ``shop`` with its key, in one file as HAProxy reads them."""
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop"]
    subprocess.run([*request, "-out", "crt", "-keyout", "key"], cwd=folder, check=True, capture_output=True)
    certificate = folder / "shop.pem"
    certificate.write_text((folder / "crt").read_text() + (folder / "key").read_text())
    return certificate


def until(what: str, holds: Callable[[], object], limit: float | None = None) -> None:
    """Wait for real processes, with a limit, ``PATIENCE`` unless told."""
    # Read here, because the benchmark has more of it.
    limit = PATIENCE if limit is None else limit
    deadline = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what}"
        time.sleep(0.01)


def free_port() -> int:
    """Below those that the kernel gives to connections, one of which may be in use when HAProxy binds it."""
    while True:
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@functools.cache
def open_port() -> int:
    """A port of 127.0.0.1 that takes connections and closes them, until the tests are over."""
    server = socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler, bind_and_activate=False)
    server.request_queue_size = 1024
    server.server_bind()
    server.server_activate()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


class WebServer(http.server.ThreadingHTTPServer):
    """Answers every request with ``status`` after ``delay`` s; None closes the connection without an answer."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), WebHandler)
        self.name = name
        self.status: int | None = 200
        self.delay = 0.0
        self.requests = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """HAProxy may close a connection at any time."""


class WebHandler(http.server.BaseHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.1"
    # Header and body leave in one packet, or each answer would wait 40 ms for an acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.requests += 1
        time.sleep(self.server.delay)
        if self.server.status is None:
            self.close_connection = True
            return
        body = self.server.name.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def short_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for sockets, whose paths have at most 108 characters; those that pytest makes may be longer."""
    return tempfile.TemporaryDirectory(prefix="sluice-")


@contextlib.contextmanager
def web_servers() -> Iterator[Callable[[str], WebServer]]:
    """Starts web servers by their names, and ends all of them."""
    servers: list[WebServer] = []

    def start(name: str) -> WebServer:
        servers.append(WebServer(name))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class HAProxy:
    """One process with a main file, a folder of services and its sockets, all in ``folder``."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.program = program
        self.conf_dir = folder / "conf.d"
        self.conf_dir.mkdir()
        self.main = folder / "haproxy.cfg"
        self.socket = str(folder / "admin.sock")
        self.listen = free_port()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.main.write_text(
            f"""global
    stats socket {self.socket} mode 600 level admin expose-fd listeners
    stats socket {self.socket}.user mode 600 level user
    stats socket {self.socket}.operator mode 600 level operator
    stats timeout 10s
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    retries 0
"""
        )

    def service(
        self,
        colors: Mapping[str, Mapping[str, int]],
        weights: Mapping[str, int],
        shares: Mapping[str, float],
        name: str = "shop",
        listen: int | None = None,
        extra: str = "    balance roundrobin\n",
        check: str = "check inter 60s",
    ) -> Path:
        """Write a service's file; ``colors``: color to server to port."""
        ports = {server: port for servers in colors.values() for server, port in servers.items()}
        lines = [
            header_line(name, shares),
            f"frontend {name}_in",
            f"    bind 127.0.0.1:{listen or self.listen}",
            f"    default_backend {name}",
            f"backend {name}",
            extra.rstrip("\n"),
            *(
                f"    server {server} 127.0.0.1:{port} weight {weights[server]} {check}"
                for server, port in ports.items()
            ),
        ]
        for color, servers in colors.items():
            lines.append(f"backend {name}_{color}")
            lines += [f"    server {server} 127.0.0.1:{port} track {name}/{server}" for server, port in servers.items()]
        path = self.conf_dir / f"{name}.cfg"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, *arguments: str) -> None:
        command = [self.program, "-db", "-f", str(self.main), "-f", str(self.conf_dir), *arguments]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        until("HAProxy runs", lambda: process.poll() is not None or self._pid() == process.pid)
        assert process.poll() is None, (self.folder / "log").read_text()

    def reload(self) -> None:
        """As the service does it: a new process takes over the listening sockets, the old one finishes and goes."""
        old = self.processes[-1].pid
        self.start("-x", self.socket, "-sf", str(old))

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def _pid(self) -> int | None:
        with contextlib.suppress(BalancerError):
            return process_info(self.runtime).pid
        return None

    @property
    def runtime(self) -> RuntimeSocket:
        return RuntimeSocket(self.socket)


def get(port: int, count: int, method: str = "GET", keep: bool = True) -> Counter[str]:
    """Send requests, one after the other; count the answers by the server's name, or the status where not 200."""
    answers: Counter[str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for _number in range(count):
        try:
            connection.request(method, "/", headers={} if keep else {"Connection": "close"})
            response = connection.getresponse()
            body = response.read().decode()
            answers[body if response.status == 200 else str(response.status)] += 1
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            answers[type(error).__name__] += 1
    connection.close()
    return answers
