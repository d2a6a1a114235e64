# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is deployed that `deploy.verify` does not vouch for, whatever the limit and wherever it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from balancer_machine import Balancer
from real_ansible import Run
from test_never_stranded import orders, play, said, site, v1_serves
from vm_engine import Engine

__all__ = ["play", "site"]

Machines = dict[str, Balancer]
Engines = dict[str, Engine]
Play = Callable[..., Run]
REFUSED = "shop: nothing was changed, because deploy.verify refused registry.example.com/shop@sha256:"


def nothing_was_begun(machines: Machines, engines: Engines) -> None:
    assert orders(engines) == []
    assert all(machine.state["operations"] == ["r1"] for machine in machines.values())


@pytest.mark.parametrize("named", [(), ("localhost",)])
def test_nor_under_a_limit_which_the_machine_that_runs_ansible_is_not_in(
    machines: Machines, engines: Engines, site: dict[str, Any], play: Play, named: tuple[str, ...]
) -> None:
    """The localhost that Ansible adds by itself is not in ``all``."""
    v1_serves(machines)
    if not named:
        del site["all"]["hosts"]
    site["all"]["vars"]["bluegreen_services"]["shop"]["deploy"] = {"verify": {"command": ["false"]}}
    limit = ",".join(["loadbalancers", "shop_blue", "shop_green", *named])
    done = play("release", "--limit", limit, version="v3")
    assert done.status != 0, done.output
    assert REFUSED in said(done), done.output
    nothing_was_begun(machines, engines)


@pytest.mark.parametrize("where", ["vm", "controller"])
def test_a_vm_vouches_for_it_where_the_page_says_so(
    machines: Machines, engines: Engines, site: dict[str, Any], play: Play, tmp_path: Path, where: str
) -> None:
    """The VMs are reached as Ansible is told for all hosts, where no command comes through."""
    v1_serves(machines)
    hole = tmp_path / "hole"
    hole.write_text("ansible.modules.command")
    for entry in site["all"]["children"]["shop_green"]["hosts"].values():
        del entry["ansible_connection"]
        entry["patchy_hole"] = str(hole)
    del site["all"]["hosts"]
    site["all"]["vars"]["bluegreen_services"]["shop"]["deploy"] = {"verify": {"command": ["true"], "on": where}}
    done = play("deploy", "--connection", "patchy", version="v3")
    if where == "controller":
        assert done.status == 0, done.output
        assert orders(engines) != []
        return
    assert done.status != 0, done.output
    assert [problem.host for problem in done.problems] == ["green1"], done.output
    nothing_was_begun(machines, engines)
