"""Latencies from HAProxy's own histogram, under real load."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _tape
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings
from direct_gate import TICK, DirectGate
from gate_lab import Site

QUANTILES = ("p50", "p90", "p99")


def settings(**more):
    return Settings(**{"latency": QUANTILES, "d1": 0.03, "tick": TICK, "dwell": 1.0, "timeout": 40.0, **more})


def test_a_candidate_three_times_as_slow_is_rolled_back_on_latency(site):
    # Long enough that a busy machine adds little to them.
    site.apps["blue1"].delay = 0.008
    site.apps["green1"].delay = site.apps["green2"].delay = 0.024
    site.load(clients=8)
    gate = DirectGate(site, settings())
    result = gate.run()
    assert (result["verdict"], result["cause"]) == ("rollback", "latency"), gate.said
    assert result["message"].startswith("green is slower than blue: "), result["message"]
    beta = result["evidence"]["latency"]["p50"]["beta"]
    assert beta >= 0.008, "the stable color's median, from real responses"
    for line in gate.lines:
        _tape.check(line, "the tape")
    judged = [line for line in gate.lines if "beta" in line["reference"]]
    assert all("latency" not in e for line in gate.lines[:1] for e in line["colors"]["stable"].values())
    again = Judge(settings(), servers={"candidate": ["green1", "green2"], "stable": ["blue1"]})
    assert [again.tick(line) for line in gate.lines][-1]["cause"] == "latency", "the tape leads to the same verdict"
    assert {line["reference"]["beta"]["p50"] for line in judged} == {beta}, "fixed before the first tick it judges"


def test_a_candidate_as_quick_as_the_stable_color_is_promoted_on_errors_and_latency(site):
    for app in site.apps.values():
        app.delay = 0.004
    site.load(clients=4)
    gate = DirectGate(site, settings(timeout=60.0))
    result = gate.run()
    assert (result["verdict"], result["cause"]) == ("promote", "passed"), gate.said
    evidence = result["evidence"]
    assert evidence["latency"]["p50"]["e_promote"] >= 20
    assert evidence["latency"]["p90"]["e_promote"] >= 20
    assert "slower or worse" in result["message"]


@pytest.fixture
def blind_site(tmp_path):
    running = Site(tmp_path, histogram=False)
    yield running
    running.stop()


def test_a_balancer_without_a_histogram_holds_and_says_which_haproxy_it_takes(blind_site):
    blind_site.load()
    gate = DirectGate(blind_site, settings(timeout=1.5, on_timeout="promote"))
    result = gate.run()
    assert (result["outcome"], result["held_for"]) == ("pause", "no_data"), gate.said
    assert "HAProxy on lb1 counts no latencies: that needs HAProxy 2.2 or newer" in result["message"]
