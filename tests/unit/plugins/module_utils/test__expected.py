"""What an answer is held against, and how it is said that it differs."""

from __future__ import annotations

import re
from typing import Any, Optional

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._expected import BODY_LIMIT, Check, Difference, compare

HEALTH = (
    b'{"status": "ok", "ready": true, "count": 1, "checks": [{"name": "db", "up": true}], "app": {"version": "v2"}}'
)


def unexpected(status: int, headers: dict[str, str], wanted: dict[str, Any]) -> str:
    def body() -> bytes:
        raise AssertionError("the body was asked for")

    return compare(status, headers.get, body, Check(**wanted)).reason


def look(body: bytes, headers: Optional[dict[str, str]] = None, **wanted: Any) -> Difference:
    return compare(200, (headers or {}).get, lambda: body, Check(**wanted))


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
    assert unexpected(status, headers, wanted) == reason


def test_a_header_of_a_host_is_cut_and_quoted_in_a_message() -> None:
    reason = unexpected(200, {"X-V": "x\x1b[31m" * 100}, {"headers": {"X-V": "1"}})
    assert len(reason) < 150
    assert "\x1b" not in reason, "what a host sends must not reach a terminal as it is"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"contains": "ok"}, ""),
        ({"contains": "broken"}, "the body does not contain 'broken' (its start: "),
        ({"matches": re.compile(r'"status":\s*"(ok|warm)"')}, ""),
        ({"matches": re.compile("^ready$")}, "the body does not match '^ready$' (its start: "),
        ({"json": {("status",): "ok", ("checks", 0, "up"): True}}, ""),
        ({"json": {("status",): "up"}}, 'in the body\'s JSON status is "ok", expected "up"'),
        ({"json": {("ready",): 1}}, "in the body's JSON ready is true, expected 1"),
        ({"json": {("count",): True}}, "in the body's JSON count is 1, expected true"),
        ({"json": {("count",): "1"}}, 'in the body\'s JSON count is 1, expected "1"'),
        ({"json": {("checks", 1, "up"): True}}, "JSON there is no checks[1], expected checks[1].up to be true"),
        ({"json": {("status", "a"): 1}}, "there is no status.a"),
        ({"json": {("status", 0): "o"}}, "there is no status[0]"),
    ],
)
def test_a_body_is_what_was_wanted_or_it_is_said_how_it_differs(wanted: dict[str, Any], reason: str) -> None:
    found = look(HEALTH, **wanted).reason
    assert reason in found
    assert bool(reason) == bool(found)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100000, b'{"a": \xff}'])
def test_what_is_not_json_is_told_so(body: bytes) -> None:
    assert look(body, json={("a",): 1}).reason.startswith("the body is not JSON (its start: ")


def test_a_body_that_was_cut_off_is_told_so() -> None:
    assert look(b"[" + b" " * BODY_LIMIT, json={("a",): 1}).reason == "the body is not JSON (longer than 1048576 bytes)"


@pytest.mark.parametrize(
    ("at", "version", "reason"),
    [
        (("app", "version"), "v2", ""),
        (("app", "version"), "v3", "app.version in the body's JSON is 'v2', expected 'v3'"),
        (("version",), "v2", "version in the body's JSON is missing, expected 'v2'"),
        (("count",), "1", ""),
        ("X-App-Version", "v2", ""),
        ("X-App-Version", "v3", "the header X-App-Version is 'v2', expected 'v3'"),
        ("X-Other", "v2", "the header X-Other is missing, expected 'v2'"),
        ("X-Other", None, ""),
    ],
)
def test_the_version_is_read_where_it_stands_and_compared_where_one_is_wanted(
    at: Any, version: Optional[str], reason: str
) -> None:
    found = look(HEALTH, {"X-App-Version": "v2"}, version_at=at, version=version)
    assert found.reason == reason
    assert found.version == {("version",): None, "X-Other": None, ("count",): "1"}.get(at, "v2")


def test_the_version_of_an_unhealthy_answer_is_known_too() -> None:
    found = compare(503, {"X-App-Version": "v1"}.get, bytes, Check(version_at="X-App-Version", version="v2"))
    assert found == Difference("status 503, expected 200", "v1")
