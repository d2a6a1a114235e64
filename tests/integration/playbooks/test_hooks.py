"""Hooks of a release, on two balancers with everything real but systemd and the VMs' engines."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import real_ansible
import yaml
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _lock
from ansible_collections.sluice.bluegreen.plugins.module_utils._hooks import PHASES
from awx_job import CORES
from balancer_machine import STABLE, Balancer
from haproxy_process import until
from real_ansible import ROOT, Run, finished, run, started
from site_files import inventory, vm

pytestmark = pytest.mark.long

Machines = dict[str, Balancer]
GREEN = {"blue": 0.0, "green": 100.0}
SECRET = "hush-signing"
QUICK = [{"split": 100, "dwell": "1s", "timeout": "2s", "on_timeout": "promote"}]


class Team(ThreadingHTTPServer):
    """Takes webhooks, and remembers each; answers with ``statuses`` first, then with 204."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        super().__init__(("127.0.0.1", 0), TeamHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hush-address"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def told(self) -> list[tuple[str, int]]:
        """Phase and stage of each that was taken."""
        bodies = [json.loads(body) for _headers, body in self.got]
        return [(body["phase"], body["stage"]) for body in bodies]


class TeamHandler(BaseHTTPRequestHandler):
    server: Team

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def team() -> Iterator[Team]:
    server = Team()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(machines: Machines, green_vms: dict[str, Any], listening: int) -> dict[str, Any]:
    """A stage that hears nothing passes; v2 is deployed on green."""
    stage = {"dwell": "1s", "timeout": "2s", "on_timeout": "promote"}
    for machine in machines.values():
        machine.promoted("r1", "v1", "blue")
        machine.deployed("r2", "v2", "green")
    return inventory(
        groups__loadbalancers={name: machine.entry for name, machine in machines.items()},
        groups__shop_blue={f"blue{n}": {**vm(20 + n), "bluegreen_address": f"127.0.0.{20 + n}"} for n in (1, 2)},
        groups__shop_green=green_vms,
        page__container={"port": 8080, "publish": listening},
        page__health={"tcp": True, "interval": "1s", "timeout": "20s"},
        page__gates={"errors": {"warmup": 0}},
        page__tick="1s",
        page__lease="20s",
        page__drain={"timeout": "1s"},
        page__strategy=[{"split": 50, **stage}, {"split": 100, **stage}],
    )


@pytest.fixture
def hooked(site: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def hooked(hooks: dict[str, Any]) -> dict[str, Any]:
        site["all"]["vars"]["bluegreen_services"]["shop"]["hooks"] = hooks
        return site

    return hooked


@pytest.fixture
def play(hooked: Callable[..., Any], tmp_path: Path) -> Callable[..., Run]:
    def play(hooks: dict[str, Any], name: str = "rollout", *options: str, **extra: Any) -> Run:
        return run(tmp_path, f"sluice.bluegreen.{name}", hooked(hooks), {"service": "shop", **extra}, *options)

    return play


Play = Callable[..., Run]


def webhook(team: Team, name: str = "team", **more: Any) -> dict[str, Any]:
    return {"name": name, "webhook": {"url": team.url, "secret": SECRET, **more}}


def tasks(folder: Path, name: str, *listed: dict[str, Any], **more: Any) -> dict[str, Any]:
    (folder / f"{name}.yml").write_text(yaml.safe_dump(list(listed)))
    return {"name": name, "tasks": f"{name}.yml", **more}


def note(folder: Path, text: str = "{{ bluegreen_hook | to_json }}") -> dict[str, Any]:
    """A task that adds a line to the file ``notes``."""
    return {"ansible.builtin.shell": f"cat >> {folder}/notes <<< '{text}'", "args": {"executable": "/bin/bash"}}


def hook_events(machine: Balancer) -> list[tuple[str, str]]:
    events = _journal.read(machine.paths.journal).events
    return [(event["data"]["hook"], event["data"]["outcome"]) for event in events if event["event"] == "hook"]


def all_on(machines: Machines, shares: dict[str, float]) -> None:
    for name, machine in machines.items():
        assert machine.disk == shares, f"{name}: {machine.told}"
        used = {server.rstrip("12") for server, weight in machine.runtime.items() if weight}
        assert used == {color for color, share in shares.items() if share}, f"{name}: {machine.runtime}"


def page_of_the_docs(language: str) -> list[str]:
    """The blocks of docs/hooks.md in a language, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "hooks.md").read_text(), re.DOTALL)


def test_the_example_of_the_docs_runs_once_in_order_and_its_receiver_knows_the_signature(
    machines: Machines, play: Play, team: Team, tmp_path: Path
) -> None:
    page, smoke = page_of_the_docs("yaml")[:2]
    hooks = yaml.safe_load(re.sub(r"https://[^\"]*", team.url, page))["bluegreen_services"]["shop"]["hooks"]
    assert set(hooks) == set(PHASES), "there is an example of every phase"
    (tmp_path / "hooks").mkdir()
    shop = f"http://127.0.0.1:{machines['lb1'].haproxy.listen}/"
    (tmp_path / "hooks" / "smoke.yml").write_text(smoke.replace("http://shop.example.com/checkout", shop))
    (tmp_path / "hooks" / "freeze.yml").write_text(yaml.safe_dump([note(tmp_path)]))
    team.statuses = [204, 503]
    vault = {"vault_shop_warm": "hush1", "vault_changes": "hush2", "vault_chat": SECRET, "vault_pager": "hush3"}
    done = play(hooks, **vault)
    assert (done.status, done.stats["bluegreen_result"]["outcome"]) == (0, "promoted"), done.output
    assert team.got.pop(1)[1] == team.got[1][1], "what was refused for now is sent again"
    assert team.told == [("before_promote", 0), ("after_promote", 0)]
    wanted = [
        "before_stage/1/freeze the batch jobs",
        "after_stage/1/smoke",
        "before_stage/2/freeze the batch jobs",
        "after_stage/2/smoke",
        "before_promote/0/ask the change board",
        "after_promote/0/tell the team",
    ]
    for machine in machines.values():
        assert hook_events(machine) == [(hook, "done") for hook in wanted]
    notes = [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
    assert [(one["phase"], one["stage"], one["split"]) for one in notes] == [
        ("before_stage", 1, 50.0),
        ("before_stage", 2, 100.0),
    ]
    known = {name: notes[0][name] for name in ("service", "version", "release_id", "candidate", "stable")}
    stood = {"service": "shop", "version": "v2", "release_id": "r2", "candidate": "green", "stable": "blue"}
    assert known == stood
    headers, body = team.got[1]
    assert headers["Idempotency-Key"] == "r2/after_promote/0/tell the team"
    receiver: dict[str, Any] = {"hmac": hmac, "hashlib": hashlib}
    exec(page_of_the_docs("python")[0], receiver)
    assert receiver["genuine"](headers["X-Sluice-Signature"], body, SECRET.encode(), time.time())
    assert not receiver["genuine"](headers["X-Sluice-Signature"], body + b" ", SECRET.encode(), time.time())
    assert "X-Sluice-Signature" not in team.got[0][0], "this one has no secret"
    all_on(machines, GREEN)
    assert "hush" not in done.output


def test_a_failing_hook_of_a_stage_sends_all_traffic_back_and_is_the_cause_and_no_secret_shows(
    machines: Machines, play: Play, team: Team, tmp_path: Path
) -> None:
    smoke = tasks(tmp_path, "smoke", {"ansible.builtin.fail": {"msg": "the shop is closed"}})
    token = {"token": "hush-token", "headers": {"X-Key": "hush-header"}}
    hooks = {
        "before_stage": [webhook(team, "first", **token)],
        "after_stage": [smoke, webhook(team, "never")],
        "on_rollback": [webhook(team)],
    }
    done = play(hooks, "rollout", "-vvv")
    result = done.stats["bluegreen_result"]
    assert done.status != 0
    assert (result["outcome"], result["cause"]) == ("rolled_back", "hook"), done.output
    assert result["message"] == "hook after_stage smoke failed: the shop is closed"
    assert team.told == [("before_stage", 1), ("on_rollback", 0)]
    assert (team.got[0][0]["Authorization"], team.got[0][0]["X-Key"]) == ("Bearer hush-token", "hush-header")
    told = json.loads(team.got[1][1])
    assert (told["cause"], told["message"]) == ("hook", result["message"])
    all_on(machines, STABLE)
    for machine in machines.values():
        assert hook_events(machine)[1:] == [("after_stage/1/smoke", "failed"), ("on_rollback/0/team", "done")]
        assert "stage_passed" not in machine.events, "a stage is passed when its hooks are"
        assert _lock.current(machine.paths) is None
        assert "hush" not in machine.paths.journal.read_text()
    assert "hush" not in done.output


def test_the_lease_is_kept_for_a_long_hook_and_a_hung_one_ends_with_its_timeout(
    machines: Machines, play: Play, tmp_path: Path
) -> None:
    # Longer than the lease, which without renewals would have taken the traffic back meanwhile.
    slow = tasks(tmp_path, "slow", {"ansible.builtin.command": "sleep 25"})
    waits = {"ansible.builtin.command": "sleep 600"}
    hung = tasks(tmp_path, "hung", waits, timeout="4s")
    done = play({"after_stage": [slow], "before_promote": [hung]}, rollout_strategy=QUICK)
    result = done.stats["bluegreen_result"]
    assert (result["outcome"], result["cause"]) == ("rolled_back", "hook"), done.output
    assert "hook before_promote hung failed: " in result["message"]
    assert "timed out" in result["message"].lower() or "timeout" in result["message"].lower()
    all_on(machines, STABLE)
    for machine in machines.values():
        assert hook_events(machine) == [("after_stage/1/slow", "done"), ("before_promote/0/hung", "failed")]
        assert "lease_expired" not in machine.events


def test_what_outlives_its_timeout_outlives_the_lease_too_and_is_never_promoted(
    machines: Machines, play: Play, tmp_path: Path
) -> None:
    # No task is too long for itself, and none that is cut off ends the file.
    one = {"ansible.builtin.command": "sleep 5", "ignore_errors": True}
    endless = tasks(tmp_path, "endless", *[one] * 25, timeout="2s", when_failed="warn")
    done = play({"before_promote": [endless]}, rollout_strategy=QUICK)
    result = done.stats["bluegreen_result"]
    assert result["outcome"] == "rolled_back", done.output
    assert "the lease of the stage ran out while hook before_promote/0/endless ran" in result["message"]
    all_on(machines, STABLE)
    for machine in machines.values():
        assert "lease_expired" in machine.events
        assert "promoted" not in machine.events[machine.events.index("lease_expired") :]


def test_what_was_killed_in_a_hook_falls_back_and_runs_that_hook_again_when_it_is_resumed(
    machines: Machines, hooked: Callable[..., Any], play: Play, team: Team, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = {"ansible.builtin.command": f"sh -c 'until test -e {gate}; do sleep 0.2; done'"}
    hooks = {"before_stage": [webhook(team)], "after_stage": [tasks(tmp_path, "smoke", note(tmp_path), wait)]}
    extra = {"service": "shop", "rollout_strategy": QUICK}
    process = started(tmp_path, "sluice.bluegreen.rollout", hooked(hooks), extra)
    until("the hook runs", (tmp_path / "notes").exists, 90)
    os.killpg(process.pid, signal.SIGKILL)
    finished(process)
    until("every balancer has gone back", lambda: not any(m.runtime["green1"] for m in machines.values()), 60)
    until("its lock counts as dead", lambda: not any(_lock.current(m.paths)["live"] for m in machines.values()), 60)
    gate.touch()
    done = play(hooks, "release", resume=True, rollout_strategy=QUICK)
    assert done.stats["bluegreen_result"]["outcome"] == "promoted", done.output
    assert team.told == [("before_stage", 1)], "that one was done"
    notes = [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
    assert [(one["phase"], one["name"]) for one in notes] == [("after_stage", "smoke")] * 2
    all_on(machines, GREEN)


@pytest.mark.parametrize("core", CORES)
def test_a_hook_that_fails_is_not_taken_for_done_where_a_variable_is_a_date(
    machines: Machines, play: Play, site: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, core: str
) -> None:
    monkeypatch.setattr(real_ansible, "BIN", CORES[core])
    site["all"]["vars"]["end_of_life"] = date(2031, 6, 30)
    smoke = tasks(tmp_path, "smoke", {"ansible.builtin.fail": {"msg": "the shop is closed"}})
    done = play({"before_promote": [smoke]}, rollout_strategy=QUICK)
    assert done.stats["bluegreen_result"]["message"] == "hook before_promote smoke failed: the shop is closed"
    all_on(machines, STABLE)


def test_a_host_that_a_hook_cannot_reach_sends_every_balancer_back(
    machines: Machines, play: Play, tmp_path: Path
) -> None:
    lost = tasks(tmp_path, "lost", {"ansible.builtin.ping": {}, "delegate_to": "blue1"}, note(tmp_path))
    done = play({"before_promote": [lost]}, rollout_strategy=QUICK)
    assert done.status != 0
    all_on(machines, STABLE)
    assert not (tmp_path / "notes").exists(), "nothing of the hook is done after what was lost"
    for machine in machines.values():
        assert machine.state["release"] is None, machine.told
        assert hook_events(machine) == [("before_promote/0/lost", "failed")], machine.told
        assert _lock.current(machine.paths) is None


def test_what_fails_after_the_promotion_or_the_way_back_turns_nothing_back_and_is_told(
    machines: Machines, play: Play, team: Team, tmp_path: Path
) -> None:
    secret = tasks(tmp_path, "close", {"ansible.builtin.fail": {"msg": "hush"}, "no_log": True})
    warm = tasks(tmp_path, "warm", {"ansible.builtin.fail": {"msg": "cold"}}, when_failed="warn")
    hooks = {"after_promote": [secret, warm, webhook(team)], "on_rollback": [secret]}
    done = play(hooks, rollout_strategy=QUICK)
    result = done.stats["bluegreen_result"]
    assert done.status != 0
    assert (result["outcome"], len(result["hooks_failed"])) == ("promoted", 1), done.output
    assert result["hooks_failed"][0].startswith("hook after_promote close failed: ")
    assert team.told == [("after_promote", 0)], "one that failed keeps no other from being told"
    all_on(machines, GREEN)

    back = play(hooks, "rollback")
    result = back.stats["bluegreen_result"]
    assert back.status != 0
    assert (result["outcome"], len(result["hooks_failed"])) == ("reverted", 1), back.output
    all_on(machines, STABLE)
    for machine in machines.values():
        wanted = [("close", "failed"), ("warm", "failed"), ("team", "done")]
        told = [*((f"after_promote/0/{name}", outcome) for name, outcome in wanted), ("on_rollback/0/close", "failed")]
        assert hook_events(machine) == told
        assert _lock.current(machine.paths) is None
    assert "hush" not in done.output + back.output


def test_check_mode_says_which_hooks_would_run_and_runs_none(
    machines: Machines, play: Play, team: Team, tmp_path: Path
) -> None:
    before = {name: machine.told for name, machine in machines.items()}
    hooks = {"before_stage": [webhook(team)], "after_stage": [tasks(tmp_path, "smoke", note(tmp_path))]}
    done = play(hooks, "rollout", "--check")
    assert done.status == 0, done.output
    said = [one.msg for one in done.of("Say that it was done before, or would be now")]
    hooks_said = ["before_stage team (webhook)", "after_stage smoke (tasks)"]
    assert said == [f"shop: hook {hook} would run" for hook in hooks_said] * 2
    assert team.told == []
    assert not (tmp_path / "notes").exists()
    assert {name: machine.told for name, machine in machines.items()} == before


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, "smoke.yml is not there; its path begins where the command is started"),
        ("- debug: {msg: x}\n  - name", "smoke.yml cannot be read: "),
        ("name: x", "smoke.yml is not a list of tasks"),
        ("- no_such_module: {}", "smoke.yml cannot be read: "),
    ],
)
def test_a_task_file_that_cannot_be_read_stops_a_release_before_anything_is_changed(
    tmp_path: Path, text: str | None, wanted: str
) -> None:
    if text is not None:
        (tmp_path / "smoke.yml").write_text(text)
    given = inventory(page__hooks={"after_stage": [{"name": "smoke", "tasks": "smoke.yml"}]})
    done = run(tmp_path, "sluice.bluegreen.release", given, {"service": "shop", "version": "v2"})
    assert done.status != 0
    (problem,) = done.problems
    assert problem.msg.startswith("service shop: hooks.after_stage smoke: "), problem.msg
    assert wanted in problem.msg
