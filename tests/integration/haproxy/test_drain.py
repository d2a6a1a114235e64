# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that outlive a shift: they are waited for, and cut when that takes too long."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError, StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_stats
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from ansible_collections.sluice.bluegreen.plugins.modules import haproxy_drain
from haproxy_process import PATIENCE, HAProxy, until

NAMES = {"blue": ["blue1", "blue2"], "green": ["green1"]}
SERVERS = [{"name": name, "color": color} for color, names in NAMES.items() for name in names]
ON_BLUE, ON_GREEN = {"blue": 100.0, "green": 0.0}, {"blue": 0.0, "green": 100.0}
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
# The key and its answer of RFC 6455, section 1.3.
ASK = WEBSOCKET + b"Host: shop\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
AGREE = WEBSOCKET + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\n" + AGREE


class Echo:
    """Keeps every connection open and says its name to whatever comes in, after the answer that opens a WebSocket."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _address = self.listener.accept()
                threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            while received := peer.recv(4096):
                peer.sendall(UPGRADE if received.startswith(b"GET ") else self.name.encode())


class Client:
    """One long-lived connection through HAProxy."""

    def __init__(self, port: int, path: str | None) -> None:
        self.peer = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if path:
            self.peer.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\n" + ASK)
            assert self.peer.recv(4096).startswith(b"HTTP/1.1 101"), "the connection is a WebSocket now"

    def ask(self) -> str:
        """The name of the server at the other end, empty where HAProxy has cut the connection."""
        with contextlib.suppress(ConnectionError):
            self.peer.sendall(b"who?")
            return self.peer.recv(4096).decode()
        return ""


@pytest.fixture
def echoes() -> Iterator[dict[str, dict[str, int]]]:
    servers = {color: {name: Echo(name) for name in names} for color, names in NAMES.items()}
    yield {color: {name: server.port for name, server in of.items()} for color, of in servers.items()}
    for of_color in servers.values():
        for server in of_color.values():
            server.listener.close()


@pytest.fixture
def connect(haproxy: HAProxy) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def start(path: str | None = "/ws") -> Client:
        clients.append(Client(haproxy.listen, path))
        return clients[-1]

    yield start
    for client in clients:
        client.peer.close()


@pytest.fixture
def shop(haproxy: HAProxy, echoes: dict[str, dict[str, int]], request: pytest.FixtureRequest) -> HAProxy:
    """All on blue; over HTTP or, where the test says so, over TCP. `/direct` goes to green, whatever its share."""
    mode = getattr(request, "param", "http")
    path = haproxy.service(echoes, split_weights(NAMES, ON_BLUE), ON_BLUE, extra=f"    mode {mode}\n")
    rule = "    use_backend shop_green if { path /direct }\n" if mode == "http" else ""
    path.write_text(path.read_text().replace("    default_backend", f"    mode {mode}\n{rule}    default_backend", 1))
    haproxy.start()
    return haproxy


def drain(shop: HAProxy, tmp_path: Path, color: str = "blue", check_mode: bool = False, **changes: Any) -> Any:
    params = {
        "service": "shop",
        "servers": SERVERS,
        "color": color,
        "timeout": 0.3,
        "interval": 0.05,
        "direct": False,
        "cut": True,
        "release_id": None,
        "socket": shop.socket,
        "config_dir": str(shop.conf_dir),
        "state_dir": str(tmp_path / "lib"),
        "run_dir": str(tmp_path / "run"),
        **changes,
    }
    warnings: list[str] = []
    result = haproxy_drain.run(params, check_mode, warnings.append)
    assert not warnings
    return result


@pytest.fixture
def after_first_look(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something between the first look of a drain and the next."""

    def then(happens: Callable[[], object]) -> None:
        left = [happens]

        class Looked(haproxy_drain.RuntimeSocket):
            def run(self, commands: Any) -> Any:
                replies = super().run(commands)
                while left:
                    left.pop()()
                return replies

        monkeypatch.setattr(haproxy_drain, "RuntimeSocket", Looked)

    return then


def sessions(shop: HAProxy, backend: str = "shop") -> dict[str, int]:
    return {name: stats.scur for name, stats in server_stats(shop.runtime, backend).items() if stats.scur}


@pytest.mark.parametrize("shop", ["http", "tcp"], indirect=True)
def test_connections_that_do_not_end_are_cut_and_counted_and_the_others_stay(
    shop: HAProxy, connect: Callable[..., Client], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = "/ws" if request.node.callspec.params["shop"] == "http" else None
    blue = [connect(path) for _number in range(3)]
    assert {client.ask() for client in blue} == {"blue1", "blue2"}
    shift(shop.runtime, "shop", split_weights(NAMES, ON_GREEN))
    green = connect(path)
    assert green.ask() == "green1"
    assert {client.ask() for client in blue} == {"blue1", "blue2"}, "weight 0 ends no connection"

    found = drain(shop, tmp_path, release_id="r1")
    assert found["sessions"] == found["cut"]
    assert (found["changed"], found["cut_total"], found["left"]) == (True, 3, {})
    assert sorted(found["commands"]) == [f"shutdown sessions server shop/{name}" for name in NAMES["blue"]]
    assert [client.ask() for client in blue] == ["", "", ""]
    assert green.ask() == "green1"
    (event,) = _journal.read(tmp_path / "lib" / "shop" / "journal.jsonl").events
    assert (event["event"], event["release_id"], event["data"]["cut"]) == ("drained", "r1", found["cut"])

    again = drain(shop, tmp_path)
    assert (again["changed"], again["sessions"], again["commands"]) == (False, {}, [])


def test_connections_that_end_in_time_are_not_cut(
    shop: HAProxy, connect: Callable[..., Client], tmp_path: Path, after_first_look: Callable[..., None]
) -> None:
    client = connect()
    shift(shop.runtime, "shop", split_weights(NAMES, ON_GREEN))
    after_first_look(client.peer.close)
    found = drain(shop, tmp_path, timeout=PATIENCE, release_id="r1")
    assert (found["changed"], found["cut"], found["left"]) == (False, {}, {})
    assert sum(found["sessions"].values()) == 1
    assert not (tmp_path / "lib").exists(), "nothing was done that a journal should tell"


def test_a_color_that_still_has_traffic_is_refused_and_keeps_its_connections(
    shop: HAProxy, connect: Callable[..., Client], tmp_path: Path
) -> None:
    client = connect()
    with pytest.raises(StateError, match=r"blue1, blue2 still get requests at .* Take the traffic away first"):
        drain(shop, tmp_path, timeout=0)
    assert client.ask() == "blue1"


def test_a_color_that_gets_traffic_while_it_is_waited_for_is_not_cut(
    shop: HAProxy, connect: Callable[..., Client], tmp_path: Path, after_first_look: Callable[..., None]
) -> None:
    client = connect()
    shift(shop.runtime, "shop", split_weights(NAMES, ON_GREEN))
    after_first_look(lambda: shift(shop.runtime, "shop", split_weights(NAMES, ON_BLUE)))
    with pytest.raises(StateError, match="still get requests"):
        drain(shop, tmp_path, timeout=PATIENCE)
    assert client.ask() == "blue1"


def test_check_mode_looks_once_and_cuts_nothing(shop: HAProxy, connect: Callable[..., Client], tmp_path: Path) -> None:
    client = connect()
    shift(shop.runtime, "shop", split_weights(NAMES, ON_GREEN))
    found = drain(shop, tmp_path, check_mode=True, timeout=3600)
    assert (found["changed"], found["cut"], found["left"]) == (True, {}, {"blue1": 1})
    assert found["commands"] == ["shutdown sessions server shop/blue1"]
    assert client.ask() == "blue1"


def test_sessions_of_previews_end_only_where_that_is_asked_for(
    shop: HAProxy, connect: Callable[..., Client], tmp_path: Path
) -> None:
    preview = connect("/direct")
    assert preview.ask() == "green1"
    assert drain(shop, tmp_path, "green")["sessions"] == {}
    assert preview.ask() == "green1"
    found = drain(shop, tmp_path, "green", direct=True)
    assert (found["cut"], found["commands"]) == ({"green1": 1}, ["shutdown sessions server shop_green/green1"])
    assert preview.ask() == ""


def test_what_is_not_to_be_cut_is_waited_for_and_left(
    shop: HAProxy, connect: Callable[..., Client], tmp_path: Path
) -> None:
    client = connect()
    shift(shop.runtime, "shop", split_weights(NAMES, ON_GREEN))
    found = drain(shop, tmp_path, cut=False)
    assert (found["changed"], found["cut"], found["left"], found["commands"]) == (False, {}, {"blue1": 1}, [])
    assert found["waited"] >= 0.3
    assert client.ask() == "blue1"


def test_a_server_that_haproxy_does_not_have_is_named(shop: HAProxy, tmp_path: Path) -> None:
    with pytest.raises(BalancerError, match=r"does not have green2 in backend shop\. Run sluice\.bluegreen\.site"):
        drain(shop, tmp_path, "green", servers=[*SERVERS, {"name": "green2", "color": "green"}])


def test_a_session_that_haproxy_does_not_end_is_told_as_left(
    shop: HAProxy, connect: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    shift(shop.runtime, "shop", split_weights(NAMES, ON_GREEN))
    monkeypatch.setattr("ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._drain.CUT_SECONDS", 0.1)

    class Deaf(haproxy_drain.RuntimeSocket):
        def act(self, commands: Any) -> None:
            """HAProxy was told, and does nothing."""

    monkeypatch.setattr(haproxy_drain, "RuntimeSocket", Deaf)
    found = drain(shop, tmp_path)
    assert found["left"] == found["cut"] == {"blue1": 1}
    until("it is still there", lambda: sessions(shop) == {"blue1": 1})
