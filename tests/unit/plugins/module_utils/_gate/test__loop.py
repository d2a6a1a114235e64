"""The loop, with time, balancers and screen made up."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._judge import Judge
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._loop import GateLoop, Observation, Watch, replay
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._sentence import Names
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import Settings, Threshold
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._threshold_judge import ThresholdJudge

NAMES = Names("green", "blue")
SERVERS = {"candidate": ["green1", "green2"], "stable": ["blue1"]}
WEIGHTS = {"green1": 3, "green2": 3, "blue1": 94}
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


def test_answers_are_awaited_for_a_tick_at_most_and_first_for_part_of_the_lease():
    world = World()
    world.loop().run()
    assert world.waits[:2] == [15.0, 5.0]


def stage_at_100(world, **settings):
    judge = ThresholdJudge(Settings(dwell=20, **settings), names=NAMES, servers=SERVERS)
    watch = Watch("shop stage 4 (100 %)", BOTH, SERVERS, lease=30.0)
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


def test_what_was_recorded_replays_to_the_same_verdict():
    world = World(per_tick={"green1": (60, 4), "green2": (60, 3), "blue1": (2000, 1)})
    live = world.loop().run()
    tape = [line for line in world.lines if line] + world.recorded
    again = replay(tape, Judge(Settings(), names=NAMES, servers=SERVERS), label="shop", say=world.said.append)
    assert live["verdict"] == "rollback"
    assert {**again, "carry": None} == {**live, "carry": None}


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
