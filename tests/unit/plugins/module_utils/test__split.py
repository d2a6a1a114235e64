"""What a step is, apart from taking it; that is tested on a real HAProxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _lock, _split
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import FencedError, InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths

SERVERS = {"blue": ["blue1"], "green": ["green1"]}


class Untouchable:
    """An edge of the machine that nothing may reach for."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


def balancer(tmp_path: Path) -> _split.Balancer:
    paths = ServicePaths("shop", str(tmp_path / "lib"), str(tmp_path / "run"), str(tmp_path / "conf"))
    edge: Any = Untouchable()
    return _split.Balancer(paths, edge, "/nonexistent", edge, edge)


def step(**changes: Any) -> _split.Step:
    given = {"shares": {"blue": 95.0, "green": 5.0}, "lease": 30.0, "commit": False, **changes}
    return _split.Step(release_id="r1", servers=SERVERS, **given)


@pytest.mark.parametrize(
    ("changes", "leads"),
    [({}, True), ({"commit": True}, False), ({"shares": None}, False), ({"shares": None, "commit": True}, False)],
)
def test_runtime_leads_after_a_step_that_neither_commits_nor_goes_back(changes: dict[str, Any], leads: bool) -> None:
    assert step(**changes).leads is leads


@pytest.mark.parametrize("holder", [None, "r2"])
def test_the_fence_is_passed_before_anything_is_looked_at(tmp_path: Path, holder: str | None) -> None:
    edges = balancer(tmp_path)
    if holder:
        _lock.acquire(edges.paths, holder, "bob", 60)
    for changes in ({}, {"commit": True}, {"journal_required": False}):
        with pytest.raises(FencedError):
            _split.take_step(step(**changes), edges)
    assert not Path(edges.paths.state_dir).exists()


def test_what_cannot_be_is_refused_before_the_fence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lease: must be more than 0 seconds"):
        _split.take_step(step(lease=0), balancer(tmp_path))
    assert list(tmp_path.iterdir()) == []
