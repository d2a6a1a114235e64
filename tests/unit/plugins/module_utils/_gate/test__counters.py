"""From running totals to increases."""

from __future__ import annotations

from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._counters import Counters, add_up
from hypothesis import given
from hypothesis import strategies as st


def answer(pid=7, uptime=None, **totals):
    servers = {
        name: {"requests": requests, "bad": bad, "unanswered": 0, "sessions": 0}
        for name, (requests, bad) in totals.items()
    }
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


def lost(at, requests=0, unanswered=0, sessions=0, pid=7):
    entry = {"requests": requests, "bad": 0, "unanswered": unanswered, "sessions": sessions}
    return at.update("lb1", {"pid": pid, "uptime": None, "servers": {"green1": entry}})


def test_what_was_left_unanswered_is_a_bad_request_from_where_the_server_has_traffic():
    counters = Counters()
    assert lost(counters) == {}
    assert lost(counters, requests=10, unanswered=2) == {"green1": (10, 0)}, "counting begins here"
    assert lost(counters, requests=20, unanswered=5) == {"green1": (13, 3)}
    assert lost(counters, requests=20, unanswered=4, sessions=1) == {"green1": (0, 0)}, "an answer is being sent"
    assert lost(counters, requests=21, unanswered=5) == {"green1": (1, 0)}


def test_sessions_that_were_in_progress_where_counting_began_are_not_taken_for_lost_when_they_end():
    counters = Counters()
    lost(counters, requests=100, unanswered=-50, sessions=50)
    lost(counters, requests=110, unanswered=-50, sessions=50)
    assert lost(counters, requests=120) == {"green1": (10, 0)}, "they were answered"
    assert lost(counters, requests=120, unanswered=1) == {"green1": (1, 1)}


def test_a_server_that_answers_nothing_is_counted_all_the_same():
    counters = Counters()
    lost(counters)
    lost(counters, unanswered=5)
    assert lost(counters, unanswered=25) == {"green1": (20, 20)}


def both(at, requests=0, sending=(0, 0), waiting=(0, 0), unanswered=(0, 0)):
    """Totals of a stable and a candidate server."""
    servers = {
        name: {
            "requests": requests,
            "bad": 0,
            "unanswered": unanswered[n] - sending[n],
            "sessions": sending[n] + waiting[n],
        }
        for n, name in enumerate(("blue1", "green1"))
    }
    return at.update("lb1", {"pid": 7, "servers": servers})


def test_what_both_colors_lose_is_not_hidden_by_answers_that_one_of_them_has_been_sending_for_hours():
    """As event streams are: of 3420 that the stable color sends none ends, and both lose a tenth of their requests."""
    counters = Counters(stable=["blue1"])
    shown = [
        both(counters, 90 * tick, sending=(3420, 0), waiting=(2, 2), unanswered=(10 * tick, 10 * tick))
        for tick in range(12)
    ]
    lost_of = {name: sum(more[name][1] for more in shown[1:]) for name in ("blue1", "green1")}
    assert lost_of == {"blue1": 100, "green1": 98}, "of ten ticks, less what waited where counting began"


def test_the_stable_color_is_not_doubted_while_the_candidate_has_lost_nothing():
    counters = Counters(stable=["blue1"])
    both(counters)
    both(counters, 10)
    assert both(counters, 20, waiting=(5, 5)) == {"blue1": (10, 0), "green1": (10, 0)}
    assert both(counters, 30, waiting=(5, 0), unanswered=(0, 1)) == {"blue1": (15, 5), "green1": (11, 1)}
    assert both(counters, 40, unanswered=(0, 1)) == {"blue1": (10, 0), "green1": (10, 0)}, "they were answered"


def test_another_process_counts_what_was_left_unanswered_anew():
    counters = Counters()
    for requests, unanswered in ((0, 0), (10, 0), (20, 9)):
        lost(counters, requests=requests, unanswered=unanswered)
    assert lost(counters, requests=5, unanswered=1, pid=8) == {}
    assert lost(counters, requests=6, unanswered=1, pid=8) == {"green1": (1, 0)}
    assert lost(counters, requests=6, unanswered=3, pid=8) == {"green1": (2, 2)}


@given(
    st.lists(
        st.tuples(*(st.integers(0, 5) for _ in range(4))),
        min_size=1,
        max_size=40,
    ),
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_no_more_is_counted_than_was_lost_and_no_less_than_that_without_what_was_in_progress(ticks, begin):
    """Each tick: requests begun, answers begun, answers finished, requests lost, as far as there are any."""
    waiting, sending = begin
    requests = silent = counted = 0
    counters = Counters()
    allowance = None
    for begun, answered, finished, closed in [(0, 0, 0, 0), *ticks, (0, 0, 0, 0)]:
        waiting += begun
        answered = min(answered, waiting)
        closed = min(closed, waiting - answered)
        waiting -= answered + closed
        sending += answered
        finished = min(finished, sending)
        sending -= finished
        requests += answered
        silent += closed
        more = lost(counters, requests=requests, unanswered=silent - sending, sessions=waiting + sending)
        if allowance is None and requests + silent - sending > -begin[1]:
            allowance = silent + waiting + sending
        counted += more.get("green1", (0, 0))[1]
        assert counted <= silent
    if allowance is not None and not sending:
        assert counted >= silent - allowance
