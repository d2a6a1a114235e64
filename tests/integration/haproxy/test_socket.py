# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Runtime API: every reply that is parsed, from HAProxy itself, and peers that misbehave."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError, InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._socket import RuntimeSocket
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import (
    process_info,
    server_states,
    server_stats,
)
from haproxy_process import HAProxy

STATIC = "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'"


@pytest.fixture
def running(haproxy: HAProxy) -> HAProxy:
    servers = {"blue": {"blue1": 9}, "green": {"green1": 9}}
    haproxy.service(servers, {"blue1": 256, "green1": 0}, {"blue": 100, "green": 0})
    with haproxy.main.open("a") as main:
        for name, balance in (("hashed", "source"), ("static", "static-rr")):
            main.write(f"backend {name}\n    balance {balance}\n    server one 127.0.0.1:9 weight 5\n")
    haproxy.start()
    return haproxy


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("set server shop/nobody weight 1", "No such server"),
        ("set server nothing/blue1 weight 1", "No such backend"),
        ("set server shop/blue1 weight 257", "Absolute weight can only be between 0 and 256 inclusive"),
        ("set server shop/blue1 weight -1", "Absolute weight can only be between 0 and 256 inclusive"),
        ("set server shop/blue1 weight 1x", "Trailing garbage in weight string"),
        ("set server shop/blue1 weight x", "Empty weight string empty or preceded by garbage"),
        ("set server shop/blue1 weight", "Require <weight> or <weight%>"),
        ("set server hashed/one weight 6", STATIC),
        ("set server static/one weight 6", STATIC),
        ("set sirver shop/blue1 weight 1", "Unknown command"),
    ],
)
def test_a_refused_command_is_raised_with_its_reply(running: HAProxy, command: str, reply: str) -> None:
    with pytest.raises(BalancerError) as raised:
        running.runtime.act(["set server shop/blue1 weight 250", command, "set server shop/green1 weight 3"])
    assert f"refused `{command}`: {reply}" in str(raised.value)
    assert raised.value.details["command"] == command
    assert len(raised.value.details["refused"]) == 1, "the replies to the other commands are theirs"
    weights = {name: state.weight for name, state in server_states(running.runtime, "shop").items()}
    assert weights == {"blue1": 250, "green1": 3}, "a refused command does not swallow the others"


@pytest.mark.parametrize("level", ["user", "operator"])
def test_a_socket_without_the_level_is_told_apart_with_the_way_out(running: HAProxy, level: str) -> None:
    sock = RuntimeSocket(f"{running.socket}.{level}")
    with pytest.raises(
        BalancerError, match=r"refused `set server shop/blue1 weight 1`: Permission denied\. .*level admin"
    ):
        sock.act(["set server shop/blue1 weight 1"])
    assert process_info(sock).pid == running.processes[-1].pid, "reading needs no level"


def test_a_backend_that_haproxy_does_not_have_is_an_error_for_every_reader(running: HAProxy) -> None:
    with pytest.raises(BalancerError, match="no backend cart"):
        server_states(running.runtime, "cart")
    with pytest.raises(BalancerError, match=r"no backend cart|cannot be read"):
        server_stats(running.runtime, "cart")


def test_replies_stay_with_their_commands_also_where_haproxy_forgets_the_empty_line(running: HAProxy) -> None:
    commands = [
        "set server shop/blue1 weight x",
        "show info",
        "set server shop/blue1 weight 7",
        "show servers state shop",
    ]
    replies = running.runtime.run(commands * 50)
    for number in range(50):
        garbage, info, weight, states = replies[4 * number : 4 * number + 4]
        assert garbage.startswith("Empty weight string")
        assert info.startswith("Name: HAProxy")
        assert weight == ""
        assert states.startswith("1\n# be_id")


def test_two_thousand_commands_take_one_session(running: HAProxy) -> None:
    before = int(dict(line.split(": ", 1) for line in running.runtime.run(["show info"])[0].splitlines())["CumConns"])
    running.runtime.act([f"set server shop/blue1 weight {number % 257}" for number in range(2000)])
    after = int(dict(line.split(": ", 1) for line in running.runtime.run(["show info"])[0].splitlines())["CumConns"])
    assert after - before == 2, "one for the weights, one for this question"


@pytest.mark.parametrize("command", ["", "show info;show stat", "show info\nquit", "add map x <<", "a\\;b"])
def test_what_would_not_be_one_command_is_never_sent(command: str) -> None:
    with pytest.raises(InputError, match="Not a single command"):
        RuntimeSocket("/nonexistent").run(["show info", command])


def test_a_missing_socket_says_that_haproxy_does_not_run_here(tmp_path: Path) -> None:
    with pytest.raises(
        BalancerError, match=r"none\.sock does not exist, so this is a balancer without a running HAProxy"
    ):
        RuntimeSocket(str(tmp_path / "none.sock")).run(["show info"])


def test_a_socket_that_nobody_listens_at_says_that_haproxy_has_stopped(tmp_path: Path) -> None:
    path = str(tmp_path / "left.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    with pytest.raises(BalancerError, match="has nobody behind it: HAProxy is not running"):
        RuntimeSocket(path).run(["show info"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without permission")
def test_a_socket_without_permission_says_so(running: HAProxy) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(BalancerError, match=r"denies permission\. Run as root"):
            running.runtime.run(["show info"])
    finally:
        os.seteuid(0)


@contextmanager
def peer(path: Path, play: Callable[[socket.socket], None]) -> Iterator[str]:
    """A socket that takes connections and plays its part with each."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with connection:
                play(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield str(path)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_peer_that_closes_in_the_middle_of_a_reply_is_named_with_the_command(tmp_path: Path) -> None:
    def close_early(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\n> \n> half a repl")

    with peer(tmp_path / "s", close_early) as path, pytest.raises(BalancerError) as raised:
        RuntimeSocket(path).run(["set server shop/a weight 1", "set server shop/b weight 2"])
    assert "closed the connection after 1 of 2 replies, while that to `set server shop/b weight 2` was due" in str(
        raised.value
    )
    assert raised.value.details["answered"] == 1


def test_a_peer_that_stops_answering_costs_the_time_limit_and_no_more(tmp_path: Path) -> None:
    done = threading.Event()

    def fall_silent(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\n> \n> ")
        done.wait(60)

    with peer(tmp_path / "s", fall_silent) as path:
        with pytest.raises(BalancerError, match=r"did not answer within 0\.2 s after 1 of 2 replies"):
            RuntimeSocket(path, timeout=0.2).run(["set server shop/a weight 1", "set server shop/b weight 2"])
        done.set()


def test_a_peer_that_trickles_for_ever_is_held_to_the_same_limit(tmp_path: Path) -> None:
    done = threading.Event()

    def trickle(connection: socket.socket) -> None:
        while not done.wait(0.01):
            try:
                connection.sendall(b".")
            except OSError:
                return

    with peer(tmp_path / "s", trickle) as path:
        with pytest.raises(BalancerError, match=r"did not answer within 0\.2 s after 0 of 1 replies"):
            RuntimeSocket(path, timeout=0.2).run(["show info"])
        done.set()


def test_a_peer_that_never_reads_does_not_block_the_sender(tmp_path: Path) -> None:
    done = threading.Event()
    with peer(tmp_path / "s", lambda connection: done.wait(5) and None) as path:
        commands = [f"set server shop/{'a' * 100_000} weight 1" for _number in range(10)]
        with pytest.raises(BalancerError, match="did not answer within"):
            RuntimeSocket(path, timeout=0.2).run(commands)
        done.set()
