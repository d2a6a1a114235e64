"""The gate as a playbook runs it, on two real HAProxy processes."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _tape
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths
from gate_lab import wait_until


def test_a_good_candidate_is_promoted_and_its_ticks_are_seen_as_they_happen(site, play):
    run = play(site.gate(timeout=90), site.hosts())
    run.wait_for(" s: hold too_few_requests")
    assert run.process.poll() is None, "the gate still ticks, and its first line is here already"
    site.load()
    result = run.result()
    assert (result["verdict"], result["cause"], result["outcome"]) == ("promote", "passed", "promote"), run.output
    assert not result["failed"]
    assert result["elapsed"] >= 4


def test_a_candidate_that_fails_is_rolled_back_and_the_task_fails_with_the_sentence(site, play):
    site.apps["green1"].fail_every = site.apps["green2"].fail_every = 6
    site.load()
    run = play(site.gate(), site.hosts())
    result = run.result()
    assert (result["verdict"], result["cause"]) == ("rollback", "errors"), run.output
    assert result["failed"]
    assert "to green failed, and none of" in result["msg"]


def test_a_slow_candidate_is_rolled_back_and_its_tape_knows_how_quick_the_stable_color_was(site, play, tmp_path):
    paths, mine = _of_r1(tmp_path, 600)
    site.apps["blue1"].delay = 0.008
    site.apps["green1"].delay = site.apps["green2"].delay = 0.04
    site.load(clients=8)
    gates = {"errors": {"margin": "3pp"}, "latency": {"max_slowdown": "10%"}}
    run = play(site.gate(gates=gates, timeout=90, **mine), site.hosts())
    result = run.result()
    assert (result["verdict"], result["cause"]) == ("rollback", "latency"), run.output
    assert result["msg"].startswith("green is slower than blue: ")
    (tape,) = paths.tapes.glob("*.jsonl")
    last = json.loads(tape.read_text().splitlines()[-1])
    assert last["reference"]["beta"]["p50"] == result["evidence"]["latency"]["p50"]["beta"]


def test_a_machine_that_fails_alone_is_named_and_holds_the_gate(site, play):
    site.apps["green2"].fail_every = 4
    site.load()
    run = play(site.gate(dwell=60, timeout=100), site.hosts())
    run.wait_for("hold one_host - ")
    assert re.search(r"hold one_host - .*but without green2 only .*; look at green2\n", run.output), run.output


def test_a_weight_that_somebody_changed_is_a_lost_split(site, play):
    site.load()
    run = play(site.gate(dwell=30), site.hosts())
    run.wait_for(" s: hold ")
    site.balancers[1].command("set weight shop/green1 0")
    result = run.result()
    assert (result["verdict"], result["cause"]) == ("rollback", "split_lost"), run.output
    assert "lb2 gives green1 weight 0 instead of 25" in result["msg"]


def test_a_reload_in_mid_stage_falls_back_to_what_is_committed_and_is_a_lost_split(site, play):
    stage = {"blue1": 80, "green1": 10, "green2": 10}
    for balancer in site.balancers:
        for name, weight in stage.items():
            balancer.command(f"set weight shop/{name} {weight}")
    site.load()
    run = play(site.gate(dwell=30, weights=stage), site.hosts())
    run.wait_for(" s: hold ")
    site.balancers[0].reload()
    result = run.result()
    assert (result["verdict"], result["cause"]) == ("rollback", "split_lost"), run.output
    assert "lb1 gives blue1 weight 50 instead of 80" in result["msg"], "what is on its disk"


def test_a_candidate_whose_servers_are_all_down_is_rolled_back_at_once(site, play):
    for name in ("green1", "green2"):
        site.apps[name].stop()
    wait_until(lambda: site.balancers[0].command("show stat").count(",DOWN,") >= 2, "the checks find it")
    run = play(site.gate(weights=None), site.hosts())
    result = run.result()
    assert (result["verdict"], result["cause"], result["elapsed"]) == ("rollback", "candidate_down", 0), run.output
    assert "sees none of its servers up" in result["msg"]


def test_without_traffic_it_says_how_many_requests_are_needed_and_pauses(site, play):
    run = play(site.gate(gates={"errors": {"margin": "0.5pp"}}, tick=2, timeout=6), site.hosts())
    result = run.result()
    assert (result["outcome"], result.get("held_for")) == ("pause", "too_few_requests"), run.output
    assert result["evidence"]["needed"] == 608


def test_a_balancer_that_dies_is_missed_and_after_its_lease_the_split_is_lost(site, play):
    site.load()
    run = play(site.gate(dwell=30, lease=6), site.hosts())
    run.wait_for(" s: hold ")
    site.balancers[1].stop()
    result = run.result()
    assert (result["verdict"], result["cause"]) == ("rollback", "split_lost"), run.output
    assert "lb2 has not answered for" in result["msg"]
    assert "hold source_down - no verdict without its source: lb2 did not answer" in run.output


def test_an_unreachable_balancer_never_hangs_the_gate(site, play):
    # TEST-NET-1: nobody answers there, nobody refuses either.
    away = {"ansible_connection": "ssh", "ansible_host": "192.0.2.1"}
    run = play(site.gate(dwell=30, lease=6), {"lb1": {}, "lb2": away})
    result = run.result()
    assert (result["verdict"], result["cause"]) == ("rollback", "split_lost"), run.output
    assert "lb2 has not answered for" in result["msg"]


def test_check_mode_looks_once_and_claims_nothing(site, play):
    result = play(site.gate(), site.hosts(), "--check").result()
    assert (result["verdict"], result["outcome"]) == (None, None)
    assert not result["failed"]
    assert "would judge green on lb1, lb2 every 1 s" in result["msg"]


def test_a_prometheus_that_is_down_holds_and_never_passes(site, play):
    site.load()
    threshold = {"name": "p99", "url": "http://127.0.0.1:9", "query": "up", "max": 1}
    run = play(site.gate(gates={"thresholds": [threshold]}, timeout=10, on_timeout="promote"), site.hosts())
    result = run.result()
    assert (result["outcome"], result.get("held_for")) == ("pause", "source_down"), run.output
    assert "p99: http://127.0.0.1:9/api/v1/query" in run.output


def test_a_gate_whose_playbook_is_killed_ends_and_keeps_its_lock_no_longer(site, play, tmp_path):
    paths, mine = _of_r1(tmp_path, 1)
    taken = _lock.current(paths)
    run = play(site.gate(dwell=60, timeout=100, lease=10, **mine), site.hosts())
    run.wait_for(" s: hold ")
    wait_until(lambda: _lock.current(paths)["until"] > taken["until"], "the gate prolongs the lock", 60)
    assert _processes(str(run.folder))
    run.process.kill()
    wait_until(lambda: not _processes(str(run.folder)), "every process of the playbook ends", 180)
    wait_until(lambda: not _lock.current(paths)["live"], "nobody prolongs the lock", 180)


def _of_r1(folder: Path, seconds: float) -> tuple[ServicePaths, dict[str, str]]:
    """A service whose lock r1 holds for so long, and what makes a gate that of r1."""
    paths = ServicePaths("shop", state_dir=str(folder / "state"), run_dir=str(folder / "run"))
    _lock.acquire(paths, "r1", "test", seconds)
    return paths, {"release_id": "r1", "state_dir": paths.state_dir, "run_dir": paths.run_dir}


def _processes(words: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "ansible-playbook" in command and words in command:
            found.append(command)
    return found


def test_ticks_are_taped_on_the_balancer_and_another_release_ends_the_gate(site, play, tmp_path):
    paths, mine = _of_r1(tmp_path, 600)
    run = play(site.gate(dwell=60, timeout=100, stage=2, **mine), {"lb1": {}, "lb2": {}})
    run.wait_for(" s: hold ")
    tape = paths.tapes / "r1-2.jsonl"
    wait_until(lambda: tape.exists() and len(tape.read_text().splitlines()) >= 4, "two ticks of two balancers", 30)
    _lock.acquire(paths, "r2", "test", 600, takeover=True)
    result = run.result()
    assert (result["verdict"], result["cause"], result["outcome"]) == ("hold", "superseded", "pause"), run.output
    assert result["failed"]
    assert "release r1 is not the current one of service shop any more" in result["msg"]
    for line in tape.read_text().splitlines():
        _tape.check(json.loads(line), "the tape")
