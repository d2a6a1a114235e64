# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that does not come up is named, with the reason, wherever the role's tasks are included from."""

from __future__ import annotations

from pathlib import Path

from real_ansible import run
from site_files import LOCAL, inventory, vm

CONTAINER = {"name": "sluice-no-such-container", "there": True, "settled": False}


def test_a_container_that_cannot_be_started_is_named_without_a_definition_of_a_fleet(tmp_path: Path) -> None:
    tasks = [
        {
            "ansible.builtin.include_role": {"name": "sluice.bluegreen.provision", "tasks_from": "docker/host"},
            "vars": {"provision_container": CONTAINER},
        },
        {"name": "Tell", "ansible.builtin.debug": {"msg": "{{ provision_up.trouble }}"}},
    ]
    site = inventory(groups__loadbalancers={"lb1": {**vm(11), **LOCAL}})
    told = run(tmp_path, [{"hosts": "lb1", "gather_facts": False, "tasks": tasks}], site, {})
    assert told.status == 0, told.output
    said = told.of("Tell")[0].msg
    reason = "container sluice-no-such-container does not come up.\nStart the container that is there: "
    assert said.startswith(reason), said
