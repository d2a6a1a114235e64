"""The simulation behind `make bench-judge`, in small: it is about the shipped judge, and can find it wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy", reason="bench/requirements.txt is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.judge.rollouts import release  # noqa: E402
from bench.judge.rules import ErrorRate, Evidence, MannWhitney  # noqa: E402
from bench.judge.traffic import BASE_ERRORS, CANDIDATE, GOOD, STABLE, TICK, Fault, Traffic, bounds  # noqa: E402
from plugins.module_utils._gate._judge import Judge  # noqa: E402
from plugins.module_utils._gate._settings import Settings  # noqa: E402

BAD = Fault("5 % errors", errors=0.05)


def ticks(count: int) -> list[float]:
    return [TICK * (i + 1) for i in range(count)]


def test_a_seed_gives_the_same_traffic_and_another_one_other_traffic() -> None:
    first, again, other = (Traffic(seed, 100, BAD).line(5, 5, 0.05) for seed in ((1, 2), (1, 2), (1, 3)))
    assert first == again
    assert first != other


def test_rates_and_shares_are_those_that_were_asked_for() -> None:
    requests = bad = extra = 0.0
    for seed in range(40):
        n, k = Traffic((seed,), 100, BAD).counts(ticks(60), 0.25)
        requests += n.sum()
        bad += k[:, CANDIDATE:].sum() / n[:, CANDIDATE:].sum()
        extra += k[:, :CANDIDATE].sum() / n[:, :CANDIDATE].sum()
        assert 0.2 < n[:, :CANDIDATE].sum() / n.sum() < 0.3
    assert 0.7 < requests / (40 * 60 * TICK * 100) < 1.3, "a day's wave has no mean of its own"
    assert BASE_ERRORS / 2 < bad / 40 < BASE_ERRORS * 4, "incidents raise it, but not for long"
    assert extra / 40 == pytest.approx(0.05, rel=0.15)


def slow_shares(fault: Fault) -> dict[str, float]:
    """By quantile the share of the candidate's responses that are slower than 1.1 times the bound."""
    slow, responses = dict.fromkeys(bounds(), 0), 0
    for seed in range(5):
        line = Traffic((seed,), 20000, fault).line(5, 5, 0.5)
        for entry in line["colors"]["candidate"].values():
            responses += entry["errors"][0]
            for quantile, (n, promote, rollback) in entry["latency"].items():
                assert n == entry["errors"][0] >= rollback >= promote
                slow[quantile] += rollback
    return {quantile: count / responses for quantile, count in slow.items()}


def test_the_candidates_latencies_are_slow_where_its_fault_says_so() -> None:
    good, slower, tail = map(slow_shares, (GOOD, Fault("slower", slower=1.5), Fault("tail", tail=1.5)))
    assert 0.3 < good["p50"] < 0.5 and 0.02 < good["p90"] < 0.1 and 0.001 < good["p99"] < 0.01
    assert slower["p50"] > 1.5 * good["p50"] and slower["p99"] > 3 * good["p99"]
    assert tail["p99"] > 2 * good["p99"]
    assert tail["p50"] == pytest.approx(good["p50"], rel=0.05), "half of the responses are as quick as before"


@pytest.mark.parametrize(("errors", "hosts"), [(0.01, CANDIDATE), (0.05, CANDIDATE), (0.05, 1), (None, CANDIDATE)])
def test_the_rule_of_the_tables_is_the_judge_tick_by_tick(errors: Any, hosts: int) -> None:
    judged = 0
    for seed in range(3):
        traffic = Traffic((seed,), 500, Fault("", errors=errors, hosts=hosts))
        requests, bad = traffic.counts(ticks(30), 0.2)
        for host_check in (False, True):
            judge = Judge(Settings(host_check=20.0 if host_check else 0.0, timeout=1e9))
            rule = Evidence(host_check)
            for t, n, k in zip(ticks(30), requests.tolist(), bad.tolist()):
                counts = [{"errors": list(pair)} for pair in zip(n, k)]
                colors = {
                    "candidate": dict(zip(traffic.candidates, counts)),
                    "stable": dict(zip(traffic.stables, counts[CANDIDATE:])),
                }
                verdict = judge.tick({"t": t, "colors": colors})["verdict"]
                assert rule.alarm(np.array(n), np.array(k)) == (verdict == "rollback"), (seed, host_check, t)
                judged += verdict == "rollback"
    if errors is None:
        assert not judged, "three good candidates, and one was rolled back"
    else:
        assert judged, "the comparison has seen no rollback at all"


def test_the_closed_loop_tells_good_from_bad_and_a_version_from_a_machine() -> None:
    seed = next(seed for seed in range(9) if not any(start < 900 for start, _, _ in Traffic((seed,), 1000).incidents))
    good, bad = release(Traffic((seed,), 1000)), release(Traffic((seed,), 1000, BAD))
    assert (good.outcome, good.split) == ("promoted", 100)
    assert (bad.outcome, bad.cause, bad.split) == ("rolled back", "errors", 5)
    assert bad.seconds < good.seconds
    machine = release(Traffic((seed,), 1000, Fault("one bad VM", errors=0.05, hosts=1)))
    assert (machine.outcome, machine.cause) == ("held", "one_host")
    late = release(Traffic((seed,), 1000, Fault("at 100 % only", errors=0.05, from_split=1.0)))
    assert (late.outcome, late.cause, late.split, late.second_look) == ("rolled back", "errors", 100, True)
    assert not good.second_look
    assert release(Traffic((seed,), 10)).outcome == "held", "at 10 requests a second a quarter of an hour is too short"


def alarms(rule: Any, candidate: float, stable: float, count: int = 60) -> float | None:
    """The second of the first alarm where 1000 requests a server and tick fail at these rates."""
    n = np.array([1000] * (CANDIDATE + STABLE))
    for i, t in enumerate(ticks(count)):
        # A little up and down, so that the ranks are not all tied.
        k = np.array([round(1000 * candidate) + i % 3] * CANDIDATE + [round(1000 * stable) + i % 3] * STABLE)
        if rule.alarm(n, k):
            return t
    return None


def test_the_rivals_rules_do_what_they_are_said_to_do() -> None:
    assert alarms(ErrorRate(2), 0.02, 0.0) == 60, "the second failed check of 30 s"
    assert alarms(ErrorRate(2), 0.002, 0.0) is None
    assert alarms(ErrorRate(2), 0.02, 0.02) == 60, "it does not look at the stable color"
    assert alarms(ErrorRate(5, late=True), 0.02, 0.0) == 180, "the check after the fifth failed one"
    assert alarms(MannWhitney(), 0.02, 0.001) == 60
    assert alarms(MannWhitney(), 0.02, 0.02) is None
