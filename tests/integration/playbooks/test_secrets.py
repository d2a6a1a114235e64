"""Secrets of gates: sent where they belong, and nowhere else to be read, however much is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from real_ansible import run
from site_files import LOCAL, inventory

SECRETS = ("hush-token", "hush-header", "hush-variable", "hush-totals")


class Echo(ThreadingHTTPServer):
    """Refuses everything, and repeats what it was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class EchoHandler(BaseHTTPRequestHandler):
    server: Echo

    def do_GET(self) -> None:
        sent = f"{self.headers['Authorization']} {self.headers['X-Key']}"
        self.server.sent.append(sent)
        body = f'{{"status": "error", "error": "{sent} may not"}}'.encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.shutdown()
    server.server_close()


def page_gates(url: str, kept: Path) -> dict[str, Any]:
    keep = f"printf '%s' \"$PASSWORD\" > {kept}; echo '{{\"message\": \"'$PASSWORD'\"}}'; exit 1"
    return {
        "errors": {"source": "prometheus", "url": url, "requests": "n", "bad": "k", "token": "hush-totals"},
        "thresholds": [
            {
                "name": "p99",
                "url": url,
                "query": "x",
                "max": 1,
                "token": "hush-token",
                "headers": {"X-Key": "hush-header"},
            },
            {"name": "own", "source": "command", "command": ["sh", "-c", keep], "env": {"PASSWORD": "hush-variable"}},
        ],
    }


def plays(**gate: Any) -> list[Any]:
    read = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {"sluice.bluegreen.service_info": {"service": "shop"}, "register": "page"},
            {"ansible.builtin.set_fact": {"kept": "{{ page.service }}"}},
        ],
    }
    kept = "{{ hostvars['localhost'].kept"
    judge = {
        "service": "shop",
        "candidate": "green",
        "servers": kept + ".servers }}",
        "gates": kept + ".gates }}",
        "socket": "/nonexistent",
        "tick": 1,
        "dwell": 0,
        "timeout": 2,
        **gate,
    }
    work = [{"sluice.bluegreen.metrics_gate": judge, "run_once": True, "ignore_errors": True, "name": "Judge"}]
    return [read, {"hosts": "loadbalancers", "gather_facts": False, "tasks": work}]


def site(gates: dict[str, Any]) -> dict[str, Any]:
    return inventory(page__gates=gates, groups__loadbalancers={"lb1": dict(LOCAL)})


def test_no_secret_is_told_at_any_verbosity_although_each_is_sent(tmp_path: Path, echo: Echo) -> None:
    given = site(page_gates(echo.url, tmp_path / "kept"))
    # As people write it: the page refers to a variable that comes from a vault.
    variables = given["all"]["vars"]
    variables["vault_token"] = "hush-token"
    variables["bluegreen_services"]["shop"]["gates"]["thresholds"][0]["token"] = "{{ vault_token }}"
    played = run(tmp_path, plays(), given, {}, "-vvv")
    (judged,) = played.of("Judge")
    assert judged.result["cause"] == "threshold" or judged.result.get("held_for") == "source_down", played.output
    assert "Bearer hush-token hush-header" in echo.sent
    assert "Bearer hush-totals None" in echo.sent
    assert (tmp_path / "kept").read_text() == "hush-variable"
    told = [secret for secret in SECRETS if secret in played.output]
    assert not told, played.output


def test_a_password_in_a_url_is_refused_without_being_repeated(tmp_path: Path) -> None:
    gates = {"thresholds": [{"name": "p99", "url": "http://me:hush-url@prometheus", "query": "x", "max": 1}]}
    played = run(tmp_path, plays(), site(gates), {}, "-vvv")
    assert "gates.thresholds[0].url: has a user or a password in it" in played.problems[0].msg
    assert "hush-url" not in played.output
