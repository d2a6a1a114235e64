"""A container that is run to its end: its secrets before, and neither it nor they after, whatever came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._container_run import remove, run
from ansible_collections.sluice.bluegreen.plugins.module_utils._container_secrets import Place
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine import unframed
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import EngineError

NAME = "shop-green-hook"


class FakeEngine:
    """Has one container, and remembers what it was asked; ``refuses`` are steps that fail."""

    def __init__(self, folder: Path, *refuses: str, status: Optional[int] = 0, container: str = "id1") -> None:
        self.secret = folder / NAME / "key"
        self.refuses = refuses
        self.status = status
        self.container = container
        self.asked: list[str] = []

    def get(self, path: str, **_query: Any) -> Any:
        if path.startswith("/containers/") and not self.container:
            raise EngineError("No such container", status=404)
        return {"Id": self.container, "Config": {"User": ""}, "HostConfig": {}, "SecurityOptions": []}

    def has(self, container: str) -> bool:
        return bool(self.container) and container in (NAME, self.container)

    def ask(self, method: str, path: str, _query: Any = None, **_more: Any) -> bytes:
        self.step(path.rsplit("/", 1)[-1] if method == "POST" else method)
        if method == "DELETE":
            self.container = ""
        return b""

    def wait(self, _container: str, seconds: float) -> Optional[int]:
        self.step("wait")
        assert seconds > 0
        return self.status

    def output(self, _container: str, _lines: int) -> str:
        self.step("output")
        return "what it said\n"

    def step(self, name: str) -> None:
        self.asked.append(f"{name} with its secret" if self.secret.exists() else name)
        if name in self.refuses:
            raise EngineError(f"no {name}")


def go(engine: FakeEngine, folder: Path, **secrets: str) -> dict[str, Any]:
    return run(engine, NAME, secrets, 9, place=Place(str(folder)), clock=lambda: 0.0)  # type: ignore[arg-type]


def test_the_secrets_are_there_before_it_starts_and_are_gone_before_it_is(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    found = go(engine, tmp_path, key="hush")
    assert found == {"status": 0, "output": "what it said\n", "failure": "", "left": ""}
    assert engine.asked == [
        "start with its secret",
        "wait with its secret",
        "output with its secret",
        "DELETE",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("refuses", "status", "failure"),
    [((), 3, ""), ((), None, ""), (("start",), 0, "no start"), (("wait",), 0, "no wait")],
    ids=["failed", "too long", "not started", "not waited for"],
)
def test_whatever_came_of_it_neither_is_left(
    tmp_path: Path, refuses: tuple[str, ...], status: Optional[int], failure: str
) -> None:
    engine = FakeEngine(tmp_path, *refuses, status=status)
    found = go(engine, tmp_path, key="hush")
    assert (found["status"], found["failure"], found["left"]) == (None if failure else status, failure, "")
    assert engine.asked[-1] == "DELETE"
    assert list(tmp_path.iterdir()) == []


def test_secrets_that_cannot_be_written_start_nothing_and_the_container_goes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = FakeEngine(tmp_path)
    found = go(engine, tmp_path / "file", key="hush")
    assert "file" in found["failure"]
    assert engine.asked == ["DELETE"]


def test_a_log_that_cannot_be_read_fails_nothing(tmp_path: Path) -> None:
    found = go(FakeEngine(tmp_path, "output"), tmp_path)
    assert (found["status"], found["failure"]) == (0, "")
    assert found["output"] == "what it said cannot be read: no output"


def test_one_that_stays_is_told_and_has_no_secrets_any_more(tmp_path: Path) -> None:
    found = go(FakeEngine(tmp_path, "DELETE"), tmp_path, key="hush")
    assert found["left"] == "no DELETE"
    assert list(tmp_path.iterdir()) == []


def test_who_waited_for_a_container_that_another_has_replaced_leaves_that_one_and_its_secrets_alone(
    tmp_path: Path,
) -> None:
    class Replaced(FakeEngine):
        def wait(self, container: str, seconds: float) -> Optional[int]:
            self.container = "id2"
            return super().wait(container, seconds)

    engine = Replaced(tmp_path, status=137)
    go(engine, tmp_path, key="hush")
    assert engine.container == "id2"
    assert engine.secret.read_text() == "hush"


def test_removing_takes_the_secrets_of_a_container_that_is_gone_already_and_no_second_time_fails(
    tmp_path: Path,
) -> None:
    place = Place(str(tmp_path))
    engine = FakeEngine(tmp_path)
    place.write(engine, NAME, {"key": "hush"})  # type: ignore[arg-type]
    engine.container = ""
    for _ in range(2):
        assert remove(engine, NAME, place=place) == ""  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []
    assert engine.asked == []


def test_what_a_container_wrote_is_put_together_from_the_pieces_of_both_streams() -> None:
    def piece(stream: int, text: bytes) -> bytes:
        return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text

    both = piece(1, b"one\n") + piece(2, b"two\n") + piece(1, b"") + piece(1, b"x" * 300)
    assert unframed(both) == b"one\ntwo\n" + b"x" * 300
    assert unframed(b"") == b""
