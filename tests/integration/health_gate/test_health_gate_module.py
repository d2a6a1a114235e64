"""The gate as Ansible runs it, against real servers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._expected import Check
from ansible_collections.sluice.bluegreen.plugins.module_utils._health_gate import Limits, UnhealthyError, gate
from ansible_collections.sluice.bluegreen.plugins.module_utils._probe import Endpoint
from ansible_collections.sluice.bluegreen.plugins.module_utils._waiter import Healthy, Pace
from health_servers import HELD, Servers, answer

ROOT = Path(__file__).resolve().parents[3]


def run(endpoints: dict[str, int], check: bool = False, container: str | None = None, **params: Any) -> dict[str, Any]:
    """The result of the module as a controller gets it."""
    listed = [
        {"name": name, "address": "127.0.0.1", "port": port, **({"container": container} if container else {})}
        for name, port in endpoints.items()
    ]
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
    command = [
        str(Path(sys.executable).parent / "ansible"),
        "localhost",
        *(["--check"] if check else []),
        "-m",
        "sluice.bluegreen.health_gate",
        "-e",
        json.dumps({"ansible_python_interpreter": sys.executable}),
        "-a",
        json.dumps({"endpoints": listed, **params}),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, check=False, timeout=60)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return dict(json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"])


def test_the_module_waits_until_all_are_healthy(servers: Servers) -> None:
    seen: list[bytes] = []

    def late(connection: socket.socket, number: int) -> None:
        answer(200 if number > 3 else 503)(connection, number)

    result = run(
        {"green1": servers.start(answer(headers="X-App-Version: v2\r\n", seen=seen)), "green2": servers.start(late)},
        health={"interval": "200ms", "consecutive": 2, "timeout": "20s", "path": "/healthz"},
    )
    assert (result["healthy"], result["changed"], result["unhealthy"]) == (True, False, [])
    assert result["endpoints"]["green2"]["attempts"] > result["endpoints"]["green2"]["successes"] >= 2
    assert seen[0].startswith(b"GET /healthz ")


def test_the_module_fails_with_names_places_and_reasons_and_all_it_has_found(servers: Servers) -> None:
    wrong, refusing = servers.start(answer(headers="X-App-Version: v1\r\n")), servers.closed()
    result = run(
        {"green1": wrong, "green2": refusing, "green3": servers.start(answer(headers="X-App-Version: v2\r\n"))},
        health={"interval": 0.2, "timeout": 1, "version_header": "X-App-Version", "path": "/healthz"},
        version="v2",
    )
    assert result["failed"] is True
    assert result["msg"].startswith("2 of 3 not healthy within 1 s: ")
    assert (
        f"green1 http://127.0.0.1:{wrong}/healthz: the header X-App-Version is 'v1', expected 'v2' (" in result["msg"]
    )
    assert f"green2 http://127.0.0.1:{refusing}/healthz: connection refused (" in result["msg"]
    assert result["endpoints"]["green3"]["healthy"] is True
    assert result["unhealthy"] == ["green1", "green2"]


def test_the_module_looks_into_the_body_for_its_state_and_its_version(servers: Servers) -> None:
    body = b'{"status": "ok", "checks": [{"name": "db", "up": true}], "app": {"version": "v2"}}'
    health = {
        "interval": "100ms",
        "timeout": 1,
        "matches": '"name": *"db"',
        "json": {"status": "ok", "checks[0].up": True},
        "version_json": "app.version",
    }
    port = servers.start(answer(body=body))
    result = run({"green1": port}, health={**health, "stable_for": "300ms", "timeout": "20s"}, version="v2")
    entry = result["endpoints"]["green1"]
    assert (result["healthy"], entry["version"], entry["stable_for"] >= 0.3) == (True, "v2", True), result["msg"]
    wrong = run({"green1": port}, health=health, version="v3")
    assert "app.version in the body's JSON is 'v2', expected 'v3'" in wrong["msg"]
    assert wrong["endpoints"]["green1"]["version"] == "v2"


def test_check_mode_looks_once_and_reports(servers: Servers) -> None:
    result = run({"green1": servers.closed()}, check=True, health={"timeout": "10m"})
    assert (result["healthy"], result.get("failed", False)) == (False, False)
    assert result["endpoints"]["green1"]["attempts"] == 1


def test_the_settings_of_a_services_page_fit_as_they_are(servers: Servers) -> None:
    from ansible_collections.sluice.bluegreen.plugins.module_utils import _page

    page = {"health": {"path": "/healthz", "timeout": 5, "interval": "100ms"}}
    health = _page.read("shop", page)[0]["health"]
    assert run({"green1": servers.start(answer())}, health=health)["healthy"] is True
    tcp = _page.read("shop", {"health": {"tcp": True, "timeout": 5, "interval": "100ms"}})[0]["health"]
    assert run({"green1": servers.start(answer())}, health=tcp)["healthy"] is True


def test_a_setting_that_cannot_be_is_refused_by_the_module() -> None:
    assert "health.timeout: 'soon' is not a duration" in run({"green1": 1}, health={"timeout": "soon"})["msg"]
    assert "helth" in run({"green1": 1}, helth={})["msg"]


def test_of_two_hundred_endpoints_only_those_that_hang_are_unhealthy(servers: Servers) -> None:
    well = servers.start(answer())
    hanging = servers.start(lambda _connection, _number: servers.ending.wait(HELD) and None)
    endpoints = [Endpoint(f"w{i}", "127.0.0.1", well) for i in range(180)]
    endpoints += [Endpoint(f"h{i}", "127.0.0.1", hanging) for i in range(20)]
    with pytest.raises(UnhealthyError) as caught:
        gate(endpoints, Check(), Limits(Healthy(2), Pace(2), timeout=20, probe_timeout=4))
    details = caught.value.details
    assert sorted(details["unhealthy"]) == sorted(f"h{i}" for i in range(20))
    assert all(details["endpoints"][f"w{i}"]["successes"] >= 2 for i in range(180))
    assert details["endpoints"]["h0"]["reason"] == "no complete answer within 4 s"


def test_a_flapping_server_never_passes(servers: Servers) -> None:
    def flap(connection: socket.socket, number: int) -> None:
        answer(503 if number % 3 == 0 else 200)(connection, number)

    asked: list[int] = []

    def counted(connection: socket.socket, number: int) -> None:
        asked.append(number)
        flap(connection, number)

    with pytest.raises(UnhealthyError, match="green1"):
        gate(
            [Endpoint("green1", "127.0.0.1", servers.start(counted))],
            Check(),
            Limits(Healthy(3), Pace(0.05, 0.05), timeout=3, probe_timeout=1),
        )
    assert len(asked) >= 6, "too few to have had three good answers in any case"
