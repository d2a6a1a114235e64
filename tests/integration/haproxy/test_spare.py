# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""While no server that has a share is up, the stable color answers, and never any other."""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._config import commit, committed_weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._latency import histograms
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._roles import follow
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._shift import shift
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_states, server_stats
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._weights import split_weights
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths
from haproxy_process import PATIENCE, HAProxy, WebServer, get, until
from role_template import servers, write

Web = Callable[[str], WebServer]
STABLE = {"blue": 100.0, "green": 0.0}
ALL_GREEN = {"blue": 0.0, "green": 100.0}
NOTHING = {"blue": 0.0, "green": 0.0}
NAMES = {"blue": ["blue1"], "green": ["green1", "green2"]}
ALL = {"blue1", "green1", "green2"}
AS_IT_IS = {"haproxy_managed": False}
# As the role sets them, but for the time that a check takes.
QUICK = {**AS_IT_IS, "haproxy_check_inter": "200ms", "haproxy_check_fastinter": "100ms"}


class Shop:
    """The service's real HAProxy with its servers and its journal."""

    def __init__(
        self,
        haproxy: HAProxy,
        web: Web,
        shares: Mapping[str, float],
        page: Mapping[str, Any],
        settings: Mapping[str, Any] = QUICK,
    ) -> None:
        self.haproxy = haproxy
        self.web = {name: web(name) for names in NAMES.values() for name in names}
        ports = {color: [self.web[name].port for name in names] for color, names in NAMES.items()}
        self.file = write(haproxy, {"name": "shop", "servers": servers(**ports), **page}, shares, **settings)
        folder = haproxy.folder
        self.paths = ServicePaths("shop", str(folder / "lib"), str(folder / "run"), str(haproxy.conf_dir))
        haproxy.start()

    def note(self, event: str, release_id: str, **data: Any) -> None:
        _journal.append(self.paths.journal, event, release_id, data)
        follow(self.paths, self.haproxy.runtime)

    def released(self, color: str, release_id: str) -> None:
        self.note("release_started", release_id, version=release_id, color=color)
        self.note("deployed", release_id)

    def lose(self, *names: str) -> None:
        for name in names:
            self.web[name].shutdown()
            self.web[name].server_close()

    def up(self) -> set[str]:
        return {name for name, stats in server_stats(self.haproxy.runtime, "shop").items() if stats.up}

    def lost(self, *names: str) -> None:
        self.lose(*names)
        until("HAProxy calls them down", lambda: not self.up() & set(names))

    def tried_again(self, name: str) -> int:
        """How many attempts at this server failed, and were followed by another."""
        stats = server_stats(self.haproxy.runtime, "shop")[name]
        return stats.retries + stats.redispatched

    @property
    def answer(self) -> tuple[int, str]:
        return self.answered(PATIENCE)

    def answered(self, within: float) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.haproxy.listen, timeout=within)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    @contextmanager
    def load(self) -> Iterator[Counter[tuple[int, str]]]:
        """Four clients that ask all the time; what they were answered."""
        answers: Counter[tuple[int, str]] = Counter()
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                try:
                    answers[self.answer] += 1
                except OSError as error:
                    answers[0, repr(error)] += 1
                over.wait(0.01)

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            yield answers
        finally:
            over.set()
            for client in clients:
                client.join()


@contextmanager
def silent(port: int) -> Iterator[None]:
    """Somebody listens there, and has no room for another connection: whoever asks for one hears nothing."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        yield


@pytest.fixture
def shop(haproxy: HAProxy, web: Web) -> Callable[..., Shop]:
    def started(shares: Mapping[str, float] = STABLE, **page: Any) -> Shop:
        return Shop(haproxy, web, shares, page)

    return started


@pytest.fixture
def at_hundred(shop: Callable[..., Shop]) -> Shop:
    return all_on_green(shop())


def all_on_green(found: Shop) -> Shop:
    """Blue is stable, and green has all the traffic, which nobody has promoted yet."""
    found.released("blue", "r1")
    found.note("promoted", "r1")
    found.released("green", "r2")
    shift(found.haproxy.runtime, "shop", split_weights(NAMES, ALL_GREEN))
    assert found.answer[1] in ("green1", "green2")
    return found


def test_no_request_is_lost_when_the_only_server_of_the_candidate_dies(at_hundred: Shop) -> None:
    at_hundred.lost("green2")
    with at_hundred.load() as answers:
        until("green answers", lambda: sum(answers.values()) > 100)
        at_hundred.lost("green1")
        until("blue answers", lambda: answers[200, "blue1"] > 100)
    assert set(answers) == {(200, "green1"), (200, "blue1")}


def test_nor_where_it_refuses_first_and_then_says_nothing_as_a_machine_that_goes_down(
    haproxy: HAProxy, web: Web
) -> None:
    found = all_on_green(Shop(haproxy, web, STABLE, {}, AS_IT_IS))
    found.lost("green2")
    found.lose("green1")
    answers: list[tuple[int, str]] = []
    alone = threading.Thread(target=lambda: answers.append(found.answered(within=60)))
    alone.start()
    until("it was refused", lambda: found.tried_again("green1") > 0)
    with silent(found.web["green1"].port):
        alone.join()
    assert answers == [(200, "blue1")]


def test_of_several_that_die_at_once_the_stable_color_takes_over_as_soon_as_they_are_called_down(
    at_hundred: Shop,
) -> None:
    with at_hundred.load() as answers:
        until("green answers", lambda: sum(answers.values()) > 100)
        at_hundred.lost("green1", "green2")
        # Requests that were refused by each of them in turn; there is no pause before another server is tried.
        before = Counter(answers)
        until("blue answers", lambda: answers[200, "blue1"] > 100)
    later = Counter(answers) - before
    assert sum(count for (status, _name), count in later.items() if status != 200) <= 4, "one for each client"
    assert later[200, "blue1"] >= 90


def test_a_request_that_may_have_been_acted_on_is_not_sent_to_the_stable_color_again_and_again(
    at_hundred: Shop,
) -> None:
    at_hundred.lost("green1", "green2")
    blue = at_hundred.web["blue1"]
    assert get(at_hundred.haproxy.listen, 1, "POST") == {"blue1": 1}
    blue.status, before = None, blue.requests
    assert get(at_hundred.haproxy.listen, 1, "POST", keep=False) == {"502": 1}
    assert blue.requests - before == 1


def test_as_long_as_one_server_of_the_candidate_is_up_it_keeps_its_traffic(at_hundred: Shop) -> None:
    at_hundred.lost("green1")
    assert {at_hundred.answer for _ in range(20)} == {(200, "green2")}


def test_what_was_promoted_is_not_replaced_by_the_version_before_it(at_hundred: Shop) -> None:
    at_hundred.note("promoted", "r2")
    at_hundred.lost("green1", "green2")
    assert at_hundred.answer[0] == 503


def test_a_candidate_never_stands_in_for_the_stable_color(shop: Callable[..., Shop]) -> None:
    found = shop()
    found.released("blue", "r1")
    found.note("promoted", "r1")
    found.released("green", "r2")
    found.lost("blue1")
    assert found.answer[0] == 503


def test_before_the_first_promotion_nothing_stands_in(shop: Callable[..., Shop]) -> None:
    found = shop(NOTHING)
    found.released("green", "r1")
    assert found.answer[0] == 503


def test_a_reload_keeps_who_stands_in(at_hundred: Shop) -> None:
    weights = split_weights(NAMES, ALL_GREEN)
    commit(str(at_hundred.file), "shop", weights, ALL_GREEN, at_hundred.haproxy.program, str(at_hundred.haproxy.main))
    at_hundred.lost("green2")
    with at_hundred.load() as answers:
        for _ in range(3):
            at_hundred.haproxy.reload()
        until("HAProxy has looked", lambda: at_hundred.up() == {"blue1", "green1"})
        # A process that is on its way out looks at no server any more.
        until(
            "the old processes are gone",
            lambda: all(one.poll() is not None for one in at_hundred.haproxy.processes[:-1]),
        )
        at_hundred.lost("green1")
        until("blue answers", lambda: answers[200, "blue1"] > 20)
    assert {status for status, _name in answers} == {200}, answers


def test_it_is_none_of_the_servers_of_the_service(at_hundred: Shop) -> None:
    runtime = at_hundred.haproxy.runtime
    at_hundred.lost("green1", "green2")
    assert at_hundred.answer == (200, "blue1")
    stats = server_stats(runtime, "shop")
    assert set(stats) == set(server_states(runtime, "shop")) == set(histograms(runtime, "shop") or ()) == ALL
    assert stats["blue1"].requests == 1, "it counts for the server that answered"
    text = at_hundred.file.read_text()
    assert "server sluice_spare" in text
    assert set(committed_weights(text, "shop")) == ALL


def test_a_split_by_user_has_it_too_once_the_candidate_is_called_down(shop: Callable[..., Shop]) -> None:
    found = shop(split={"by": "user"})
    found.released("blue", "r1")
    found.note("promoted", "r1")
    found.released("green", "r2")
    runtime = found.haproxy.runtime
    shift(runtime, "shop", split_weights(NAMES, ALL_GREEN))
    assert found.answer[1] in ("green1", "green2")
    found.lost("green1", "green2")
    assert found.answer == (200, "blue1")


def test_connections_in_tcp_mode_have_it_too(shop: Callable[..., Shop]) -> None:
    found = shop(mode="tcp")
    found.released("blue", "r1")
    found.note("promoted", "r1")
    found.released("green", "r2")
    shift(found.haproxy.runtime, "shop", split_weights(NAMES, ALL_GREEN))
    found.lost("green1", "green2")
    with socket.create_connection(("127.0.0.1", found.haproxy.listen), timeout=PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.makefile("rb").read().endswith(b"blue1")
