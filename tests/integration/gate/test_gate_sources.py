"""Every source and what must never pass, on real HAProxy processes under real load."""

from __future__ import annotations

import json
import sys
from urllib.request import urlopen

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Series, Settings, Threshold
from direct_gate import TICK, DirectGate
from gate_lab import wait_until
from metrics_server import MetricsServer


def settings(**more):
    return Settings(**{"d1": 0.03, "tick": TICK, "dwell": 1.0, "timeout": 40.0, **more})


@pytest.fixture
def metrics(site):
    server = MetricsServer(site)
    yield server
    server.stop()


def test_5_per_cent_errors_are_found(site):
    site.apps["green1"].fail_every = site.apps["green2"].fail_every = 20
    site.load(clients=4)
    gate = DirectGate(site, settings())
    result = gate.run()
    assert (result["verdict"], result["cause"]) == ("rollback", "errors"), gate.said
    assert 0.02 < result["evidence"]["candidate"]["errors"] / result["evidence"]["candidate"]["requests"] < 0.15


def test_a_candidate_that_closes_connections_without_an_answer_is_found(site):
    site.apps["green1"].close_every = site.apps["green2"].close_every = 10
    site.load(clients=4, keep=True)
    gate = DirectGate(site, settings())
    result = gate.run()
    assert (result["verdict"], result["cause"]) == ("rollback", "errors"), gate.said
    assert 0.05 < result["evidence"]["candidate"]["errors"] / result["evidence"]["candidate"]["requests"] < 0.2


def test_connections_that_both_colors_close_alike_are_no_rollback(site):
    for app in site.apps.values():
        app.close_every = 10
    site.load(clients=4, keep=True)
    gate = DirectGate(site, settings(dwell=4.0))
    result = gate.run()
    assert result["verdict"] != "rollback", gate.said
    assert result["evidence"]["stable"]["errors"] > 20, "it was seen"


def test_an_incident_that_hits_both_colors_alike_is_no_rollback(site):
    site.load(clients=4)

    def incident(every):
        for app in site.apps.values():
            app.fail_every = every

    def over():
        wait_until(lambda: site.apps["blue1"].failed > 30, "there is an incident", 60)
        incident(0)

    gate = DirectGate(site, settings(dwell=4.0), at={2: lambda: incident(4), 9: over})
    result = gate.run()
    assert result["verdict"] != "rollback", gate.said
    assert result["evidence"]["stable"]["errors"] > 20, "it was seen"


def test_every_request_through_either_balancer_is_counted_once(site):
    def load():
        for balancer, requests in zip(site.balancers, (40, 60)):
            for _ in range(requests):
                urlopen(f"http://127.0.0.1:{balancer.port}/", timeout=5).close()

    evidence = DirectGate(site, settings(timeout=1.0), at={2: load}).run()["evidence"]
    assert evidence["candidate"]["requests"] + evidence["stable"]["requests"] == 100
    assert evidence["candidate"]["requests"] == 50, "half of each balancer's"


def test_errors_and_latencies_from_prometheus_are_judged_as_those_of_the_balancers(site, metrics):
    site.apps["blue1"].delay = 0.004
    site.apps["green1"].delay = site.apps["green2"].delay = 0.03
    site.load(clients=6)
    series = {
        "errors": Series(metrics.url, requests="requests", bad="bad"),
        "latency": Series(metrics.url, buckets="buckets"),
    }
    gate = DirectGate(site, settings(latency=("p50",), elsewhere=("errors", "latency")), series=series)
    result = gate.run()
    assert (result["verdict"], result["cause"]) == ("rollback", "latency"), gate.said
    assert result["evidence"]["latency"]["p50"]["beta"] == 0.005
    assert set(gate.lines[-1]["colors"]["candidate"]) == {"green1", "green2"}, "by the names of the inventory"


def test_a_prometheus_that_stops_holds_the_gate_that_it_judges_and_never_passes(site, metrics):
    site.load(clients=2)
    series = {"errors": Series(metrics.url, requests="requests", bad="bad")}
    gate = DirectGate(
        site,
        settings(elsewhere=("errors",), timeout=4.0, dwell=3.0, on_timeout="promote"),
        series=series,
        at={4: metrics.stop},
    )
    result = gate.run()
    assert (result["outcome"], result["held_for"]) == ("pause", "source_down"), gate.said


@pytest.mark.parametrize("action", ["pause", "rollback"])
def test_a_policy_ends_a_gate_whose_source_is_down(site, action):
    dead = Threshold("p99", max=1, url="http://127.0.0.1:9", query="x")
    gate = DirectGate(site, settings(), thresholds=[dead], policies={"threshold p99": {"source_down": action}})
    result = gate.run()
    assert (result["outcome"], result["cause"], result["ticks"]) == (action, "source_down", 3), gate.said
    assert f"as source_down: {action} of threshold p99 says" in result["message"]


def test_without_load_it_says_how_many_requests_errors_and_latencies_need(site):
    gate = DirectGate(site, settings(d1=0.002, timeout=1.0))
    result = gate.run()
    assert (result["outcome"], result["held_for"]) == ("pause", "too_few_requests")
    assert "about 1521 more are needed" in result["message"]
    timed = DirectGate(site, settings(latency=("p50", "p90"), timeout=1.0)).run()
    assert timed["held_for"] == "too_few_requests"
    assert "to know how quick blue is, 500 more of its responses are needed" in timed["message"]


def test_a_value_of_any_json_endpoint_and_a_check_of_ones_own_are_gates_too(site, metrics, tmp_path):
    site.apps["green1"].fail_every = 3
    site.load()
    check = tmp_path / "check.py"
    check.write_text(
        "import json, os, sys\n"
        "assert os.environ['SLUICE_COLOR'] == sys.argv[1] == 'green'\n"
        "print(json.dumps({'value': 1, 'message': os.environ['PASSWORD']}))\n"
    )
    own = Threshold(
        "own", max=1, source="command", command=[sys.executable, str(check), "$color"], env={"PASSWORD": "hush-hush"}
    )
    endpoint = Threshold("failed", max=3, source="json", url=f"{metrics.url}/value", path="data.series[0].failed")
    gate = DirectGate(site, settings(errors=False), thresholds=[own, endpoint])
    result = gate.run()
    assert (result["verdict"], result["cause"]) == ("rollback", "threshold"), gate.said
    assert result["message"].startswith("failed is ")
    assert result["evidence"]["thresholds"]["own"]["measured"] >= 2
    assert "hush-hush" not in json.dumps([result, gate.lines, gate.said])


def test_a_value_is_compared_with_that_of_the_stable_color(site, metrics):
    site.apps["blue1"].fail_every = 20
    site.apps["green1"].fail_every = 2
    site.load()
    ratio = Threshold("failures", max_ratio=2, url=metrics.url, query="failed_$color", failures=3)
    # One series a color: green2 has none.
    site.apps.pop("green2").stop()
    gate = DirectGate(site, settings(errors=False), thresholds=[ratio])
    result = gate.run()
    assert (result["verdict"], result["cause"]) == ("rollback", "threshold"), gate.said
    assert "at most 2 times the stable color's, which is " in result["message"]


def test_a_secret_that_a_source_repeats_is_not_repeated_further(site, metrics):
    metrics.key = "the right one"
    refused = Threshold(
        "refused", max=3, source="json", url=f"{metrics.url}/value", path="x", headers={"X-Key": "hush-hush"}
    )
    gate = DirectGate(
        site,
        settings(elsewhere=("errors",), timeout=1.0),
        thresholds=[refused],
        series={"errors": Series(metrics.url, requests="n", bad="k", headers={"X-Key": "hush-hush"}, token="hush-too")},
    )
    result = gate.run()
    assert result["held_for"] == "source_down"
    assert "HTTP 403" in result["message"]
    assert "hush" not in json.dumps([result, gate.lines, gate.said])
