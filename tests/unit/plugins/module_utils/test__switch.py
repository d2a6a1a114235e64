"""The way from one container to another: in which order, and what is never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._container_secrets import (
    Place,
    fingerprint,
    numbers_of,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_view import of_repository, surplus
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError, StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._switch import Wanted, steps, switch

ID = "sha256:" + "a" * 64


class FakeEngine:
    """Remembers what it was asked; ``running`` and ``stopped`` are containers of the color."""

    def __init__(self, running: list[str], stopped: list[str], images: Optional[list[dict[str, Any]]] = None) -> None:
        self.states = {**dict.fromkeys(running, "running"), **dict.fromkeys(stopped, "exited")}
        self.images = images or []
        self.asked: list[str] = []
        # Those of them that a hook was run in.
        self.hooks: list[str] = []

    def get(self, path: str, **query: Any) -> Any:
        if path == "/images/json":
            return self.images
        if path == "/containers/json":
            return [
                {
                    "Names": [f"/{name}"],
                    "State": state,
                    "ImageID": ID,
                    "Labels": {"sluice.bluegreen.hook": "before_deploy/0/x"} if name in self.hooks else {},
                }
                for name, state in self.states.items()
            ]
        return {"Config": {"User": "", "StopTimeout": 3}, "HostConfig": {}, "SecurityOptions": []}

    def ask(self, method: str, path: str, query: Any = None, **_more: Any) -> bytes:
        self.asked.append(f"{method} {path}")
        return b""


def go(engine: FakeEngine, folder: Path, healthy: Any = dict, check: bool = False, **wanted: Any) -> dict[str, Any]:
    page = Wanted(**{"service": "shop", "color": "blue", "container": "v3", **wanted})
    return switch(engine, page, healthy, check=check, secrets=Place(str(folder / "secrets")))  # type: ignore[arg-type]


def test_what_runs_is_stopped_then_the_container_starts_and_only_then_is_anything_removed(tmp_path: Path) -> None:
    engine = FakeEngine(["v2"], ["v3", "v1"])
    found = go(engine, tmp_path, lambda: engine.asked.append("healthy") or {})
    assert engine.asked == ["POST /containers/v2/stop", "POST /containers/v3/start", "healthy", "DELETE /containers/v1"]
    assert found["changed"] and found["stopped"] == ["v2"] and found["removed"] == ["v1"] and found["runs"]


def test_nothing_is_removed_where_the_container_does_not_become_healthy(tmp_path: Path) -> None:
    engine = FakeEngine(["v2"], ["v3", "v1"])

    def sick() -> dict[str, Any]:
        raise StateError("not healthy")

    with pytest.raises(StateError, match="not healthy"):
        go(engine, tmp_path, sick)
    assert not [asked for asked in engine.asked if asked.startswith("DELETE")]


def test_a_second_time_nothing_is_done(tmp_path: Path) -> None:
    engine = FakeEngine(["v3"], ["v2"])
    assert go(engine, tmp_path, keep=["v2"])["changed"] is False
    assert engine.asked == []


def test_check_mode_tells_what_it_would_do_and_does_nothing(tmp_path: Path) -> None:
    engine = FakeEngine(["v2"], ["v1"])
    found = go(engine, tmp_path, check=True, secrets={"key": "x"})
    assert (found["changed"], found["stopped"], found["started"], engine.asked) == (True, ["v2"], ["v3"], [])
    assert not (tmp_path / "secrets").exists()


def test_a_container_that_is_not_there_or_of_another_image_is_not_switched_to(tmp_path: Path) -> None:
    engine = FakeEngine(["v2"], [])
    with pytest.raises(StateError, match="Docker has no container v3"):
        go(engine, tmp_path)
    engine = FakeEngine(["v2"], ["v3"])
    with pytest.raises(StateError, match="another image has taken its name"):
        go(engine, tmp_path, image_id="sha256:other")
    assert engine.asked == []


def test_where_there_is_nothing_to_go_back_to_what_failed_is_stopped_all_the_same(tmp_path: Path) -> None:
    engine = FakeEngine(["v4"], [])
    found = go(engine, tmp_path, container="", missing_ok=True, tidy=False)
    assert engine.asked == ["POST /containers/v4/stop"]
    assert found["runs"] is False


def test_secrets_are_there_before_the_container_starts_and_readable_for_its_user_alone(tmp_path: Path) -> None:
    engine = FakeEngine([], ["v3"])
    go(engine, tmp_path, secrets={"key": "one\n", "token": "two"})
    folder = tmp_path / "secrets"
    assert {path.name: path.read_text() for path in (folder / "v3").iterdir()} == {"key": "one\n", "token": "two"}
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder / "v3", folder / "v3" / "key")] == [
        "0o700",
        "0o500",
        "0o400",
    ]
    assert Place(str(folder)).holds("v3", {"key": "one\n", "token": "two"})
    assert not Place(str(folder)).holds("v3", {"key": "one\n"})


def test_a_container_whose_secrets_were_changed_by_other_hands_is_started_anew_with_the_right_ones(
    tmp_path: Path,
) -> None:
    engine = FakeEngine(["v3"], [])
    assert go(engine, tmp_path, secrets={"key": "new"})["changed"]
    assert engine.asked == ["POST /containers/v3/stop", "POST /containers/v3/start"]


def test_the_secrets_of_a_container_go_with_it(tmp_path: Path) -> None:
    go(FakeEngine([], ["v1"]), tmp_path, container="v1", secrets={"key": "x"})
    go(FakeEngine([], ["v1", "v3"]), tmp_path)
    assert not (tmp_path / "secrets" / "v1").exists()


@pytest.mark.parametrize("tidy", [True, False])
@pytest.mark.parametrize("running", [True, False])
def test_what_a_hook_left_is_stopped_and_goes_with_its_secrets_also_where_nothing_else_does(
    tmp_path: Path, tidy: bool, running: bool
) -> None:
    engine = FakeEngine(["v2", "hook"] if running else ["v2"], ["v3", *([] if running else ["hook"])])
    engine.hooks = ["hook"]
    Place(str(tmp_path / "secrets")).write(engine, "hook", {"key": "hush"})  # type: ignore[arg-type]
    found = go(engine, tmp_path, keep=["hook"], tidy=tidy)
    assert found["removed"] == ["hook"]
    assert ("POST /containers/hook/stop" in engine.asked) is running
    assert engine.asked[-1] == "DELETE /containers/hook"
    assert list((tmp_path / "secrets").iterdir()) == []


def test_a_fingerprint_changes_with_a_secret_its_name_and_the_release_and_tells_none_of_them() -> None:
    first = fingerprint({"key": "hunter2"}, "r1")
    assert first == fingerprint({"key": "hunter2"}, "r1")
    others = [
        fingerprint({"key": "hunter3"}, "r1"),
        fingerprint({"kez": "hunter2"}, "r1"),
        fingerprint({"key": "hunter2"}, "r2"),
    ]
    assert len({first, *others}) == 4
    assert "hunter2" not in first and len(first) == 16


PASSWD = {"nobody": ["nobody", "x", "65534", "65533", "", "/", "/bin/false"]}


@pytest.mark.parametrize(
    ("user", "group", "numbers"),
    [("0", "", (0, 0)), ("1000", "", (1000, 0)), ("1000", "50", (1000, 50)), ("nobody", "", (65534, 65533))],
)
def test_a_user_becomes_the_numbers_that_the_image_has_for_it(user: str, group: str, numbers: tuple[int, int]) -> None:
    assert numbers_of(user, group, PASSWD, {}, "shop") == numbers


def test_a_user_that_the_image_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="the user app of shop is not in its /etc/passwd"):
        numbers_of("app", "", PASSWD, {}, "shop")


def test_what_runs_and_what_is_kept_is_never_removed() -> None:
    found = [{"name": name, "running": name == "v2"} for name in ("v0", "v1", "v2", "v3")]
    assert steps(found, "v3", ["v1"], tidy=True) == (["v2"], True, ["v0"])
    assert steps(found, "v3", ["v1"], tidy=False).remove == []


@pytest.mark.parametrize(
    ("name", "repository", "own"),
    [
        ("shop:v1", "shop", True),
        ("workshop:v1", "shop", False),
        ("shop/api:v1", "shop", False),
        ("localhost:5000/shop:v1", "localhost:5000/shop", True),
        ("localhost:5000/shop:v1", "shop", False),
        ("localhost:5000/shop@sha256:abc", "localhost:5000/shop", True),
        ("library:v1", "docker.io/library/library", True),
    ],
)
def test_an_image_is_of_a_repository_by_its_whole_name(name: str, repository: str, own: bool) -> None:
    assert of_repository(name, repository) is own


def image(number: int) -> dict[str, Any]:
    return {"id": f"sha256:{number}", "names": [f"shop:v{number}"]}


@pytest.mark.parametrize(
    ("used", "keep", "taken"),
    [
        ([], 3, ["shop:v2", "shop:v1"]),
        (["sha256:1"], 3, ["shop:v3", "shop:v2"]),
        (["sha256:1", "sha256:2"], 1, ["shop:v5", "shop:v4", "shop:v3"]),
        (["sha256:5", "sha256:4"], 5, []),
        (["sha256:9"], 4, ["shop:v1"]),
    ],
)
def test_the_newest_images_stay_and_so_does_every_one_that_is_in_use(
    used: list[str], keep: int, taken: list[str]
) -> None:
    assert surplus([image(number) for number in (5, 4, 3, 2, 1)], used, keep) == taken


def test_images_beyond_those_that_are_kept_go_by_their_own_names_only(tmp_path: Path) -> None:
    images = [
        {"Id": f"sha256:{n}", "RepoTags": [f"shop:v{n}", f"other:v{n}"], "RepoDigests": [], "Created": n}
        for n in (1, 2, 3)
    ]
    engine = FakeEngine(["v3"], [], images)
    found = go(engine, tmp_path, image="shop", keep_images=2)
    assert engine.asked == ["DELETE /images/shop:v1"]
    assert found["images_removed"] == ["shop:v1"] and found["changed"]
