"""From running totals to increases."""

from __future__ import annotations

from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._counters import Counters, add_up
from hypothesis import given
from hypothesis import strategies as st


def answer(pid=7, uptime=None, **totals):
    servers = {name: {"requests": requests, "bad": bad} for name, (requests, bad) in totals.items()}
    return {"pid": pid, "uptime": uptime, "servers": servers}


def test_the_first_answer_only_sets_where_counting_begins():
    counters = Counters()
    assert counters.update("lb1", answer(green1=(1000, 50))) == {}
    assert counters.update("lb1", answer(green1=(1010, 51))) == {"green1": (10, 1)}


def test_every_balancer_has_totals_of_its_own_and_they_add_up():
    counters = Counters()
    for balancer, start in (("lb1", 100), ("lb2", 9000)):
        counters.update(balancer, answer(green1=(start, 0), blue1=(start, 0)))
    increases = [
        counters.update("lb1", answer(green1=(103, 1), blue1=(110, 0))),
        counters.update("lb2", answer(green1=(9004, 2), blue1=(9020, 1))),
    ]
    assert add_up(increases) == {"green1": (7, 3), "blue1": (30, 1)}


def test_a_total_that_went_down_drops_that_server_alone():
    counters = Counters()
    counters.update("lb1", answer(green1=(1000, 5), blue1=(1000, 5)))
    assert counters.update("lb1", answer(green1=(3, 0), blue1=(1010, 5))) == {"blue1": (10, 0)}
    assert counters.update("lb1", answer(green1=(9, 1), blue1=(1010, 5))) == {"green1": (6, 1), "blue1": (0, 0)}


def test_another_process_drops_the_tick_even_when_its_totals_are_higher():
    counters = Counters()
    counters.update("lb1", answer(pid=7, green1=(10, 0)))
    assert counters.update("lb1", answer(pid=8, green1=(5000, 300))) == {}
    assert counters.update("lb1", answer(pid=8, green1=(5010, 301))) == {"green1": (10, 1)}


def test_a_process_id_that_was_used_again_shows_by_its_uptime():
    counters = Counters()
    counters.update("lb1", answer(uptime=500, green1=(10, 0)))
    assert counters.update("lb1", answer(uptime=3, green1=(5000, 300))) == {}


def test_a_missed_poll_is_one_longer_tick():
    counters = Counters()
    counters.update("lb1", answer(green1=(100, 0)))
    counters.update("lb2", answer(green1=(100, 0)))
    counters.update("lb2", answer(green1=(110, 1)))
    assert counters.update("lb1", answer(green1=(150, 3))) == {"green1": (50, 3)}


def test_a_server_that_is_new_has_no_increase_yet():
    counters = Counters()
    counters.update("lb1", answer(green1=(100, 0)))
    assert counters.update("lb1", answer(green1=(101, 0), green2=(77, 7))) == {"green1": (1, 0)}


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 500), st.booleans()), min_size=1, max_size=20))
def test_a_reset_never_counts(reads):
    """Whatever a balancer reads, no increase is negative, and none is more than what was added since the last read."""
    counters = Counters()
    pid, before = 1, None
    for requests, bad, restarted in reads:
        pid += restarted
        found = counters.update("lb1", answer(pid=pid, green1=(requests, min(bad, requests))))
        if before is None or restarted or requests < before:
            assert found == {}
        for n, k in found.values():
            assert 0 <= k <= n == requests - before
        before = requests
