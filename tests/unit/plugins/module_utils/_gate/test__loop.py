"""The loop, with time, balancers and screen made up."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._latency import pack
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._lines import Observation, Watch
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._loop import GateLoop, replay
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings, Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._threshold_judge import ThresholdJudge

NAMES = Names("green", "blue")
SERVERS = {"candidate": ["green1", "green2"], "stable": ["blue1"]}
WEIGHTS = {"green1": 3, "green2": 3, "blue1": 94}
FORCED_BACK = {"no_data": "rollback", "source_down": "rollback"}
LIMIT = Threshold("p99", max=1.0, url="http://prometheus", query="x")


class World:
    """Two balancers that serve; time passes only when somebody waits for it."""

    def __init__(self, per_tick=None, look_takes=0.4):
        self.now = 1000.0
        self.look_takes = look_takes
        self.per_tick = per_tick or {"green1": (60, 0), "green2": (60, 0), "blue1": (2000, 1)}
        self.totals = {balancer: dict.fromkeys(SERVERS["candidate"] + SERVERS["stable"], (500, 5)) for balancer in BOTH}
        self.pids = dict.fromkeys(BOTH, 1)
        self.weights = {balancer: dict(WEIGHTS) for balancer in BOTH}
        self.status = {balancer: {} for balancer in BOTH}
        self.failures = {}
        self.thresholds = {}
        self.script = {}
        self.looks = 0
        self.lines = []
        self.recorded = []
        self.said = []
        self.waits = []

    def observe(self, line, seconds, due):
        self.looks += 1
        self.lines.append(line)
        self.waits.append(seconds)
        self.now += self.look_takes
        for change in self.script.pop(self.looks, []):
            change(self)
        balancers = {}
        for balancer in BOTH:
            if self.looks > 1:
                for name, (n, k) in self.per_tick.items():
                    requests, bad = self.totals[balancer][name]
                    self.totals[balancer][name] = (requests + n, bad + k)
            balancers[balancer] = self.failures.get(balancer) or self.answer(balancer)
        return Observation(balancers, dict(self.thresholds))

    def answer(self, balancer):
        return {
            "pid": self.pids[balancer],
            "leading": True,
            "servers": {
                name: {
                    "requests": requests,
                    "bad": bad,
                    "unanswered": 0,
                    "status": self.status[balancer].get(name, "UP"),
                    "weight": self.weights[balancer].get(name),
                    "sessions": 0,
                }
                for name, (requests, bad) in self.totals[balancer].items()
            },
        }

    def loop(self, settings=None, thresholds=(), **watch):
        settings = settings or Settings()
        chosen = {"weights": WEIGHTS, "lease": 30.0, **watch}
        return GateLoop(
            Watch("shop stage 1 (6 %)", BOTH, SERVERS, **chosen),
            Judge(settings, names=NAMES, thresholds=thresholds, servers=SERVERS),
            self.observe,
            record=lambda line, _seconds: self.recorded.append(line),
            clock=lambda: self.now,
            sleep=self.sleep,
            say=self.said.append,
        )

    def sleep(self, seconds):
        assert seconds >= 0
        self.now += seconds


BOTH = ["lb1", "lb2"]


def test_a_good_candidate_is_promoted_and_every_tick_is_said_and_recorded():
    world = World()
    result = world.loop().run()
    assert (result["verdict"], result["outcome"]) == ("promote", "promote"), result["message"]
    assert result["elapsed"] >= 60
    assert len(world.said) == result["ticks"] == world.looks - 1
    assert world.said[0].startswith("shop stage 1 (6 %) 5 s: hold ")
    handed = [line for line in world.lines if line is not None] + world.recorded
    assert [line["t"] for line in handed] == [5.0 * i for i in range(1, result["ticks"] + 1)], "each line once"


def test_the_counters_of_all_balancers_are_added_up_and_the_first_look_only_begins():
    world = World()
    world.loop().run()
    assert world.lines[2]["colors"]["candidate"] == {"green1": {"errors": [120, 0]}, "green2": {"errors": [120, 0]}}
    assert world.lines[2]["colors"]["stable"] == {"blue1": {"errors": [4000, 2]}}


def test_ticks_keep_to_their_boundaries_and_a_slow_one_skips_to_the_next():
    world = World(look_takes=0.4)
    world.script[4] = [lambda w: setattr(w, "look_takes", 7.0)]
    world.script[5] = [lambda w: setattr(w, "look_takes", 0.4)]
    world.loop(Settings(dwell=0, timeout=40), thresholds=[LIMIT]).run()
    assert [line["t"] for line in world.lines[2:7]] == [5.0, 10.0, 15.0, 20.0, 30.0]


def test_a_balancer_that_does_not_answer_is_a_missed_tick_and_then_one_longer_tick():
    world = World()
    world.script[3] = [lambda w: w.failures.update(lb2={"unreachable": True, "msg": "timed out"})]
    world.script[5] = [lambda w: w.failures.clear()]
    world.loop(Settings(timeout=60)).run()
    second, third, fourth = world.lines[3:6]
    assert second["missed"] == {"lb2": "timed out"}
    assert third["colors"]["stable"]["blue1"]["errors"] == [2000, 1]
    assert fourth["colors"]["stable"]["blue1"]["errors"] == [2000 + 3 * 2000, 4]
    assert "hold source_down - no verdict without its source: lb2 did not answer: timed out" in world.said[1]


def test_a_balancer_silent_for_longer_than_its_lease_has_lost_the_split():
    world = World()
    world.script[3] = [lambda w: w.failures.update(lb2={"failed": True, "msg": "socket is gone"})]
    result = world.loop().run()
    assert (result["verdict"], result["cause"]) == ("rollback", "split_lost")
    assert "lb2 has not answered for 35 s, longer than its lease of 30 s" in result["message"]
    assert "(socket is gone)" in result["message"]


def test_without_a_lease_a_silent_balancer_holds():
    world = World()
    world.failures["lb2"] = {"failed": True, "msg": "socket is gone"}
    result = world.loop(Settings(timeout=100), lease=None).run()
    assert (result["outcome"], result["cause"]) == ("pause", "source_down")


def test_no_balancer_at_all_is_a_source_that_is_down():
    world = World()
    world.failures = {name: {"failed": True, "msg": "gone"} for name in BOTH}
    result = world.loop(Settings(dwell=0, timeout=20, on_timeout="promote"), lease=None).run()
    assert (result["outcome"], result["held_for"]) == ("pause", "source_down")
    assert world.lines[-1] == {"t": 15.0, "source_down": "lb1: gone; lb2: gone"}


def test_a_difference_in_the_split_read_back_rolls_back():
    world = World()
    world.script[4] = [lambda w: w.weights["lb2"].update(green1=0, blue1=100)]
    result = world.loop().run()
    assert (result["verdict"], result["cause"], result["elapsed"]) == ("rollback", "split_lost", 15.0)
    assert "lb2 gives blue1 weight 100 instead of 94, gives green1 weight 0 instead of 3" in result["message"]


def test_a_split_that_is_wrong_from_the_start_ends_the_gate_before_the_first_tick():
    world = World()
    world.weights["lb1"]["green2"] = 256
    result = world.loop().run()
    assert (result["cause"], result["elapsed"], world.looks) == ("split_lost", 0.0, 1)


def test_a_candidate_that_is_down_ends_the_gate_before_the_first_tick():
    world = World()
    world.status["lb2"] = dict.fromkeys(SERVERS["candidate"], "DOWN")
    result = world.loop().run()
    assert (result["verdict"], result["cause"], world.looks) == ("rollback", "candidate_down", 1)


def test_another_release_ends_the_gate_at_once_and_nothing_more_is_sent():
    world = World()
    world.script[3] = [
        lambda w: w.failures.update(lb1={"failed": True, "fenced": True, "msg": "release 2 holds the lock"})
    ]
    result = world.loop().run()
    assert (result["verdict"], result["cause"], result["outcome"]) == ("hold", "superseded", "pause")
    assert result["message"] == "superseded: lb1: release 2 holds the lock"
    assert world.recorded == []
    assert world.looks == 3


def test_another_release_at_the_first_look_ends_the_gate_too():
    world = World()
    world.failures["lb2"] = {"failed": True, "fenced": True, "msg": "release 2 holds the lock"}
    assert world.loop().run()["cause"] == "superseded"


@pytest.mark.parametrize(
    ("on_timeout", "verdict", "cause", "outcome"),
    [
        ("pause", "hold", "too_few_requests", "pause"),
        ("rollback", "rollback", "timeout", "rollback"),
        ("promote", "promote", "timeout", "promote"),
    ],
)
def test_the_timeout_does_what_its_policy_says(on_timeout, verdict, cause, outcome):
    world = World(per_tick={"green1": (1, 0), "green2": (1, 0), "blue1": (20, 0)})
    result = world.loop(Settings(dwell=10, timeout=60, on_timeout=on_timeout)).run()
    assert (result["verdict"], result["cause"], result["outcome"]) == (verdict, cause, outcome)
    assert (result["elapsed"], result["held_for"]) == (60.0, "too_few_requests")


def test_a_reload_never_counts():
    world = World()

    def reload(w):
        w.pids["lb1"] = 2
        w.totals["lb1"] = dict.fromkeys(w.totals["lb1"], (100_000, 90_000))

    world.script[4] = [reload]
    result = world.loop(Settings(timeout=60)).run()
    assert result["verdict"] != "rollback"
    assert world.lines[4]["colors"]["stable"]["blue1"]["errors"] == [2000, 1], "lb2 alone"


def test_a_container_that_just_started_is_not_counted_until_it_is_warm():
    world = World()
    world.loop(ages={"green1": 18.0}).run()
    seen = ["green1" in line["colors"]["candidate"] for line in world.lines[2:8]]
    assert seen == [False, False, False, True, True, True], "18 s and 15 s make 30"


def test_thresholds_are_looked_at_in_the_same_tick():
    world = World()
    world.thresholds = {"p99": 2.0}
    result = world.loop(thresholds=[LIMIT]).run()
    assert (result["verdict"], result["cause"], result["elapsed"]) == ("rollback", "threshold", 10.0)
    assert world.recorded[0]["thresholds"] == {"p99": 2.0}


@pytest.mark.parametrize("first_answer", [50.0, None])
def test_a_threshold_is_without_data_only_when_it_was_asked_so_often(first_answer):
    orders = Threshold("orders", min=1, url="http://prometheus", query="x", interval=60.0)
    world, asked = World(), []
    # A stable server in maintenance has the first look judged, in which no threshold is asked.
    world.status["lb1"] = {"blue1": "MAINT"}
    loop = world.loop(thresholds=[orders])
    loop._judge = Judge(
        Settings(), names=NAMES, thresholds=[orders], servers=SERVERS, policies={"threshold orders": FORCED_BACK}
    )

    def observe(line, seconds, due):
        asked.extend(due)
        seen = world.observe(line, seconds, due)
        return Observation(seen.balancers, {name: 50.0 if len(asked) > 1 else first_answer for name in due})

    loop._observe = observe
    result = loop.run()
    assert result["verdict"] == "promote", result["message"]
    assert len(asked) == (2 if first_answer is None else 1), "again at once, and then when its interval is over"


def test_answers_are_awaited_for_a_tick_at_most_and_first_for_part_of_the_lease():
    world = World()
    world.loop().run()
    assert world.waits[:2] == [15.0, 5.0]


def stage_at_100(world, **settings):
    judge = ThresholdJudge(Settings(dwell=20, **settings), names=NAMES, servers=SERVERS)
    watch = Watch("shop stage 4 (100 %)", BOTH, SERVERS, lease=30.0, concurrent=False)
    return GateLoop(
        watch,
        judge,
        world.observe,
        record=lambda line, _seconds: world.recorded.append(line),
        clock=lambda: world.now,
        sleep=world.sleep,
        say=world.said.append,
    )


def test_without_a_limit_the_stable_colors_totals_before_the_stage_give_one():
    world = World(per_tick={"green1": (500, 0), "green2": (500, 1)})
    good = stage_at_100(world).run()
    assert (good["verdict"], good["evidence"]["stable"]) == ("promote", {"requests": 1000, "errors": 10})
    assert good["evidence"]["limit"] == 1.5 * 0.01 + 0.002
    world = World(per_tick={"green1": (500, 40), "green2": (500, 40)})
    bad = stage_at_100(world).run()
    assert (bad["verdict"], bad["cause"]) == ("rollback", "errors")
    assert "from blue's 1 % before" in bad["message"]


GONE = {"unreachable": True, "msg": "timed out"}


@pytest.mark.parametrize("silent", [["lb1"], ["lb1", "lb2"]])
def test_a_first_look_without_an_answer_costs_no_limit(silent):
    world = World(per_tick={"green1": (500, 0), "green2": (500, 0)})
    # What the idle balancer knows is not the stable color's rate.
    world.totals["lb1"]["blue1"], world.totals["lb2"]["blue1"] = (90_000, 90), (4, 2)
    world.failures.update(dict.fromkeys(silent, GONE))
    world.script[3] = [lambda w: w.failures.clear()]
    good = stage_at_100(world).run()
    assert good["verdict"] == "promote"
    assert good["evidence"]["stable"] == {"requests": 90_004, "errors": 92}, "each balancer's first answer, once"
    world = World(per_tick={"green1": (500, 150), "green2": (500, 150)})
    world.failures.update(dict.fromkeys(silent, GONE))
    world.script[2] = [lambda w: w.failures.clear()]
    bad = stage_at_100(world).run()
    assert (bad["verdict"], bad["cause"]) == ("rollback", "errors"), bad["message"]


@pytest.mark.parametrize("before", [(0, 0), (1, 1), (200, 0)])
def test_too_little_known_of_the_stable_color_is_no_limit_and_never_passed_in_silence(before):
    def at_100(bad, on_timeout):
        world = World(per_tick={"green1": (500, bad), "green2": (500, bad)})
        for totals in world.totals.values():
            totals["blue1"] = before
        return stage_at_100(world, on_timeout=on_timeout, timeout=60.0).run()

    clean = at_100(0, "pause")
    assert (clean["outcome"], clean["cause"]) == ("pause", "too_few_requests")
    assert "write one as gates.errors.max_error_ratio on the page" in clean["message"]
    assert at_100(0, "promote")["outcome"] == "promote", "on_timeout decides, as in every stage with few requests"
    failing = at_100(150, "promote")
    assert (failing["outcome"], failing["held_for"]) == ("pause", "no_data"), "errors with nothing to hold against"
    assert "requests to green failed, and of blue before too little is known" in failing["message"]


def test_a_first_release_needs_no_limit():
    world = World(per_tick={"green1": (500, 0), "green2": (500, 0)})
    for totals in world.totals.values():
        totals["blue1"] = (0, 0)
    loop = stage_at_100(world)
    loop._judge = ThresholdJudge(Settings(dwell=20), names=NAMES, servers=SERVERS, has_stable=False)
    assert loop.run()["verdict"] == "promote"


def test_what_was_recorded_at_100_per_cent_replays_with_the_same_limit():
    world = World(per_tick={"green1": (500, 40), "green2": (500, 40)})
    live = stage_at_100(world).run()
    tape = [line for line in world.lines if line] + world.recorded
    judge = ThresholdJudge(Settings(dwell=20), names=NAMES, servers=SERVERS, has_stable=False)
    assert {**replay(tape, judge, label="shop", say=world.said.append), "carry": None} == {**live, "carry": None}


def test_a_limit_that_was_written_is_the_one_that_holds():
    world = World(per_tick={"green1": (500, 10), "green2": (500, 10)})
    assert stage_at_100(world, max_error_ratio=0.05).run()["verdict"] == "promote"


def test_check_mode_looks_once_and_claims_nothing():
    world = World()
    world.failures["lb2"] = {"unreachable": True, "msg": "timed out"}
    result = world.loop().look()
    assert world.looks == 1
    assert (result["verdict"], result["outcome"]) == (None, None)
    assert "would judge green on lb1, lb2 every 5 s" in result["message"]
    assert "lb2 does not answer: timed out" in result["message"]


@pytest.mark.parametrize(("error", "went_back"), [(TypeError("of the gate"), ["back"]), (SluiceError("gone"), [])])
def test_an_error_of_the_gate_itself_takes_the_traffic_back_at_once(error, went_back):
    world, moved = World(), []
    loop = world.loop()
    loop._back = lambda: moved.append("back")

    def fail(_line):
        raise error

    loop._judge.tick = fail
    with pytest.raises(type(error)):
        loop.run()
    assert moved == went_back


def test_what_was_recorded_replays_to_the_same_verdict():
    world = World(per_tick={"green1": (60, 4), "green2": (60, 3), "blue1": (2000, 1)})
    live = world.loop().run()
    tape = [line for line in world.lines if line] + world.recorded
    again = replay(tape, Judge(Settings(), names=NAMES, servers=SERVERS), label="shop", say=world.said.append)
    assert live["verdict"] == "rollback"
    assert {**again, "carry": None} == {**live, "carry": None}


@pytest.mark.parametrize(
    ("world", "second_look", "outcome", "moved"),
    [
        ({"green1": (60, 20), "green2": (60, 20), "blue1": (0, 0)}, True, "second_look", []),
        ({"green1": (60, 20), "green2": (60, 20), "blue1": (0, 0)}, False, "rollback", ["back"]),
        ({"green1": (60, 60), "green2": (60, 60), "blue1": (0, 0)}, True, "rollback", ["back"]),
    ],
)
def test_only_what_asks_for_a_second_look_leaves_the_traffic_where_it_is(world, second_look, outcome, moved):
    seen, back = World(per_tick=world), []
    loop = GateLoop(
        Watch("shop stage 4 (100 %)", BOTH, SERVERS, weights=WEIGHTS, lease=30.0),
        ThresholdJudge(Settings(cap=1000.0), names=NAMES, servers=SERVERS, stable_rate={"requests": 9000, "errors": 9}),
        seen.observe,
        record=lambda line, _seconds: seen.recorded.append(line),
        back=lambda: back.append("back"),
        second_look=second_look,
        clock=lambda: seen.now,
        sleep=seen.sleep,
        say=seen.said.append,
    )
    result = loop.run()
    assert (result["verdict"], result["outcome"], back) == ("rollback", outcome, moved), seen.said
    assert seen.recorded, "the lease outlasts what the caller does next"


def test_a_tape_that_ends_without_a_verdict_pauses(line):
    lines = [line(t, {"green1": (5, 0)}, {"blue1": (90, 0)}) for t in (5, 10)]
    result = replay(lines, Judge(Settings(), names=NAMES), label="shop", say=lambda _text: None)
    assert (result["verdict"], result["outcome"], result["held_for"]) == ("hold", "pause", "too_few_requests")
    assert result["message"].startswith("the tape ends at 10 s without a verdict; last: too few requests")


def test_a_tape_longer_than_the_timeout_ends_there(line):
    lines = [line(t, {"green1": (5, 0)}, {"blue1": (90, 0)}) for t in range(5, 300, 5)]
    judge = Judge(Settings(dwell=10, timeout=100, on_timeout="rollback"), names=NAMES)
    result = replay(lines, judge, label="shop", say=lambda _text: None)
    assert (result["verdict"], result["cause"], result["elapsed"]) == ("rollback", "timeout", 100)


HISTOGRAM = {"bounds": [0.01, 0.02, 0.05, 0.1]}


def timed(world, **responses):
    """Every look of every balancer adds ``responses`` by server, as counts of the five buckets."""
    buckets = {name: [0] * 5 for name in ("green1", "green2", "blue1")}
    plain = world.answer

    def answer(balancer):
        if balancer == "lb1":
            for name, more in responses.items():
                buckets[name] = [a + b for a, b in zip(buckets[name], more)]
        packed = {name: pack(counts) for name, counts in buckets.items()} if balancer == "lb1" else {}
        return {**plain(balancer), "latency": {**HISTOGRAM, "servers": packed}}

    world.answer = answer
    return world


def test_a_quick_candidate_is_promoted_once_it_is_known_how_quick_the_stable_color_is():
    world = timed(World(), green1=[60, 40, 2, 0, 0], green2=[60, 40, 2, 0, 0], blue1=[500, 490, 60, 0, 0])
    result = world.loop(Settings(latency=("p50", "p90"))).run()
    assert (result["verdict"], result["cause"]) == ("promote", "passed"), world.said
    assert world.lines[2]["reference"] == {"beta": {"p50": 0.02, "p90": 0.02}, "responses": 1050, "needed": 0}
    assert "latency" not in world.lines[2]["colors"]["stable"]["blue1"], "the tick that beta is from is not judged"
    assert world.lines[3]["colors"]["stable"]["blue1"]["latency"] == {"p50": [1050, 60], "p90": [1050, 60]}
    assert result["carry"]["reference"] == {"beta": {"p50": 0.02, "p90": 0.02}}


def test_a_slow_candidate_is_rolled_back_and_beta_goes_on_to_the_next_stage():
    slow = {"green1": [0, 10, 80, 10, 0], "green2": [0, 10, 80, 10, 0], "blue1": [500, 490, 60, 0, 0]}
    reference = {"beta": {"p50": 0.02, "p90": 0.02, "p99": 0.05}}
    world = timed(World(), **slow)
    result = world.loop(Settings(latency=("p50", "p90", "p99")), reference=reference).run()
    assert (result["verdict"], result["cause"]) == ("rollback", "latency"), world.said
    assert world.lines[2]["reference"] == reference, "the first tick is judged already"


def test_a_histogram_that_was_reset_never_counts():
    world = timed(World(), blue1=[900, 100, 0, 0, 0], green1=[90, 10, 0, 0, 0], green2=[90, 10, 0, 0, 0])
    world.script[4] = [lambda w: w.pids.update(lb1=2)]
    world.loop(Settings(latency=("p50",), timeout=60)).run()
    assert "latency" in world.lines[3]["colors"]["stable"]["blue1"]
    after = world.lines[4]["colors"]["stable"].get("blue1", {})
    assert after.get("latency", {"p50": [0, 0]}) == {"p50": [0, 0]}, "lb1 began anew, lb2 timed nothing"


def test_a_balancer_without_a_histogram_is_no_data_and_says_what_it_takes():
    world = World()
    result = world.loop(Settings(latency=("p50",), timeout=60, on_timeout="promote")).run()
    assert (result["outcome"], result["held_for"]) == ("pause", "no_data")
    assert "HAProxy on lb1 counts no latencies" in result["message"]


def test_a_container_is_as_old_as_the_journal_says_and_not_counted_while_it_is_young():
    world = World()
    plain = world.answer
    world.answer = lambda balancer: {**plain(balancer), "deployed": 18.0 if balancer == "lb1" else None}
    result = world.loop(Settings(warmup=30)).run()
    assert result["verdict"] == "promote"
    assert world.lines[2]["warmup"] == {"green1": 18.0, "green2": 18.0}
    assert world.lines[2]["colors"]["candidate"] == {}
    assert "hold warmup - warming up: green1 has run for 18 s, green2 has run for 18 s" in world.said[0]
    assert world.lines[5]["colors"]["candidate"] == {"green1": {"errors": [120, 0]}, "green2": {"errors": [120, 0]}}
    assert "warmup" not in world.lines[5]


def test_an_age_that_comes_late_is_an_age():
    world = World()
    plain = world.answer
    world.answer = lambda balancer: {**plain(balancer), "deployed": 5.0 + 5.0 * (world.looks - 1)}
    world.failures.update(dict.fromkeys(BOTH, GONE))
    world.script[2] = [lambda w: w.failures.clear()]
    world.loop(Settings(warmup=30)).run()
    young = [sorted(line.get("warmup", {})) for line in world.lines[2:9]]
    assert young == [["green1", "green2"]] * 5 + [[]] * 2, "5 s at the begin, 30 s with the tick that begins at 25 s"


def test_only_the_chosen_part_of_the_stable_color_is_compared_with():
    world = World(per_tick={"green1": (60, 0), "green2": (60, 0), "blue1": (1000, 0), "blue2": (1000, 9)})
    for totals in world.totals.values():
        totals["blue2"] = (0, 0)
    servers = {**SERVERS, "stable": ["blue1", "blue2"]}
    watch = Watch("shop", BOTH, servers, baseline=["blue1"])
    more = {"clock": lambda: world.now, "sleep": world.sleep, "say": world.said.append}
    GateLoop(watch, Judge(Settings(), servers=servers), world.observe, record=lambda *_: None, **more).run()
    assert world.lines[2]["colors"]["stable"] == {"blue1": {"errors": [2000, 0]}}


def test_totals_of_a_source_of_its_own_are_kept_until_both_colors_moved():
    world = World()
    totals = {"candidate": {"pod-7": [0, 0]}, "stable": {"pod-1": [0, 0]}}

    def observe(line, seconds, due):
        seen = world.observe(line, seconds, due)
        # Prometheus scrapes the stable color in every tick, the candidate in every third.
        totals["stable"]["pod-1"] = [1000 * world.looks, 3 * world.looks]
        totals["candidate"]["pod-7"] = [300 * (world.looks // 3), 0]
        return Observation(seen.balancers, {}, {"errors": {"totals": totals}})

    loop = world.loop(Settings(elsewhere=("errors",), timeout=60))
    loop._observe = observe
    loop.run()
    colors = [line["colors"] for line in world.lines[2:8]]
    assert [color["candidate"]["pod-7"]["errors"] for color in colors] == [
        [0, 0],
        [300, 0],
        [0, 0],
        [0, 0],
        [300, 0],
        [0, 0],
    ]
    assert [color["stable"]["pod-1"]["errors"][0] for color in colors] == [0, 2000, 0, 0, 3000, 0]


@pytest.mark.parametrize(
    ("until", "policy", "outcome"),
    # The series that comes with a scrape after half a minute is waited for, whatever the policy.
    [(None, "hold", "pause"), (None, "rollback", "rollback"), (8, "rollback", "promote")],
)
def test_a_candidate_server_that_has_requests_and_no_series_is_data_that_are_missing(until, policy, outcome):
    world = World()

    def observe(line, seconds, due):
        seen = world.observe(line, seconds, due)
        totals = {
            "candidate": {"green1": [120 * world.looks, 0]},
            "stable": {"blue1": [4000 * world.looks, 2 * world.looks]},
        }
        if until and world.looks >= until:
            totals["candidate"]["green2"] = [120 * world.looks, 0]
        return Observation(seen.balancers, {}, {"errors": {"totals": totals}})

    settings = Settings(elsewhere=("errors",), timeout=150, on_timeout="promote")
    loop = world.loop(settings)
    loop._judge = Judge(settings, names=NAMES, servers=SERVERS, policies={"errors": {"no_data": policy}})
    loop._observe = observe
    result = loop.run()
    assert result["outcome"] == outcome, result["message"]
    if until is None:
        assert "nothing of green2, although the balancers sent requests" in result["message"]
    assert world.lines[2]["missing"]["errors"].keys() == {"awaited"}


def asked_of_prometheus(world, bad, stable, **settings):
    """A gate at 100 % whose errors come from Prometheus: 600 requests of the candidate a tick, ``stable`` stands."""
    loop = stage_at_100(world, elsewhere=("errors",), **settings)

    def observe(line, seconds, due):
        seen = world.observe(line, seconds, due)
        candidate = {name: [300 * world.looks, bad * world.looks] for name in SERVERS["candidate"]}
        return Observation(seen.balancers, {}, {"errors": {"totals": {"candidate": candidate, "stable": stable}}})

    loop._observe = observe
    return loop


@pytest.mark.parametrize("stable", [{"blue1": [90_000, 90]}, {}])
def test_at_100_per_cent_prometheus_is_asked_for_the_candidate_alone(stable):
    good = asked_of_prometheus(World(), 0, stable, max_error_ratio=0.01).run()
    assert (good["verdict"], good["evidence"]["candidate"]["requests"]) == ("promote", 600 * 4), good["message"]
    bad = asked_of_prometheus(World(), 100, stable, max_error_ratio=0.01).run()
    assert (bad["verdict"], bad["cause"]) == ("rollback", "errors"), bad["message"]


def test_what_prometheus_counts_of_the_candidate_is_held_against_what_it_counts_of_the_stable_color():
    # It counts more as bad than HAProxy does: 3 % of blue's requests, where HAProxy has 1 %.
    stable = {"blue1": [50_000, 1500], "blue2": [40_000, 1200]}
    good = asked_of_prometheus(World(), 9, stable).run()
    assert (good["verdict"], good["evidence"]["stable"]) == ("promote", {"requests": 90_000, "errors": 2700})
    nothing = asked_of_prometheus(World(), 0, {}, timeout=60.0, on_timeout="promote").run()
    assert (nothing["outcome"], nothing["held_for"]) == ("pause", "no_data")
    assert "how often blue failed before is not known; write one" in nothing["message"]


def test_a_policy_ends_the_gate_before_its_time():
    world = World()
    loop = world.loop(thresholds=[LIMIT])
    loop._judge = Judge(
        Settings(), names=NAMES, thresholds=[LIMIT], servers=SERVERS, policies={"threshold p99": {"no_data": "pause"}}
    )
    world.thresholds = {"p99": None}
    result = loop.run()
    assert (result["outcome"], result["cause"], result["ticks"]) == ("pause", "no_data", 3)
