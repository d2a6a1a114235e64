"""The verdict of the health gate, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _health_gate
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._expected import Check
from ansible_collections.sluice.bluegreen.plugins.module_utils._health_gate import Limits, UnhealthyError
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import Answer, Endpoint
from ansible_collections.sluice.bluegreen.plugins.module_utils._waiter import Healthy, Pace

OK = Answer(True, status=200, latency_ms=1.5)
BAD = Answer(False, "status 503, expected 200", 503, 1.8)
HEALTH: dict[str, Any] = {
    "tcp": False,
    "path": "/healthz",
    "status": [200],
    "response_headers": {},
    "version_header": None,
    "version_json": None,
    "contains": None,
    "matches": None,
    "json": {},
    "host_header": None,
    "port": None,
    "docker": False,
    "consecutive": 3,
    "stable_for": "0",
    "interval": "2",
    "backoff": None,
    "probe_timeout": "5",
    "timeout": "30",
}


class Probes:
    """Answers at once; a second passes whenever nothing is there to collect."""

    def __init__(self, answers: dict[str, list[Answer]]) -> None:
        self.answers = answers
        self.now = 0.0
        self.waiting: list[str] = []

    def clock(self) -> float:
        return self.now

    def start(self, name: str) -> None:
        self.waiting.append(name)

    def collect(self, wait: float) -> Iterable[tuple[str, Answer]]:
        names, self.waiting = self.waiting, []
        found = []
        for name in names:
            answers = self.answers[name]
            if answers:
                found.append((name, answers.pop(0) if len(answers) > 1 else answers[0]))
        if not found:
            self.now += max(wait, 0.01)
        return found


def endpoint(name: str) -> Endpoint:
    return Endpoint(name, f"198.18.0.{name[-1]}", 8080)


def gate(
    answers: dict[str, list[Answer]],
    timeout: float = 30,
    stable_for: float = 0,
    needed: int | None = None,
    once: bool = False,
) -> dict[str, Any]:
    probes = Probes(answers)
    limit = Limits(Healthy(3, stable_for), Pace(2), timeout, probe_timeout=5, needed=needed)
    wanted = Check(path="/healthz")
    return _health_gate.gate(
        [endpoint(name) for name in answers], wanted, limit, once=once, probes=probes, clock=probes.clock
    )


def test_all_healthy_is_said_with_what_each_answered() -> None:
    result = gate({"green1": [OK], "green2": [BAD, OK]})
    assert result["healthy"] is True
    assert result["unhealthy"] == []
    assert result["endpoints"]["green1"] == {
        "healthy": True,
        "attempts": 3,
        "successes": 3,
        "last": 200,
        "reason": "",
        "latency_ms": 1.5,
        "stable_for": 4.0,
        "version": None,
        "docker": None,
        "haproxy": None,
    }
    assert result["msg"] == "2 of 2 healthy after 4.2 s"


def test_the_failing_ones_are_named_with_place_reason_and_effort() -> None:
    with pytest.raises(UnhealthyError) as caught:
        gate({"green1": [OK], "green2": [BAD]})
    assert str(caught.value) == (
        "1 of 2 not healthy within 30 s: green2 http://198.18.0.2:8080/healthz: status 503, expected 200 "
        "(18 attempts in 30 s)"
    )
    details = caught.value.details
    assert (details["healthy"], details["unhealthy"], details["elapsed"]) == (False, ["green2"], 30)
    assert details["endpoints"]["green1"]["healthy"], "partial results are there in a failure"
    assert details["endpoints"]["green2"]["reason"] == "status 503, expected 200"
    assert "msg" not in details and "failed" not in details, "these two are Ansible's"


def test_one_that_flaps_is_told_how_near_it_came_and_what_it_last_failed_with() -> None:
    with pytest.raises(UnhealthyError, match=r"answered well only 1 time in a row, 3 wanted; before that: status 503"):
        gate({"green1": [BAD, OK] * 8}, timeout=17.5)


def test_one_that_never_answers_is_told_so() -> None:
    with pytest.raises(UnhealthyError, match=r"green1 .*: no answer within 30 s \(1 attempt in 30 s\)"):
        gate({"green1": []})


def test_a_message_names_ten_and_counts_the_others() -> None:
    names = [f"green{i}" for i in range(25)]
    with pytest.raises(UnhealthyError) as caught:
        gate({name: [BAD] for name in names})
    assert str(caught.value).count("http://") == 10
    assert str(caught.value).endswith("; and 15 more")
    assert len(caught.value.details["endpoints"]) == 25


def test_check_mode_looks_once_and_never_fails() -> None:
    result = gate({"green1": [OK], "green2": [BAD]}, once=True)
    assert (result["healthy"], result["unhealthy"]) == (False, ["green2"])
    assert result["endpoints"]["green1"]["healthy"], "once is enough in a single round"
    assert [entry["attempts"] for entry in result["endpoints"].values()] == [1, 1]
    assert "1 of 2 not healthy when probed once: green2" in result["msg"]


def test_check_mode_does_not_wait_for_one_that_hangs() -> None:
    result = gate({"green1": []}, once=True, timeout=3600)
    assert (result["healthy"], result["elapsed"]) == (False, 6), "the limit of one probe and a second"


@pytest.mark.parametrize(
    ("given", "port", "message"),
    [
        ([], None, "there are no endpoints to probe"),
        ([{"name": "a", "address": "h", "port": 1}] * 2, None, "endpoints: a is there more than once"),
        ([{"name": "a", "address": "h", "port": None}], None, "endpoint a: the port 0 must be from 1 to 65535"),
        ([{"name": "a", "address": "h", "port": 1}], 70000, "endpoint a: the port 70000 must be from 1 to 65535"),
        ([{"name": "a", "address": " ", "port": 1}], None, "endpoint a: the address is empty"),
    ],
)
def test_endpoints_that_cannot_be_probed_are_refused(given: Any, port: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _health_gate.endpoints(given, port)


def test_a_port_of_the_health_setting_comes_before_each_ones_own() -> None:
    assert _health_gate.endpoints([{"name": "a", "address": "h", "port": 8080}], 9000)[0].port == 9000


def test_what_the_views_saw_is_evidence() -> None:
    found = Answer(True, status=200, latency_ms=1.0, seen={"version": "v2", "docker": "healthy", "haproxy": "UP"})
    entry = gate({"green1": [found]})["endpoints"]["green1"]
    assert (entry["version"], entry["docker"], entry["haproxy"]) == ("v2", "healthy", "UP")


def test_a_quorum_is_enough_and_the_others_are_told_all_the_same() -> None:
    result = gate({"green1": [OK], "green2": [BAD], "green3": [OK]}, needed=2)
    assert (result["healthy"], result["needed"], result["unhealthy"]) == (True, 2, ["green2"])
    assert result["msg"].startswith(
        "2 of 3 healthy after 4.0 s, 2 wanted: green2 http://198.18.0.2:8080/healthz: status 503, expected 200 ("
    )


def test_less_than_the_quorum_is_told_as_such() -> None:
    with pytest.raises(UnhealthyError) as caught:
        gate({"green1": [OK], "green2": [BAD], "green3": [BAD]}, needed=2)
    assert str(caught.value).startswith("1 of 3 healthy within 30 s, 2 wanted: green2 http://")
    assert caught.value.details["unhealthy"] == ["green2", "green3"]


def test_healthy_means_for_as_long_as_was_wanted() -> None:
    result = gate({"green1": [OK]}, stable_for=11)
    assert result["endpoints"]["green1"]["stable_for"] == 12.0, "seven good answers, two seconds apart"
    with pytest.raises(UnhealthyError, match=r"answered well for only \d+ s, 20 s wanted; before that: status"):
        gate({"green1": [OK, OK, OK, OK, OK, BAD] * 20}, stable_for=20)


def test_the_version_that_must_answer_is_looked_for_where_it_stands() -> None:
    header = _health_gate.check({**HEALTH, "version_header": "X-App-Version"}, "v2")
    assert (header.version_at, header.version) == ("X-App-Version", "v2")
    place = _health_gate.check({**HEALTH, "version_json": "app.version"}, "v2")
    assert (place.version_at, place.version) == (("app", "version"), "v2")
    assert _health_gate.check({**HEALTH, "version_header": "X-App-Version"}).version is None
    assert _health_gate.check(HEALTH, "v2").version_at is None


def test_docker_is_asked_only_for_endpoints_whose_container_was_named() -> None:
    params = {"health": {**HEALTH, "docker": True}, "docker_socket": "unix:///nowhere/docker.sock", "haproxy": None}
    (look,) = _health_gate.views({**params, "endpoints": [{"name": "a", "container": "shop"}, {"name": "b"}]}, 1.0)
    assert look("b") == Answer(True)
    assert look("a").reason == "Docker at /nowhere/docker.sock: no such file or directory"
    assert not _health_gate.views({**params, "health": HEALTH, "endpoints": []}, 1.0)


def test_tcp_needs_no_more_than_a_connection() -> None:
    assert _health_gate.check({**HEALTH, "tcp": True, "path": None, "status": []}) == Check(tcp=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "healthz"}, "health.path: 'healthz' must start with a slash"),
        ({"path": None}, "health.path: None must start with a slash"),
        ({"status": []}, "health.status: the list is empty"),
        ({"consecutive": 0}, "health.consecutive must be from 1"),
        ({"interval": "x"}, "health.interval: 'x' is not a duration"),
        ({"timeout": "-1"}, "health.timeout: '-1' is negative"),
        ({"probe_timeout": "0"}, "health.probe_timeout: must be more than 0"),
        ({"backoff": "0"}, "health.backoff: must be more than 0"),
        ({"stable_for": "long"}, "health.stable_for: 'long' is not a duration"),
        ({"matches": "(ok"}, r"health.matches: '\(ok' is not a regular expression: missing \)"),
        ({"json": {"a..b": 1}}, r"health.json: 'a..b' is not a path into JSON; write names with dots"),
        ({"version_json": "["}, r"health.version_json: '\[' is not a path"),
        ({"version_json": "a", "version_header": "X-V"}, "the version is in health.version_header already"),
    ],
)
def test_a_health_setting_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    params = {
        "endpoints": [{"name": "a", "address": "h", "port": 1}],
        "health": {**HEALTH, **changes},
        "version": None,
        "quorum": "100%",
    }
    with pytest.raises(InputError, match=message):
        _health_gate.run(params, once=True)
