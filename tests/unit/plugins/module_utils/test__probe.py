"""What an answer is compared with; the probes themselves are tested against real sockets in tests/integration."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import (
    Answer,
    Check,
    Endpoint,
    Threads,
    unexpected,
    url,
)


@pytest.mark.parametrize(
    ("status", "headers", "wanted", "reason"),
    [
        (200, {}, {}, ""),
        (204, {}, {"status": (200, 204)}, ""),
        (503, {}, {}, "status 503, expected 200"),
        (503, {}, {"status": (200, 204)}, "status 503, expected 200 or 204"),
        (302, {"Location": "/login"}, {}, "status 302 to '/login', expected 200"),
        (302, {"Location": "/login"}, {"status": (302,)}, ""),
        (200, {"X-App-Version": "v2"}, {"headers": {"X-App-Version": "v2"}}, ""),
        (
            200,
            {"X-App-Version": "v1"},
            {"headers": {"X-App-Version": "v2"}},
            "the header X-App-Version is 'v1', expected 'v2'",
        ),
        (200, {}, {"headers": {"X-App-Version": "v2"}}, "the header X-App-Version is missing, expected 'v2'"),
        (500, {}, {"headers": {"X-App-Version": "v2"}}, "status 500, expected 200"),
    ],
)
def test_an_answer_is_what_was_wanted_or_it_is_said_how_it_differs(
    status: int, headers: dict[str, str], wanted: dict[str, Any], reason: str
) -> None:
    def header(name: str) -> Optional[str]:
        return headers.get(name)

    assert unexpected(status, header, Check(**wanted)) == reason


def test_a_header_of_a_host_is_cut_and_quoted_in_a_message() -> None:
    reason = unexpected(200, lambda _name: "x\x1b[31m" * 100, Check(headers={"X-V": "1"}))
    assert len(reason) < 150
    assert "\x1b" not in reason, "what a host sends must not reach a terminal as it is"


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
