"""The filter ``sluice.bluegreen.plan``."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.filter import plan as plugin
from ansible_collections.sluice.bluegreen.plugins.module_utils._plan import DEFAULTS, NAMED, ON_TIMEOUT


def test_the_filter_gives_the_stages_of_a_strategy() -> None:
    plan = plugin.FilterModule().filters()["plan"]
    assert plan([5, 100], dwell="2m", on_timeout="rollback") == [
        {"split": 5.0, "dwell": 120, "timeout": 900, "on_timeout": "rollback"},
        {"split": 100.0, "dwell": 120, "timeout": 900, "on_timeout": "rollback"},
    ]


def test_the_filter_fails_with_ansibles_own_error_and_the_message_of_the_plan() -> None:
    with pytest.raises(AnsibleFilterError, match=r"sluice\.bluegreen\.plan: strategy: the last stage is 50 %"):
        plugin.plan([5, 50])
    with pytest.raises(AnsibleFilterError, match=r"plan\.dwel: unknown key; did you mean 'dwell'\?"):
        plugin.plan("canary", dwel=5)


def test_the_documentation_names_every_strategy_and_has_the_defaults_of_the_plan() -> None:
    documented = yaml.safe_load(plugin.DOCUMENTATION)["options"]
    assert {name: option["default"] for name, option in documented.items() if name != "_input"} == DEFAULTS
    assert documented["on_timeout"]["choices"] == list(ON_TIMEOUT)
    for name in NAMED:
        assert f"V({name})" in documented["_input"]["description"][0], f"{name} is not documented"
