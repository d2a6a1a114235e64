"""What part of the fleet a run has before it."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._scope import require_core, require_whole, slice_of


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, None),
        ({"awx_job_template_name": "Release"}, None),
        ({"awx_job_template_name": "Release", "awx_workflow_job_name": "Release with approval"}, None),
        ({"awx_workflow_job_name": "Release"}, None),
        ({"awx_job_template_name": "Release", "awx_workflow_job_name": "Release"}, "Release"),
        ({"tower_job_template_name": "Release", "tower_workflow_job_name": "Release"}, "Release"),
    ],
)
def test_a_slice_is_a_job_of_a_workflow_with_the_name_of_its_template(
    variables: dict[str, Any], found: Optional[str]
) -> None:
    assert slice_of(variables) == found


def test_without_a_limit_all_hosts_are_there() -> None:
    require_whole("shop", ["lb1", "lb2"], None, None, None)


def test_a_limit_may_leave_out_what_is_not_needed() -> None:
    require_whole("shop", ["lb1", "lb2"], {"lb1", "lb2", "blue1"}, "lb1,lb2,blue1", None)


def test_a_limit_that_leaves_out_many_names_some_of_them() -> None:
    with pytest.raises(InputError) as caught:
        require_whole("shop", [f"vm{number}" for number in range(9)], {"vm0"}, "vm0", None)
    assert "the limit vm0 leaves out vm1, vm2, vm3, vm4, vm5 and 3 more, and this needs all" in str(caught.value)


def test_a_slice_is_refused_with_the_template_to_change() -> None:
    with pytest.raises(InputError) as caught:
        require_whole("shop", [], None, None, "Release")
    assert "Set Job Slicing of that template to 1" in str(caught.value)


@pytest.mark.parametrize("version", ["2.16.14", "2.9.27", "2.16.0rc1"])
def test_an_ansible_core_that_is_too_old_is_refused_with_the_way_out(version: str) -> None:
    with pytest.raises(InputError, match=rf"this is ansible-core {version}, and a release needs 2\.17 or later"):
        require_core(version)


@pytest.mark.parametrize("version", ["2.17.0", "2.19.14", "2.20.0b1", "3.0"])
def test_an_ansible_core_that_is_new_enough_is_taken(version: str) -> None:
    require_core(version)
