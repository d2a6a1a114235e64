"""The filter ``deployed_differences``, with what Ansible hands to it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.filter.deployed_differences import FilterModule

V2 = {"name": "shop-green-v2", "version": "v2", "image_id": "sha256:a", "running": True}
differences = FilterModule().filters()["deployed_differences"]


def test_vms_that_run_what_was_deployed_give_an_empty_message() -> None:
    assert differences({"green1": [V2], "green2": [V2]}, "shop", "v2", "sha256:a") == ""


@pytest.mark.parametrize(
    ("containers", "image_id", "wanted"),
    [
        ({"green1": [V2], "green2": None}, "sha256:a", "green2 could not be asked what it runs"),
        ({"green1": [V2]}, "sha256:b", "green1 runs version v2 of another image, sha256:a"),
        ({"green1": [V2]}, "", "the journal does not say which image of v2 was deployed"),
    ],
)
def test_whatever_is_missing_or_differs_gives_a_message(containers: dict[str, Any], image_id: str, wanted: str) -> None:
    assert wanted in differences(containers, "shop", "v2", image_id)
