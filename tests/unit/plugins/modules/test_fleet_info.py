# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of ``fleet_info`` against what it takes and gives."""

from __future__ import annotations

import inspect
import re

import yaml
from ansible_collections.sluice.bluegreen.plugins.action import fleet_info as action
from ansible_collections.sluice.bluegreen.plugins.module_utils import _provision
from ansible_collections.sluice.bluegreen.plugins.modules import fleet_info


def test_every_option_that_the_action_takes_is_documented() -> None:
    taken = re.findall(r'"(\w+)": \{"type": "(\w+)"', inspect.getsource(action.ActionModule.run))
    documented = yaml.safe_load(fleet_info.DOCUMENTATION)["options"]
    assert dict(taken) == {name: option["type"] for name, option in documented.items()}


def test_every_key_of_a_complete_fleet_is_documented() -> None:
    given = {"name": "shop", "ssh_public_key": "key.pub", "groups": {"shop_blue": {"count": 1}}, "provider": "any"}
    found = _provision.fleet(given, {"any": {"takes": []}}, {}, "here")
    documented = yaml.safe_load(fleet_info.RETURN)["fleet"]["contains"]
    assert set(documented) == set(found)
    assert set(documented["hosts"]["sample"][0]) == set(found["hosts"][0])
