"""Recorded tapes through a real ansible-playbook: no balancer, no clock, no traffic."""

from __future__ import annotations

import json

import pytest


def tape_of(folder, candidate, stable, ticks=30, **more):
    tape = folder / "tape.jsonl"
    with tape.open("w") as file:
        for i in range(1, ticks + 1):
            colors = {
                "candidate": {f"green{j}": {"errors": candidate} for j in (1, 2)},
                "stable": {f"blue{j}": {"errors": stable} for j in (1, 2)},
            }
            file.write(json.dumps({"t": 5 * i, "colors": colors, **more}) + "\n")
    return str(tape)


@pytest.fixture
def replay(play):
    def run(tape, *more, **gate):
        given = {"service": "shop", "candidate": "green", "source": "tape", "tape": tape, "gates": {"errors": {}}}
        return play({**given, **gate}, {"nobody.example.com": {"ansible_connection": "ssh"}}, *more)

    return run


@pytest.fixture(autouse=True)
def result_is_kept_here(monkeypatch):
    """The task that keeps the result runs on the play's host, which nobody can reach here."""
    import gate_lab

    plays = gate_lab.Playbook._play

    def here(self, gate):
        play = plays(self, gate)
        play["tasks"][1].update(delegate_to="localhost", vars={"ansible_connection": "local"})
        return play

    monkeypatch.setattr(gate_lab.Playbook, "_play", here)


def test_a_good_tape_promotes_and_a_bad_one_rolls_back(tmp_path, replay):
    good = replay(tape_of(tmp_path, [60, 0], [1000, 1])).result()
    assert (good["outcome"], good["cause"], good["failed"]) == ("promote", "passed", False)
    assert good["elapsed"] >= 60
    bad = replay(tape_of(tmp_path, [60, 3], [1000, 1])).result()
    assert (bad["outcome"], bad["cause"], bad["failed"]) == ("rollback", "errors", True)
    assert bad["msg"] == bad["message"]
    assert bad["evidence"]["e_rollback"] >= 100


def test_check_mode_judges_a_tape_all_the_same(tmp_path, replay):
    run = replay(tape_of(tmp_path, [60, 3], [1000, 1]), "--check")
    assert run.result()["outcome"] == "rollback"
    assert "shop stage 1 5 s: hold " in run.output


def test_a_tape_that_ends_undecided_pauses_and_one_with_a_wrong_line_is_refused(tmp_path, replay):
    short = replay(tape_of(tmp_path, [1, 0], [20, 0], ticks=2)).result()
    assert (short["outcome"], short["held_for"]) == ("pause", "too_few_requests")
    tape = tape_of(tmp_path, [1, 2], [20, 0], ticks=2)
    refused = replay(tape).result()
    assert refused["failed"]
    assert f"tape {tape}, line 1: candidate server green1: errors" in refused["msg"]


def test_evidence_is_carried_from_stage_to_stage(tmp_path, replay):
    first = replay(tape_of(tmp_path, [60, 2], [1000, 1], ticks=3)).result()
    tape = tape_of(tmp_path, [60, 2], [1000, 1], ticks=9)
    alone = replay(tape).result()
    carried = replay(tape, carry=first["carry"]).result()
    assert carried["outcome"] == alone["outcome"] == "rollback"
    assert carried["elapsed"] < alone["elapsed"]


def test_the_stage_at_100_per_cent_is_judged_by_the_weaker_kind_of_evidence(tmp_path, replay):
    tape = tape_of(tmp_path, [500, 1], [0, 0])
    result = replay(tape, baseline="none", stable_rate={"requests": 10000, "errors": 20}).result()
    assert (result["outcome"], result["elapsed"]) == ("promote", 60)
    assert "weaker evidence" in result["msg"]


def test_an_unknown_option_of_a_gate_is_refused(tmp_path, replay):
    refused = replay(tape_of(tmp_path, [1, 0], [20, 0]), gates={"errors": {"max_ration": 2}}).result()
    assert refused["failed"]
    assert "max_ration" in refused["msg"]
