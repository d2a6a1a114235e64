"""What a person reads."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import (
    Names,
    odds,
    per_cent,
    progress,
    ratio_text,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings


@pytest.mark.parametrize(
    ("e", "text"),
    [
        (1.0, "1 to 1"),
        (12.3, "12 to 1"),
        (2.14, "2.1 to 1"),
        (0.2, "1 to 5"),
        (0.0125, "1 to 80"),
        (312.4, "312 to 1"),
        (210000000.0, "2·10⁸ to 1"),
        (9700000000000.0, "1·10¹³ to 1"),
        (0.0, "nil"),
        (1e299, "1·10²⁹⁹ to 1"),
    ],
)
def test_an_e_value_reads_as_odds(e, text):
    assert odds(e) == text


@pytest.mark.parametrize(
    ("k", "n", "text"), [(0, 0, "0.0 %"), (5, 410, "1.2 %"), (1, 7810, "0.01 %"), (0, 7810, "0.0 %"), (9, 9, "100.0 %")]
)
def test_a_small_rate_never_reads_as_none(k, n, text):
    assert per_cent(k, n) == text


def test_a_ratio_reads_with_its_interval():
    known = ratio_text(3.7, [2.1, 6.5], "blue")
    assert known == "3.7 times as often as blue (2.1 to 6.5, 95 %, valid whenever you look)"
    assert "(at least 2.1, 95 %" in ratio_text(3.7, [2.1, None], "blue")
    assert "(any number is possible, 95 %" in ratio_text(3.7, [0.0, None], "blue")


def test_a_tick_is_one_line(line):
    names = Names("green", "blue")
    judge = Judge(Settings(), names=names)
    result = judge.tick(line(35, {"green1": (410, 5)}, {"blue1": (7810, 0)}))
    text = progress("shop stage 1 (5 %)", result, names)
    assert text.startswith(
        "shop stage 1 (5 %) 35 s: hold too_few_requests - green 1.2 % of 410 requests failed, blue 0.0 % of 7810; "
        "odds for rollback 3.9 to 1, for promotion "
    )
    assert "\n" not in text


def test_a_tick_that_went_wrong_says_why(line):
    names = Names("green", "blue")
    result = Judge(Settings(), names=names).tick({"t": 35, "source_down": "lb1: refused"})
    text = progress("shop stage 1", result, names)
    assert text == "shop stage 1 35 s: hold source_down - no verdict without its source: lb1: refused"
