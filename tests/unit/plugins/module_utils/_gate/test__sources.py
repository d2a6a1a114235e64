"""Values from Prometheus: what it may answer, and over a real socket what may go wrong."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SourceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sources import place, prometheus, reading


def vector(*values):
    return {"resultType": "vector", "result": [{"metric": {}, "value": [1, value]} for value in values]}


def answering(data, status=200, **more):
    def get(_url, _headers, _timeout):
        return status, json.dumps({"status": "success" if status == 200 else "error", "data": data, **more}).encode()

    return get


def ask(get, **more):
    return prometheus("http://prometheus:9090/", "up", get=get, **more)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (vector("0.25"), 0.25),
        ({"resultType": "scalar", "result": [1, "3"]}, 3.0),
        (vector(), None),
        (vector("NaN"), None),
        (vector("+Inf"), float("inf")),
    ],
)
def test_a_query_gives_one_number_or_no_data(data, value):
    assert ask(answering(data)) == value


@pytest.mark.parametrize(
    ("get", "words"),
    [
        (answering(vector("1", "2")), "the query gives 2 series; make it one"),
        (answering({"resultType": "matrix", "result": []}), "the query gives a matrix"),
        (answering({}), "not the answer of a Prometheus server"),
        (answering(vector("many")), "not the answer of a Prometheus server"),
        (answering(None, 400, error="parse error at char 3"), "HTTP 400: parse error at char 3"),
        (lambda *_: (502, b"<html>"), "HTTP 502"),
        (lambda *_: (200, b"[]"), "HTTP 200"),
    ],
)
def test_any_other_answer_is_a_source_that_is_down(get, words):
    with pytest.raises(SourceError) as error:
        ask(get)
    assert words in str(error.value)
    assert "prometheus:9090" in str(error.value)


def test_query_token_and_headers_are_sent():
    asked = []

    def get(*request):
        asked.append(request)
        return answering(vector("1"))(*request)

    prometheus("http://prometheus/base/", 'up{a="b"}', headers={"X-Scope": "shop"}, token="t", timeout=3, get=get)
    url, headers, timeout = asked[0]
    assert url == "http://prometheus/base/api/v1/query?query=up%7Ba%3D%22b%22%7D"
    assert headers["Authorization"] == "Bearer t"
    assert headers["X-Scope"] == "shop"
    assert timeout == 3


def threshold(url, **more):
    return Threshold("p99", max=1, url=url, query="up", **more)


def test_a_reading_can_go_onto_a_tape():
    assert reading(threshold("http://p"), answering(vector("0.5"))) == 0.5
    assert reading(threshold("http://p"), answering(vector())) is None
    assert reading(threshold("http://p"), answering(vector("-Inf"))) == -1e308
    assert "HTTP 500" in reading(threshold("http://p"), answering(None, 500))["source_down"]


def test_a_place_holds_no_secrets():
    assert place("https://me:secret@host:8443/api?token=secret") == "https://host:8443/api"
    assert place("http://[::1]:9090/x") == "http://[::1]:9090/x"


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", "/api/v1/query")
                self.end_headers()
                return
            body = json.dumps({"status": "success", "data": vector(str(len(self.headers["Authorization"] or "")))})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_args):
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()


def test_a_real_server_is_asked_with_the_token(server):
    assert reading(threshold(server, token="123")) == len("Bearer 123")


def test_a_redirect_is_refused_so_that_no_token_goes_where_nobody_sent_it(server):
    assert "HTTP 302" in reading(threshold(f"{server}/moved", token="123"))["source_down"]


def test_nobody_listening_is_a_source_that_is_down():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert "refused" in reading(threshold(url))["source_down"]


def test_a_server_that_never_answers_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "no answer in 0.1 s" in reading(threshold(url, timeout=0.1))["source_down"]
