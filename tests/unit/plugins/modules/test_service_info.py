"""The documentation of ``service_info`` against what it takes and gives."""

from __future__ import annotations

import inspect
import re

import yaml
from ansible_collections.sluice.bluegreen.plugins.action import service_info as action
from ansible_collections.sluice.bluegreen.plugins.module_utils import _page
from ansible_collections.sluice.bluegreen.plugins.modules import service_info


def test_every_option_that_the_action_takes_is_documented() -> None:
    taken = re.findall(r'"(\w+)": \{"type": "(\w+)"', inspect.getsource(action.ActionModule.run))
    documented = yaml.safe_load(service_info.DOCUMENTATION)["options"]
    assert dict(taken) == {name: option["type"] for name, option in documented.items()}


def test_every_key_of_a_complete_service_is_documented() -> None:
    completed, _ = _page.read("shop", {})
    documented = yaml.safe_load(service_info.RETURN)["service"]["contains"]
    assert set(documented) == set(completed)
