"""Files that are never seen half written, and the mutex with its limit."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _files
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps = 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1


@contextmanager
def held(path: Path) -> Iterator[int]:
    """The mutex as another process holds it: a lock belongs to whoever opened the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class TestMutex:
    def test_a_free_one_is_taken_without_waiting_and_its_folder_made(self, tmp_path: Path) -> None:
        clock = Clock()
        path = tmp_path / "run" / "shop" / "mutex"
        with _files.mutex(path, 10, clock, clock.sleep):
            assert path.exists()
        assert clock.sleeps == 0

    def test_a_held_one_is_waited_for_up_to_the_limit_and_then_named(self, tmp_path: Path) -> None:
        clock = Clock()
        path = tmp_path / "mutex"
        with (
            held(path),
            pytest.raises(StateError, match=r"mutex stayed locked for 10 s: .* with: fuser -v .*mutex"),
            _files.mutex(path, 10, clock, clock.sleep),
        ):
            pytest.fail("it was not free")
        assert 110 <= clock.now < 110 + 2 * _files.MUTEX_POLL

    def test_one_that_becomes_free_is_taken_then(self, tmp_path: Path) -> None:
        clock = Clock()
        path = tmp_path / "mutex"
        with held(path) as descriptor:

            def sleep(seconds: float) -> None:
                clock.sleep(seconds)
                if clock.sleeps == 3:
                    fcntl.flock(descriptor, fcntl.LOCK_UN)

            with _files.mutex(path, 10, clock, sleep):
                assert clock.sleeps == 3

    def test_it_is_free_again_after_an_error(self, tmp_path: Path) -> None:
        clock = Clock()
        path = tmp_path / "mutex"
        with pytest.raises(RuntimeError), _files.mutex(path, 10, clock, clock.sleep):
            raise RuntimeError
        with _files.mutex(path, 10, clock, clock.sleep):
            pass
        assert clock.sleeps == 0

    def test_it_is_not_handed_to_programs_that_are_started_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "mutex"
        clock = Clock()
        with _files.mutex(path):
            program = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
        assert program.stdin is not None
        assert program.stdout is not None
        try:
            # Only an answer says that the program has been executed: until then it may hold what it will not inherit.
            program.stdin.write(b"there\n")
            program.stdin.flush()
            assert program.stdout.readline() == b"there\n"
            with _files.mutex(path, 1, clock, clock.sleep):
                assert clock.sleeps == 0, "the program that still runs does not hold it"
        finally:
            program.communicate()


class TestJson:
    def test_what_was_written_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "lock.json"
        _files.write_json(path, {"x": 1})
        assert _files.read_json(path) == {"x": 1}
        assert [file.name for file in path.parent.iterdir()] == ["lock.json"], "no temporary file stays"

    def test_a_reader_sees_the_old_or_the_new_file_and_never_half_of_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "lock.json"
        _files.write_json(path, {"x": "old"})
        seen = []
        replace = Path.replace

        def watched(source: Path, target: Path) -> Path:
            seen.append((_files.read_json(path), _files.read_json(source)))
            return replace(source, target)

        monkeypatch.setattr(Path, "replace", watched)
        _files.write_json(path, {"x": "new"})
        assert seen == [({"x": "old"}, {"x": "new"})], "the new one is complete before it takes the place of the old"
        assert _files.read_json(path) == {"x": "new"}

    def test_a_write_that_fails_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "lock.json"
        _files.write_json(path, {"x": "old"})

        def full(*_arguments: object, **_options: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left"):
            _files.write_json(path, {"x": "new"})
        assert _files.read_json(path) == {"x": "old"}

    def test_what_a_killed_writer_left_is_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "lock.json"
        (tmp_path / ".lock.json.new").write_text('{"x": "ha')
        assert _files.read_json(path) is None
        _files.write_json(path, {"x": 1})
        assert [file.name for file in tmp_path.iterdir()] == ["lock.json"]

    @pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "null", "\x00\x00"])
    def test_what_is_no_object_is_none(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "lock.json"
        path.write_text(text)
        assert _files.read_json(path) is None

    def test_what_cannot_be_read_is_an_error_and_not_none(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            _files.read_json(tmp_path)

    def test_removing_what_is_gone_is_no_error(self, tmp_path: Path) -> None:
        _files.remove(tmp_path / "lock.json")
