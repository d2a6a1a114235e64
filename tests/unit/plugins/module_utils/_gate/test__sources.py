"""Values from Prometheus: what it may answer, and over a real socket what may go wrong."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SourceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Series, Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sources import (
    bucket_totals,
    error_totals,
    json_value,
    place,
    prometheus,
    reading,
    run,
)


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
            data = vector(str(len(self.headers["Authorization"] or "")))
            if self.path.startswith("/many"):
                data["result"] = [
                    {
                        "metric": {"color": "green", "server": f"green{number}.example.com:8080", "le": le},
                        "value": [1700000000.123, "10000"],
                    }
                    for number in range(500)
                    for le in [*(str(bucket / 100) for bucket in range(1, 24)), "+Inf"]
                ]
            body = json.dumps({"status": "success", "data": data})
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


def test_the_histogram_of_a_large_fleet_is_read_whole_and_what_is_too_long_is_said(server):
    found = bucket_totals(Series(f"{server}/many", buckets="h"), COLORS, {"candidate": [], "stable": []})
    assert len(found["totals"]["candidate"]) == 500, found
    assert "an answer longer than 1 MB" in reading(threshold(f"{server}/many"))["source_down"]


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


def json_answer(body, status=200):
    return lambda _url, _headers, _timeout: (status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("series[0].points[-1][1]", 0.5),
        ('["a.b"].c', 7.0),
        ("text", 12.5),
        ("series[3]", None),
        ("series.points", None),
        ("nothing.there", None),
        ("none", None),
    ],
)
def test_a_path_leads_to_one_number_or_to_no_data(path, found):
    body = {"series": [{"points": [[1, 2], [3, 0.5]]}], "a.b": {"c": 7}, "text": "12.5", "none": None}
    assert json_value("http://api", path, get=json_answer(body)) == found


@pytest.mark.parametrize(
    ("get", "words"),
    [
        (json_answer({"a": [1]}), "what is at a is not a number"),
        (json_answer({"a": True}), "what is at a is not a number"),
        (json_answer({"a": "many"}), "what is at a is not a number"),
        (json_answer({}, 500), "HTTP 500"),
        (lambda *_: (200, b"<html>"), "its answer is not JSON"),
    ],
)
def test_any_other_json_is_a_source_that_is_down(get, words):
    with pytest.raises(SourceError, match=words):
        json_value("http://api/v1?key=hush", "a", get=get)
    with pytest.raises(SourceError) as error:
        json_value("http://api/v1?key=hush", "a", get=get)
    assert "hush" not in str(error.value), "keys in the query are not repeated"


def own_check(script, **more):
    return Threshold("own", source="command", command=[sys.executable, "-c", script, "$color"], **more)


@pytest.mark.parametrize(
    ("script", "more", "found"),
    [
        ("pass", {}, {"verdict": "promote", "message": ""}),
        ("raise SystemExit(1)", {}, "bad"),
        ('print(\'{"verdict": "rollback", "message": "no"}\')', {}, {"verdict": "rollback", "message": "no"}),
        ('print(\'{"verdict": "hold"}\')', {}, {"verdict": "hold", "message": ""}),
        ('print(\'{"verdict": "promote"}\'); raise SystemExit(1)', {}, "bad"),
        ("print('{\"value\": 3}')", {"max": 5}, 3.0),
        ("print('{\"a\": [3]}')", {"max": 5, "path": "a[0]"}, 3.0),
        ("print('not json')", {"max": 5}, None),
        ("raise SystemExit(75)", {"max": 5}, None),
        ("raise SystemExit(2)", {}, "exit status 2; 0 is good, 1 bad, 75 no data"),
        ('print(\'{"verdict": "yes"}\')', {}, "its verdict is none of promote, hold, rollback"),
        ("import time; time.sleep(60)", {"timeout": 0.3}, "no answer in 0.3 s"),
    ],
)
def test_a_check_of_ones_own_says_by_its_exit_status_and_its_json_what_it_found(script, more, found):
    said = reading(own_check(script, **more), colors={"candidate": "green"})
    if found == "bad":
        assert said["verdict"] == "bad"
    elif isinstance(found, str):
        assert found in said["source_down"]
    else:
        assert said == found


def test_a_check_of_both_colors_that_says_bad_is_one_failure_of_the_candidate_and_no_value_of_the_stable_color():
    def found(bad):
        script = f"import sys; print('{{\"value\": 3}}'); raise SystemExit(sys.argv[1] == {bad!r})"
        return reading(own_check(script, max_ratio=2.0), colors=COLORS)

    assert found("none") == {"candidate": 3.0, "stable": 3.0}
    assert found("green")["verdict"] == "bad"
    assert found("blue") == {"candidate": 3.0, "stable": None}


def test_a_check_that_is_not_there_is_a_source_that_is_down_and_what_it_started_ends_with_it(tmp_path):
    missing = Threshold("own", source="command", command=["/nonexistent/check"])
    assert "check: cannot be started" in reading(missing)["source_down"]
    pid = tmp_path / "pid"
    script = f"import subprocess as s; p = s.Popen(['sleep', '60']); open({str(pid)!r}, 'w').write(str(p.pid))"
    with pytest.raises(SourceError, match="no answer in 2 s"):
        run([sys.executable, "-c", f"{script}; p.wait()"], {}, 2.0)
    assert ends(int(pid.read_text())), "nothing of it is left running"


def ends(pid):
    """Whether a process is gone, or is within the time that a busy machine needs to end one that was killed."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(watched):
        return bool(select.select([watched], [], [], 10)[0])


COLORS = {"candidate": "green", "stable": "blue"}
SERVERS = {"candidate": ["green1"], "stable": ["blue1"]}


def series_answer(**queries):
    def get(url, _headers, _timeout):
        name = url.rsplit("=", 1)[1]
        result = [{"metric": metric, "value": [0, str(value)]} for metric, value in queries[name]]
        body = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return 200, json.dumps(body).encode()

    return get


def test_counters_are_told_apart_by_color_label_or_by_the_name_of_the_server():
    get = series_answer(
        n=[
            ({"color": "green", "server": "pod-7"}, 100),
            ({"server": "blue1:8080"}, 900),
            ({"color": "red", "server": "pod-9"}, 5),
            ({"color": "blue"}, 7),
        ],
        k=[({"color": "green", "server": "pod-7"}, 3)],
    )
    assert error_totals(Series("http://p", requests="n", bad="k"), COLORS, SERVERS, get) == {
        "totals": {"candidate": {"pod-7": [100, 3]}, "stable": {"blue1": [900, 0], "blue": [7, 0]}}
    }


def test_the_buckets_of_prometheus_count_upwards_and_ours_do_not():
    labels = {"color": "green", "server": "green1"}
    get = series_answer(h=[({**labels, "le": le}, n) for le, n in (("+Inf", 10), ("0.1", 4), ("0.5", 9))])
    found = bucket_totals(Series("http://p", buckets="h"), COLORS, SERVERS, get)
    assert found == {"bounds": [0.1, 0.5], "totals": {"candidate": {"green1": [4, 5, 1]}, "stable": {}}}


def test_histograms_that_do_not_fit_are_a_source_that_is_down():
    one, other = {"color": "green", "server": "a"}, {"color": "green", "server": "b"}
    endless = series_answer(h=[({**one, "le": "0.1"}, 1)])
    uneven = series_answer(h=[({**one, "le": "+Inf"}, 1), ({**other, "le": "+Inf"}, 1), ({**other, "le": "1"}, 1)])
    ask = Series("http://p", buckets="h")
    assert "without the bucket le=" in bucket_totals(ask, COLORS, SERVERS, endless)["source_down"]
    assert "a has other buckets than" in bucket_totals(ask, COLORS, SERVERS, uneven)["source_down"]
