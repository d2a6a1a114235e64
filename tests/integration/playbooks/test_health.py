"""What the roles make of the health gate: HAProxy's own view, and what is refused before a container is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from haproxy_process import HAProxy, WebServer, web_servers
from real_ansible import run
from site_files import LOCAL

HEALTH: dict[str, Any] = {"path": "/healthz", "timeout": "5s", "interval": "100ms", "docker": True}


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_servers() as start:
        yield start("green1")


def play(host: str, role: str, entry: str, **variables: Any) -> dict[str, Any]:
    include = {"name": f"sluice.bluegreen.{role}", "tasks_from": entry}
    tasks = [{"ansible.builtin.include_role": include, "vars": variables}]
    return {"hosts": host, "gather_facts": False, "tasks": tasks}


def test_the_roles_ask_haproxy_where_it_is_and_refuse_an_engine_that_they_cannot_ask(
    tmp_path: Path, program: str, web: WebServer, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    haproxy = HAProxy(folder, program)
    request.addfinalizer(haproxy.stop)
    haproxy.service(
        {"blue": {"blue1": web.port}, "green": {"green1": web.port}}, {"blue1": 1, "green1": 0}, {"blue": 100.0}
    )
    haproxy.start()
    servers = [{"name": "green1", "color": "green", "address": "127.0.0.1", "port": web.port}]
    container = {"port": 80, "publish": {"blue": 80, "green": 80}}
    service = {"name": "shop", "image": "shop", "container": container, "health": HEALTH}
    verify = {"rollout_service": {**service, "servers": servers}, "rollout_candidate": "green", "rollout_version": "v2"}
    deploy = {
        "deploy_service": {**service, "labels": {}},
        "deploy_version": "v2",
        "deploy_release_id": "r1",
        "deploy_color": "green",
        "deploy_docker_socket": "tcp://198.18.0.31:2376",
    }
    hosts = {
        "here": {**LOCAL, "haproxy_socket": haproxy.socket},
        "elsewhere": dict(LOCAL),
        "green1": dict(LOCAL),
    }
    plays = [
        play("here:elsewhere", "rollout", "verify", **verify),
        play("green1", "deploy", "main", **deploy),
    ]
    ran = run(tmp_path, plays, {"all": {"hosts": hosts}}, {})
    (healthy,) = [one for one in ran.done if one.host == "here" and one.action.endswith("health_gate")]
    assert healthy.status == "ok", ran.output
    assert healthy.result["endpoints"]["green1"]["haproxy"].startswith("UP")
    problems = {one.host: one.msg for one in ran.problems}
    assert set(problems) == {"elsewhere", "green1"}
    assert "/run/haproxy/admin.sock" in problems["elsewhere"], "the place where HAProxy is, if nobody says otherwise"
    assert problems["green1"].startswith(
        "docker_socket: 'tcp://198.18.0.31:2376' is not a unix socket such as unix:///"
    )
    assert not [one for one in ran.done if one.action.startswith("community.docker")], "nothing was asked of Docker yet"
