"""A hook before the deployment, when no VM was begun, with everything real but systemd and the engines."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock
from balancer_machine import STABLE
from test_hooks import Machines, Play, Team, all_on, hooked, play, site, tasks, team, webhook
from vm_engine import Engine

__all__ = ["hooked", "play", "site", "team"]


def test_a_failing_hook_before_the_deployment_fails_it_and_nothing_is_replaced(
    machines: Machines, engines: dict[str, Engine], play: Play, team: Team, tmp_path: Path
) -> None:
    migrate = tasks(tmp_path, "migrate", {"ansible.builtin.fail": {"msg": "a table is busy"}})
    hooks = {"before_deploy": [webhook(team), migrate], "after_deploy": [webhook(team, "never")]}
    done = play(hooks, "release", version="v3")
    result = done.stats["bluegreen_result"]
    assert done.status != 0
    assert (result["outcome"], result["cause"]) == ("failed", "hook"), done.output
    assert result["message"] == "hook before_deploy migrate failed: a table is busy"
    assert team.told == [("before_deploy", 0)]
    for engine in engines.values():
        assert engine.orders == ["POST /containers/shop-green-v2/stop"], "of the release that this one gave up"
    all_on(machines, STABLE)
    for machine in machines.values():
        assert machine.state["release"] is None
        assert machine.state["history"][-1]["outcome"] == "failed"
        assert _lock.current(machine.paths) is None
