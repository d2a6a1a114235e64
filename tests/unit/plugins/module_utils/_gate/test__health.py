"""What needs no statistics."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._health import Health, is_up


@pytest.mark.parametrize(
    ("status", "up"),
    [
        ("UP", True),
        ("UP 1/3", True),
        ("no check", True),
        ("DRAIN", True),
        ("DOWN", False),
        ("DOWN 1/2", False),
        ("MAINT", False),
        ("MAINT (via shop/green1)", False),
        ("NOLB", False),
    ],
)
def test_a_status_of_haproxy_is_up_or_not(status, up):
    assert is_up(status) is up


def test_servers_must_all_be_down_on_one_balancer_to_call_the_candidate_down():
    health = Health(["green1", "green2"], min_errors=5)
    health.update({"t": 5, "down": {"lb1": {"green1": "DOWN"}, "lb2": {"green2": "MAINT"}}}, (0, 0), (0, 0))
    assert health.down is None
    assert health.up_fraction == 0.0
    assert sorted(health.missing.values()) == ["green1 is DOWN on lb1", "green2 is MAINT on lb2"]
    health.update({"t": 10, "down": {"lb2": {"green1": "DOWN", "green2": "DOWN", "blue1": "DOWN"}}}, (0, 0), (0, 0))
    assert health.down == "lb2 sees none of its servers up (green1 DOWN, green2 DOWN)"
    health.update({"t": 15}, (0, 0), (0, 0))
    assert health.down is None
    assert health.up_fraction == 1.0


def down_after(*ticks, min_errors=5):
    health = Health(["green1"], min_errors)
    for candidate, stable in ticks:
        health.update({"t": 0}, candidate, stable)
    return health.down


def test_two_ticks_in_a_row_in_which_every_request_failed_are_down():
    assert down_after(((3, 3), (90, 0))) is None
    assert down_after(((3, 3), (90, 0)), ((4, 4), (90, 1))) == "every request failed in 2 ticks in a row (7 of them)"


def test_a_tick_without_requests_neither_counts_nor_interrupts():
    assert down_after(((3, 3), (90, 0)), ((0, 0), (90, 0)), ((4, 4), (90, 0)))


def test_one_request_that_succeeds_interrupts():
    assert down_after(((9, 9), (90, 0)), ((9, 8), (90, 0)), ((9, 9), (90, 0))) is None


def test_two_single_failures_are_too_few_to_call_it_down():
    assert down_after(((1, 1), (90, 0)), ((1, 1), (90, 0))) is None


def test_what_kills_both_colors_is_not_the_candidates_doing():
    assert down_after(((9, 9), (90, 90)), ((9, 9), (90, 90))) is None
