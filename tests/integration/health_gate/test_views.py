"""What Docker and HAProxy say of an endpoint: an engine's answers on a real unix socket, a real HAProxy."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _container_view
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_view import BalancerView
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_stats
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import Answer
from health_servers import HELD, Servers, answer, read_request
from test_health_gate_module import ROOT, run

sys.path.insert(0, str(ROOT / "tests" / "integration" / "haproxy"))

# It lies in the folder beside this one.
from haproxy_process import HAProxy, WebServer, free_port, haproxy_program, short_folder, until, web_servers

Behaviour = Callable[[socket.socket], None]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[[Behaviour], str]]:
    """Starts what answers like a Docker Engine at a unix socket; gives its path."""
    opened: list[socket.socket] = []

    def start(behave: Behaviour) -> str:
        path = str(tmp_path / "docker.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        opened.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                opened.append(connection)
                threading.Thread(target=behave, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return path

    yield start
    for one in opened:
        one.close()


def inspected(state: Any, status: int = 200, seen: list[bytes] | None = None) -> Behaviour:
    """Answers every inspection with this state, or with what it gives when it is asked."""

    def behave(connection: socket.socket) -> None:
        request = read_request(connection)
        if seen is not None:
            seen.append(request)
        body = json.dumps({"State": state() if callable(state) else state}).encode()
        connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.close()

    return behave


def running(health: str, output: str = "") -> dict[str, Any]:
    return {"Status": "running", "Health": {"Status": health, "Log": [{"Output": output}]}}


@pytest.mark.parametrize(
    ("state", "status", "ok", "docker", "reason"),
    [
        (running("healthy"), 200, True, "healthy", ""),
        (running("starting"), 200, False, "starting", "Docker calls the container shop-green-v2 starting"),
        (
            running("unhealthy", "connect: refused\n"),
            200,
            False,
            "unhealthy",
            "Docker calls the container shop-green-v2 unhealthy (its check said 'connect: refused')",
        ),
        (
            {"Status": "running"},
            200,
            False,
            "none",
            "the image of shop-green-v2 has no health check; give it a HEALTHCHECK, or leave health.docker out",
        ),
        (
            {"Status": "exited", "ExitCode": 137},
            200,
            False,
            "exited",
            "the container shop-green-v2 is exited (exit code 137)",
        ),
        ({"Status": "restarting"}, 200, False, "restarting", "the container shop-green-v2 is restarting"),
        (None, 404, False, "missing", "Docker has no container shop-green-v2"),
        (None, 500, False, None, "Docker answered with status 500 and not with a container's state"),
    ],
)
def test_what_the_engine_says_of_a_container_is_told(
    engine: Callable[[Behaviour], str], state: Any, status: int, ok: bool, docker: str | None, reason: str
) -> None:
    seen: list[bytes] = []
    found = _container_view.look("shop-green-v2", engine(inspected(state, status, seen)), 5.0)
    assert (found.ok, found.reason, found.seen.get("docker")) == (ok, reason, docker)
    assert seen[0].startswith(b"GET /containers/shop-green-v2/json HTTP/1.1\r\n")


def test_an_engine_that_hangs_or_is_not_there_ends_in_time(
    engine: Callable[[Behaviour], str], servers: Servers, tmp_path: Path
) -> None:
    path = engine(lambda _connection: servers.ending.wait(HELD) and None)
    assert _container_view.look("a", path, 0.3).reason == f"Docker at {path}: no answer within 0.3 s"
    gone = str(tmp_path / "gone.sock")
    assert _container_view.look("a", gone, 5.0).reason == f"Docker at {gone}: no such file or directory"
    assert not _container_view.look("a", "/" + "x" * 200, 5.0).ok, "longer than the path of a socket may be"


def test_a_socket_elsewhere_is_refused() -> None:
    assert _container_view.socket_path("unix:///run/docker.sock") == _container_view.socket_path("/run/docker.sock")
    with pytest.raises(
        InputError, match=r"docker_socket: 'tcp://198\.18\.0\.1:2375' is not a unix socket such as unix://"
    ):
        _container_view.socket_path("tcp://198.18.0.1:2375")


def test_the_module_waits_until_docker_calls_the_container_healthy(
    engine: Callable[[Behaviour], str], servers: Servers
) -> None:
    states = iter([running("starting")] * 3)
    path = engine(inspected(lambda: next(states, running("healthy"))))
    result = run(
        {"green1": servers.start(answer())},
        container="shop-green-v2",
        docker_socket=f"unix://{path}",
        health={"docker": True, "interval": "100ms", "timeout": "40s"},
    )
    assert result["healthy"] is True
    entry = result["endpoints"]["green1"]
    assert (entry["docker"], entry["successes"]) == ("healthy", 3)
    assert entry["attempts"] >= 6, "it had answered three times over HTTP while Docker still said starting"


@pytest.fixture
def haproxy() -> Iterator[HAProxy]:
    with short_folder() as folder:
        balancer = HAProxy(Path(folder), haproxy_program())
        yield balancer
        balancer.stop()


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_servers() as start:
        yield start("green1")


def start(haproxy: HAProxy, web: WebServer) -> None:
    """green1 is well and has no traffic yet, green2 is not there; blue1 has all of the traffic."""
    haproxy.service(
        {"blue": {"blue1": web.port}, "green": {"green1": web.port, "green2": free_port()}},
        {"blue1": 100, "green1": 0, "green2": 0},
        {"blue": 100.0, "green": 0.0},
        check="check inter 50ms rise 1 fall 1",
    )
    haproxy.start()


def test_what_haproxy_calls_a_server_is_told(haproxy: HAProxy, web: WebServer) -> None:
    start(haproxy, web)

    def look(server: str) -> Answer:
        return BalancerView(lambda: server_stats(haproxy.runtime, "shop")).look(server)

    until("green2 is down", lambda: look("green2").seen["haproxy"] == "DOWN")
    assert look("blue1").ok
    assert look("green1").ok, "a server without traffic yet"
    down = look("green2")
    assert not down.ok and down.reason.startswith("HAProxy calls it DOWN (L4CON "), down.reason
    assert look("green3").reason == "HAProxy has no such server"
    haproxy.runtime.act(["set server shop/green1 state maint"])
    assert look("green1").reason.startswith("HAProxy calls it MAINT")
    haproxy.stop()
    assert "HAProxy" in look("green1").reason and not look("green1").ok


def test_the_module_asks_haproxy_too(haproxy: HAProxy, web: WebServer) -> None:
    start(haproxy, web)
    view = {"service": "shop", "socket": haproxy.socket}
    health = {"interval": "100ms", "timeout": 10}
    result = run({"green1": web.port}, haproxy=view, health=health)
    assert (result["healthy"], result["endpoints"]["green1"]["haproxy"]) == (True, "UP"), result["msg"]
    # It answers, and yet the balancer would send it nothing.
    result = run({"green2": web.port}, haproxy=view, health={**health, "timeout": 2})
    assert "HAProxy calls it DOWN" in result["msg"]
    both = run({"green1": web.port, "green2": web.port}, haproxy=view, health=health, quorum="50%")
    assert (both["healthy"], both["needed"], both["unhealthy"]) == (True, 1, ["green2"])
    assert "1 of 2 healthy after" in both["msg"] and ", 1 wanted: green2 http://" in both["msg"]
