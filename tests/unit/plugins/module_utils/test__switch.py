"""The way from one container to another: in which order, and what is never touched."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _operation
from ansible_collections.sluice.bluegreen.plugins.module_utils._container_secrets import (
    Place,
    fingerprint,
    numbers_of,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine import TIMEOUT
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_view import of_repository, surplus
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import FencedError, InputError, StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ColorPaths
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
        # Those that were removed by other hands since they were listed.
        self.gone: list[str] = []

    def has(self, container: str) -> bool:
        return container not in self.gone

    def get(self, path: str, **query: Any) -> Any:
        if path == "/images/json":
            return self.images
        if path == "/containers/json":
            return [
                {
                    "Id": f"id-of-{name}",
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
    own = {"service": "shop", "color": "blue", "container": "v3", "release_id": "r3", "run_dir": str(folder / "run")}
    page = Wanted(**{**own, **wanted})
    return switch(engine, page, healthy, check=check, secrets=Place(str(folder / "secrets")))  # type: ignore[arg-type]


def test_what_runs_is_stopped_then_the_container_starts_and_only_then_is_anything_removed(tmp_path: Path) -> None:
    engine = FakeEngine(["v2"], ["v3", "v1"])
    found = go(engine, tmp_path, lambda: engine.asked.append("healthy") or {})
    assert engine.asked == [
        "POST /containers/v2/stop",
        "POST /containers/v3/start",
        "healthy",
        "DELETE /containers/id-of-v1",
    ]
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
    assert engine.asked[-1] == "DELETE /containers/id-of-hook"
    assert list((tmp_path / "secrets").iterdir()) == []


def paths_of(folder: Path) -> ColorPaths:
    return ColorPaths("shop", "blue", str(folder / "run"))


def test_whoever_begins_writes_it_down_and_may_go_on_and_whoever_saw_that_may_follow(tmp_path: Path) -> None:
    for release_id, expects in (("r3", ""), ("r3", "r3"), ("r3", "r2"), ("r4", "r3"), ("r5", None)):
        go(FakeEngine(["v2"], ["v3"]), tmp_path, release_id=release_id, expects=expects)
        assert _operation.last(paths_of(tmp_path)) == release_id


@pytest.mark.parametrize("expects", ["", "r1"])
@pytest.mark.parametrize("check", [False, True])
def test_whoever_was_overtaken_changes_nothing_and_says_by_whom(tmp_path: Path, expects: str, check: bool) -> None:
    go(FakeEngine(["v2"], ["v3"]), tmp_path, release_id="r4")
    engine = FakeEngine(["v3"], ["v2"])
    with pytest.raises(FencedError, match="not as release r3 saw it: release r4 has worked on it since"):
        go(engine, tmp_path, expects=expects, container="v2", check=check)
    assert engine.asked == []
    assert _operation.last(paths_of(tmp_path)) == "r4"


def test_whoever_had_begun_does_not_go_on_after_the_vm_was_booted(tmp_path: Path) -> None:
    with pytest.raises(FencedError, match="nobody knows who has since this VM was booted"):
        go(FakeEngine(["v2"], ["v3"]), tmp_path, expects="r3x")
    with pytest.raises(FencedError):
        go(FakeEngine(["v2"], ["v3"]), tmp_path, expects="r3")
    go(FakeEngine(["v2"], ["v3"]), tmp_path, expects="")


def test_check_mode_and_what_cannot_be_done_leave_no_trace_of_the_operation(tmp_path: Path) -> None:
    go(FakeEngine(["v2"], ["v3"]), tmp_path, check=True, expects="")
    with pytest.raises(StateError, match="Docker has no container"):
        go(FakeEngine(["v2"], []), tmp_path, expects="")
    assert _operation.last(paths_of(tmp_path)) == ""


def test_a_container_that_is_being_stopped_is_started_again_by_whoever_comes_meanwhile(tmp_path: Path) -> None:
    stopping, may_stop = threading.Event(), threading.Event()

    class Slow(FakeEngine):
        def ask(self, method: str, path: str, query: Any = None, **more: Any) -> bytes:
            _, _, name, verb = path.split("/")
            if verb == "stop":
                stopping.set()
                may_stop.wait(10)
            self.states[name] = "exited" if verb == "stop" else "running"
            return super().ask(method, path, query, **more)

    engine = Slow(["v3"], [])
    retire = threading.Thread(target=go, args=(engine, tmp_path), kwargs={"container": "", "missing_ok": True})
    retire.start()
    assert stopping.wait(10)
    back = threading.Thread(target=go, args=(engine, tmp_path), kwargs={"release_id": "r4"})
    back.start()
    back.join(0.2)
    assert back.is_alive(), "it took what is being stopped for running"
    may_stop.set()
    retire.join(10)
    back.join(10)
    assert engine.states == {"v3": "running"}


def test_a_step_waits_as_long_as_the_one_before_may_take_to_stop_what_runs() -> None:
    engine: Any = FakeEngine(["v2", "v3"], ["v1"])
    assert _operation.patience(engine, ColorPaths("shop", "blue")) == TIMEOUT + 3 + 3


def test_whoever_was_overtaken_before_its_container_was_healthy_removes_nothing(tmp_path: Path) -> None:
    engine = FakeEngine(["v3"], ["v1"])

    def healthy() -> dict[str, Any]:
        go(FakeEngine(["v2"], ["v3"]), tmp_path, release_id="r4")
        return {}

    found = go(engine, tmp_path, healthy, keep_images=1, image="shop")
    assert engine.asked == []
    assert (found["changed"], found["removed"], found["images_removed"]) == (False, [], [])


def test_a_container_that_took_the_name_of_one_that_is_to_go_keeps_its_secrets(tmp_path: Path) -> None:
    engine = FakeEngine(["v3"], ["v1"])
    Place(str(tmp_path / "secrets")).write(engine, "v1", {"key": "of the new one"})  # type: ignore[arg-type]
    engine.gone = ["id-of-v1"]
    go(engine, tmp_path)
    assert engine.asked == []
    assert (tmp_path / "secrets" / "v1" / "key").read_text() == "of the new one"


def test_a_container_that_is_gone_or_going_when_it_is_to_be_removed_is_no_failure(tmp_path: Path) -> None:
    fine: list[Any] = []

    class Engine(FakeEngine):
        def ask(self, method: str, path: str, query: Any = None, **more: Any) -> bytes:
            fine.append(more.get("fine"))
            return super().ask(method, path, query, **more)

    go(Engine(["v3"], ["v1"]), tmp_path)
    assert fine == [(200, 204, 404, 409)]


def test_a_name_that_a_container_of_another_service_has_is_refused(tmp_path: Path) -> None:
    class Taken(FakeEngine):
        def get(self, path: str, **query: Any) -> Any:
            if path == "/containers/shop-blue-green-1.0/json":
                return {"Config": {"Labels": {"sluice.bluegreen.service": "shop-blue"}}}
            return super().get(path, **query)

    engine: Any = Taken([], [])
    with pytest.raises(StateError, match="is taken on this VM by a container of service shop-blue, which"):
        _operation.begin(engine, paths_of(tmp_path), "r3", "", "shop-blue-green-1.0")
    assert _operation.last(paths_of(tmp_path)) == ""
    other = ColorPaths("shop-blue", "green", str(tmp_path / "run"))
    assert _operation.begin(engine, other, "r3", "", "shop-blue-green-1.0") == "r3"


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
