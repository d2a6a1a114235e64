"""One image on every VM, and running what was deployed: who differs is named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._same_image import (
    differences,
    not_as_deployed,
    refusal,
)


def one(version: str = "v2", image: str = "sha256:a", running: bool = True) -> dict[str, Any]:
    return {"name": f"shop-green-{version}", "version": version, "image_id": image, "running": running}


def test_vms_with_the_same_image_do_not_differ_and_one_that_has_not_said_is_no_difference() -> None:
    assert differences({"a": "sha256:1", "b": "sha256:1", "c": ""}) == ""
    assert differences({}) == ""


def test_those_that_differ_from_most_or_from_the_release_are_named() -> None:
    three = {"a": "sha256:1", "b": "sha256:2", "c": "sha256:1"}
    assert differences(three) == "not every VM has the same image: b has sha256:2; the others have sha256:1"
    assert differences(three, "sha256:2") == (
        "not every VM has the same image: a has sha256:1, c has sha256:1; the image of the release is sha256:2"
    )


def test_a_vm_that_runs_what_was_deployed_is_no_problem_whatever_lies_stopped_beside_it() -> None:
    assert not_as_deployed({"a": [one(), one("v1", "sha256:0", running=False)]}, "v2", "sha256:a") == []


def test_a_hook_that_still_runs_is_neither_the_version_nor_another_one() -> None:
    hook = {**one(), "name": "shop-green-hook", "hook": "after_deploy/0/warm"}
    assert not_as_deployed({"a": [one(), hook]}, "v2", "sha256:a") == []
    assert not_as_deployed({"a": [hook]}, "v2", "sha256:a") == ["a runs nothing of it"]


def test_everything_else_is_one() -> None:
    vms = {
        "a": None,
        "b": [one(running=False)],
        "c": [one("v1")],
        "d": [one(image="sha256:b")],
        "e": [one(), one("v1")],
    }
    assert not_as_deployed(vms, "v2", "sha256:a") == [
        "a could not be asked what it runs",
        "b runs nothing of it",
        "c runs version v1 (shop-green-v1)",
        "d runs version v2 of another image, sha256:b",
        "e runs version v1 (shop-green-v1)",
    ]


def test_a_refusal_names_what_was_deployed_and_the_way_out_and_says_nothing_without_problems() -> None:
    assert refusal({"b": [one()]}, "shop", "v2", "sha256:a") == ""
    text = refusal({"b": []}, "shop", "v2", "sha256:a")
    assert text.startswith("shop: what runs is not what was deployed, v2 of image sha256:a: b runs nothing of it.")
    assert "sluice.bluegreen.deploy" in text and "sluice.bluegreen.abort" in text


@pytest.mark.parametrize("containers", [{"a": [one()]}, {"a": [one(image="")]}, {"a": None}, {}])
def test_without_a_known_image_nothing_passes_whatever_runs(containers: dict[str, Any]) -> None:
    text = refusal(containers, "shop", "v2", "")
    assert text.startswith("shop: the journal does not say which image of v2 was deployed, so that no VM")
    assert "The traffic stays where it is" in text
    assert "sluice.bluegreen.deploy" in text and "sluice.bluegreen.abort" in text
