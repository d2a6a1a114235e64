"""The filter ``sluice.bluegreen.status_report``."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.filter import status_report as plugin
from ansible_collections.sluice.bluegreen.plugins.module_utils import _state


def test_the_filter_gives_the_lines_of_the_report() -> None:
    nothing: dict[str, Any] = {"shares": {"blue": 0.0, "green": 0.0}}
    journals = {"lb1": {"state": _state.empty(), "lock": None, "lease": None, "damage": []}}
    splits = {
        "lb1": {
            "runtime": nothing,
            "disk": nothing,
            "observed": {**nothing, "requests": 0, "since": "shift"},
            "servers": {},
            "differences": [],
        }
    }
    told = plugin.FilterModule().filters()["status_report"]("shop", journals, splits)
    assert told[0] == "shop: never released"
    assert all(isinstance(line, str) for line in told)


def test_the_filter_fails_with_ansibles_own_error_and_the_message_of_the_report() -> None:
    with pytest.raises(AnsibleFilterError, match="service shop: no observation from balancer all of them"):
        plugin.status_report("shop", {}, {})


def test_the_documentation_names_what_the_filter_takes() -> None:
    documented = yaml.safe_load(plugin.DOCUMENTATION)
    assert documented["positional"].split(", ") == ["journals", "splits"]
    assert set(documented["options"]) == {"_input", "journals", "splits"}
