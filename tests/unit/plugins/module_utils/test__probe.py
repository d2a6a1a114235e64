"""Threads and names of probes; the probes themselves are tested against real sockets in tests/integration."""

from __future__ import annotations

from ansible_collections.sluice.bluegreen.plugins.module_utils._expected import Check
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import (
    Answer,
    Endpoint,
    Threads,
    together,
    url,
)


def test_several_views_are_one_answer_that_is_well_only_if_all_are() -> None:
    web, docker = Answer(True, "", 200, 1.5, {"version": "v2"}), Answer(True, seen={"docker": "healthy"})
    assert together([web, docker]) == Answer(True, "", 200, 1.5, {"version": "v2", "docker": "healthy"})
    down = Answer(False, "HAProxy calls it DOWN", seen={"haproxy": "DOWN"})
    found = together([Answer(False, "status 503, expected 200", 503), docker, down])
    assert (found.ok, found.reason) == (False, "status 503, expected 200; HAProxy calls it DOWN")
    assert (found.status, found.seen) == (503, {"docker": "healthy", "haproxy": "DOWN"})


def test_the_place_of_a_probe_is_written_as_a_person_would() -> None:
    assert url(Endpoint("a", "198.18.0.31", 8080), Check(path="/healthz")) == "http://198.18.0.31:8080/healthz"
    assert url(Endpoint("a", "2001:db8::1", 80), Check()) == "http://[2001:db8::1]:80/"
    assert url(Endpoint("a", "db1", 5432), Check(tcp=True)) == "tcp://db1:5432"


def test_threads_give_the_answer_of_each_and_an_empty_list_when_the_wait_is_over() -> None:
    threads = Threads(lambda name: Answer(name == "a", name))
    assert threads.collect(0) == []
    threads.start("a")
    threads.start("b")
    found: list[tuple[str, Answer]] = []
    while len(found) < 2:
        found += threads.collect(5)
    assert sorted(found) == [("a", Answer(True, "a")), ("b", Answer(False, "b"))]
