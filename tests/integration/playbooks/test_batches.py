"""The play that deploys, as it is in the playbook, with a task in the role's place that fails on some VMs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from real_ansible import ROOT, Run, run
from site_files import LOCAL

VMS = [f"vm{number}" for number in range(1, 9)]
PLAY = "Deploy to the candidate color"


def the_play() -> dict[str, Any]:
    plays: list[dict[str, Any]] = yaml.safe_load((ROOT / "playbooks" / "deploy.yml").read_text(encoding="utf-8"))
    (play,) = [play for play in plays if play["name"] == PLAY]
    (block,) = [task for task in play["tasks"] if "block" in task]
    (role,) = [number for number, task in enumerate(block["block"]) if "ansible.builtin.include_role" in task]
    block["block"][role : role + 1] = [
        {
            "name": "Deploy",
            "ansible.builtin.assert": {
                "that": "inventory_hostname not in broken",
                "fail_msg": "broken here",
                "quiet": True,
            },
        },
        {"name": "Switch", "ansible.builtin.set_fact": {"__deploy_switched": {"runs": True}}},
    ]
    return play


def deploy(folder: Path, broken: list[str], **page: Any) -> Run:
    settings = {"serial": "100%", "max_failures": 0, **page}
    service = {"name": "shop", "loadbalancers": "shop_blue", "deploy": settings}
    facts = {
        "bluegreen_service": service,
        "bluegreen_vm_service": service,
        "bluegreen_candidate_group": "shop_blue",
        "bluegreen_deploy_groups": {"vms": "shop_blue"},
        "bluegreen_plan": {"version": "v2", "release_id": "r1", "candidate": "blue"},
    }
    plays = [
        {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.set_fact": facts}]},
        the_play(),
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Tell",
                    "ansible.builtin.debug": {
                        "msg": "{{ groups['shop_blue'] | map('extract', hostvars, 'bluegreen_vm_error') "
                        "| map('default', 'was not begun') | list }}"
                    },
                }
            ],
        },
    ]
    hosts = {"shop_blue": {"hosts": {name: dict(LOCAL) for name in VMS}}}
    return run(folder, plays, {"all": {"hosts": {"localhost": dict(LOCAL)}, "children": hosts}}, {"broken": broken})


def errors(done: Run) -> list[str]:
    (told,) = done.of("Tell")
    found: list[str] = told.result["msg"]
    return found


NOT_BEGUN = "was not begun, because too many others had failed"


@pytest.mark.parametrize(
    ("page", "broken", "expected"),
    [
        ({"serial": 2}, [], [""] * 8),
        ({"serial": "25%"}, ["vm3"], ["", "", "broken here", ""] + [NOT_BEGUN] * 4),
        ({"serial": 1, "max_failures": "25%"}, ["vm1", "vm2"], ["broken here", "broken here"] + [""] * 6),
        ({"serial": 1, "max_failures": 1}, ["vm1", "vm2"], ["broken here", "broken here"] + [NOT_BEGUN] * 6),
        ({}, ["vm1", "vm8"], ["broken here", *[""] * 6, "broken here"]),
    ],
    ids=["all are well", "no failure is allowed", "two of eight are", "one is", "all at once"],
)
def test_no_further_batch_begins_once_more_vms_have_failed_than_the_page_allows(
    tmp_path: Path, page: dict[str, Any], broken: list[str], expected: list[str]
) -> None:
    done = deploy(tmp_path, broken, **page)
    assert errors(done) == expected, done.output
