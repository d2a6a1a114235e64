"""Bad input is refused with a sentence before anything runs."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import (
    Settings,
    Threshold,
    fraction,
    settings_of,
    thresholds_of,
)

GOOD = {"name": "p99", "max": 1, "url": "http://prometheus:9090", "query": "up"}


def test_the_defaults_are_those_of_the_design():
    found = Settings()
    assert (found.alpha, found.beta, found.r0, found.r1, found.d1, found.cap) == (0.01, 0.05, 1.5, 2.0, 0.002, 4.0)
    assert (found.tick, found.dwell, found.timeout, found.on_timeout) == (5.0, 60.0, 900.0, "pause")
    assert settings_of({"errors": {}}) == found


@pytest.mark.parametrize(
    ("text", "bare", "found"),
    [
        ("0.5pp", 0.01, 0.005),
        ("0.5%", 0.01, 0.005),
        (0.5, 0.01, 0.005),
        ("0.5", 0.01, 0.005),
        ("1 %", 1, 0.01),
        (0.01, 1, 0.01),
        (".2pp", 0.01, 0.002),
        (1, 0.01, 0.01),
    ],
)
def test_a_fraction_can_be_written_in_the_usual_ways(text, bare, found):
    assert fraction(text, "margin", bare=bare) == pytest.approx(found)


@pytest.mark.parametrize("text", ["", "half", "-1%", True, None, "1e3", [1]])
def test_anything_else_is_refused(text):
    with pytest.raises(InputError, match="margin"):
        fraction(text, "margin")


def test_the_service_page_becomes_settings():
    found = settings_of(
        {"errors": {"max_ratio": 1.2, "margin": "0.5pp", "alpha": 0.001, "max_error_ratio": "2%", "min_excess": 0.1}},
        tick=2.0,
        dwell=30.0,
        timeout=None,
    )
    assert (found.r0, found.d1, found.alpha, found.max_error_ratio) == (1.2, 0.005, 0.001, 0.02)
    assert found.min_excess == pytest.approx(0.001)
    assert (found.tick, found.dwell, found.timeout) == (2.0, 30.0, 900.0)
    assert settings_of({}).errors is False
    assert settings_of({"latency": {}}).latency == ("p50", "p90", "p99")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"alpha": 0}, "alpha 0: must be a probability"),
        ({"beta": 1.5}, "beta 1.5"),
        ({"r0": 0.5}, "max_ratio 0.5: must be 1 or more"),
        ({"d1": 0}, "margin 0"),
        ({"d1": float("nan")}, "margin nan"),
        ({"tick": 0}, "tick 0"),
        ({"timeout": 30}, "timeout 30 s is shorter than dwell 60 s"),
        ({"on_timeout": "wait"}, "on_timeout 'wait'"),
        ({"latency": ("p95",)}, "latency quantile 'p95'"),
        ({"max_error_ratio": 1.0}, "max_error_ratio"),
        ({"min_healthy": 0}, "min_healthy"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, words):
    with pytest.raises(InputError) as refused:
        Settings(**values)
    assert words in str(refused.value)


def test_an_unknown_option_of_the_gate_is_named():
    with pytest.raises(InputError, match="unknown option 'max_ration'"):
        settings_of({"errors": {"max_ration": 2}})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({**GOOD, "max": None}, "give either max, min or max_ratio"),
        ({**GOOD, "min": 1}, "give either max, min or max_ratio"),
        ({**GOOD, "max": float("inf")}, "not a limit"),
        ({**GOOD, "failures": 0}, "failures 0"),
        ({**GOOD, "source": "datadog"}, "source 'datadog'"),
        ({**GOOD, "query": None}, "needs url and query"),
        ({**GOOD, "url": "prometheus:9090"}, "must begin with http://"),
        ({**GOOD, "url": "http://host:notaport"}, "url:"),
        ({**GOOD, "url": "http://me:secret@host"}, "credentials go into token or headers"),
        ({**GOOD, "window": "1m"}, "unknown option 'window'"),
        ({**GOOD, "name": None}, "has no name"),
        ({**GOOD, "timeout": 0}, "timeout 0"),
    ],
)
def test_a_threshold_that_cannot_work_is_refused(entry, words):
    with pytest.raises(InputError) as refused:
        thresholds_of([entry])
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_thresholds_of_one_name_are_refused():
    with pytest.raises(InputError, match="two thresholds are called 'p99'"):
        thresholds_of([GOOD, GOOD])


def test_failure_limit_is_another_name_of_failures():
    assert thresholds_of([{**GOOD, "failure_limit": 3}])[0].failures == 3


def test_a_threshold_does_not_show_its_secrets():
    shown = repr(Threshold(**GOOD, token="s3cret", headers={"X-Key": "s3cret"}))
    assert "s3cret" not in shown
