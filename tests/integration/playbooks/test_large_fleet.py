# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done on whom: a few simulated VMs, as `make bench-scale` has thousands, behind real balancers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from balancer_machine import can_mount
from real_ansible import ROOT, Run, run
from site_files import inventory, vm

sys.path.insert(0, str(ROOT))

from bench.scale.fleet import Fleet, fleet

MOST_RUNS = 6
SLICE = {"awx_job_template_name": "Site", "awx_workflow_job_name": "Site"}


def serving(there: Fleet, name: str) -> list[str]:
    containers = json.loads((there.folder / "vms" / name).read_text(encoding="utf-8"))
    return [one["name"] for one in containers if one["running"]]


GREEN = [f"green{n}" for n in range(1, 4)]


@pytest.fixture
def there() -> Iterator[Fleet]:
    """Three VMs of each color; blue serves v1, and green has nothing."""
    if not can_mount():
        pytest.fail("needs root and the right to mount")
    with fleet(6) as found:
        yield found


def test_a_whole_release_runs_at_most_six_modules_on_a_vm_and_none_on_those_that_serve(there: Fleet) -> None:
    done = there.play("sluice.bluegreen.release", service="shop", version="v2")
    assert done.status == 0, done.output
    assert [serving(there, name) for name in GREEN] == [["shop-green-v2"]] * 3, "it was no release"
    assert sorted(done.vms) == GREEN
    assert done.most_runs <= MOST_RUNS, dict(done.runs)


def test_a_vm_on_which_another_operation_has_worked_since_it_was_looked_at_gets_no_container(there: Fleet) -> None:
    there.change("green3", simulated_overtaken_by="r9")
    failed = there.play("sluice.bluegreen.deploy", service="shop", version="v2")
    assert failed.status != 0
    assert "shop: failed: green3: release r9 has worked on it since" in failed.output
    assert not (there.folder / "vms" / "green3").exists(), "something was made there"


def test_a_vm_that_is_lost_in_the_last_step_is_not_taken_for_healthy(there: Fleet) -> None:
    there.change("green3", simulated_lost_with="container_switch")
    failed = there.play("sluice.bluegreen.deploy", service="shop", version="v2")
    assert failed.status != 0
    assert "shop: failed: green3: lost on the way" in failed.output


@pytest.mark.long
def test_where_a_version_does_not_become_healthy_on_one_vm_or_is_rolled_back_every_vm_is_put_back(there: Fleet) -> None:
    there.change("green3", simulated_unhealthy=["v2"])
    failed = there.play("sluice.bluegreen.deploy", service="shop", version="v2")
    assert failed.status != 0
    assert "shop: failed: green3: v2 is not healthy here" in failed.output
    assert [serving(there, name) for name in GREEN] == [[]] * 3

    stage = {"split": 50, "dwell": "1s", "timeout": "2s", "on_timeout": "rollback"}
    gone_back = there.play("sluice.bluegreen.release", service="shop", version="v3", rollout_strategy=[stage, 100])
    assert gone_back.status != 0
    assert "shop: rolled_back: " in gone_back.output
    assert [serving(there, name) for name in GREEN] == [[]] * 3
    assert serving(there, "blue1") == ["shop-blue-v1"]


def prepared(folder: Path, site: dict[str, Any], what: str, **extra: Any) -> Run:
    """`site`, whose play for VMs tells ``what`` it gives the role, in the place of the role."""
    plays: list[dict[str, Any]] = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    read, prepare = plays[:2]
    role = prepare["tasks"][-1]
    prepare["tasks"][-1] = {"name": "Tell", "ansible.builtin.debug": {"var": what}, "vars": role["vars"]}
    return run(folder, [read, prepare], site, extra)


def ports(folder: Path, site: dict[str, Any], **extra: Any) -> dict[str, list[int]]:
    """What `site` has each VM's firewall close."""
    done = prepared(folder, site, "docker_host_firewall_ports", **extra)
    return {one.host: one.result["docker_host_firewall_ports"] for one in done.of("Tell")}


def test_site_closes_what_a_service_publishes_on_each_of_its_vms_and_on_no_other(tmp_path: Path) -> None:
    site = inventory(page__container={"port": 8080, "publish": 8081})
    other = {**site["all"]["vars"]["bluegreen_services"]["shop"], "hosts": {"blue": "shop_green", "green": "spare"}}
    other.update(container={"port": 8080, "publish": 8090}, listen={"bind": "*:81"})
    site["all"]["vars"]["bluegreen_services"]["cart"] = other
    site["all"]["children"]["spare"] = {"hosts": {"spare1": vm(41)}}
    found = ports(tmp_path, site)
    assert {host: sorted(of_host) for host, of_host in found.items()} == {
        "blue1": [8081],
        "blue2": [8081],
        "green1": [8081, 8090],
        "green2": [8081, 8090],
        "spare1": [8090],
    }


def test_site_closes_the_ports_of_both_colors_where_they_share_their_vms(tmp_path: Path) -> None:
    site = inventory(
        page__topology="colocated",
        page__hosts={"blue": "shop_blue", "green": "shop_blue"},
        page__container={"port": 8080, "publish": {"blue": 8081, "green": 8082}},
        groups__shop_blue={"vm1": vm(21), "vm2": vm(22)},
        groups__shop_green=...,
    )
    assert ports(tmp_path, site) == {"vm1": [8081, 8082], "vm2": [8081, 8082]}


def test_a_slice_of_site_closes_them_though_it_does_not_know_all_servers(tmp_path: Path) -> None:
    site = inventory(page__container={"port": 8080, "publish": 8081})
    for group, gone in {"shop_blue": "blue2", "shop_green": "green2"}.items():
        del site["all"]["children"][group]["hosts"][gone]
    assert ports(tmp_path, site, **SLICE) == {"blue1": [8081], "green1": [8081]}


def test_it_closes_none_to_balancers_that_it_does_not_see(tmp_path: Path) -> None:
    site = inventory(groups__loadbalancers={"lb1": vm(11), "lb2": vm(12)})
    of_all = ["198.18.0.11", "198.18.0.12"]
    whole = prepared(tmp_path, site, "docker_host_firewall_from", docker_host_firewall=True)
    assert {tuple(one.result["docker_host_firewall_from"]) for one in whole.of("Tell")} == {tuple(of_all)}

    del site["all"]["children"]["loadbalancers"]["hosts"]["lb2"]
    refused = prepared(tmp_path, site, "docker_host_firewall_from", docker_host_firewall=True, **SLICE)
    assert refused.of("Tell") == []
    assert {problem.host for problem in refused.problems} == {"blue1", "blue2", "green1", "green2"}
    assert "this run may not see all balancers, which the VM has to let in" in refused.problems[0].msg
    given = {"docker_host_firewall": True, "bluegreen_balancer_addresses": of_all}
    told = prepared(tmp_path, site, "docker_host_firewall_from", **given, **SLICE)
    assert {tuple(one.result["docker_host_firewall_from"]) for one in told.of("Tell")} == {tuple(of_all)}
