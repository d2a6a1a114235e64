"""The journal: a chain that shows edits, and a torn line that costs nothing but itself."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal, _state
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._paths import ServicePaths

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=timezone.utc)


def write(path: Path, count: int) -> None:
    for number in range(count):
        _journal.append(path, "shift", "r1", {"n": number}, now=lambda: NOON)


def test_a_missing_journal_reads_as_empty_and_undamaged(tmp_path: Path) -> None:
    content = _journal.read(tmp_path / "none.jsonl")
    assert content.events == []
    assert content.damage == []


def test_events_come_back_in_order_numbered_and_chained(tmp_path: Path) -> None:
    path = tmp_path / "shop" / "journal.jsonl"
    write(path, 3)
    content = _journal.read(path)
    assert [event["seq"] for event in content.events] == [1, 2, 3]
    assert [event["data"]["n"] for event in content.events] == [0, 1, 2]
    assert content.events[0]["at"] == "2026-01-31T12:00:00.123Z"
    assert content.events[0]["prev"] == _journal.NO_HASH
    assert content.damage == []


def test_an_edited_line_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 3)
    path.write_text(path.read_text().replace('"n": 1', '"n": 7'))
    assert _journal.read(path).damage == [f"{path} line 3 does not follow from the line before (edited or lost)"]


def test_a_removed_line_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 3)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2])
    assert len(_journal.read(path).damage) == 1


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 3)
    whole = path.read_text()
    path.write_text(whole[:-20])
    _journal.append(path, "committed", "r1", {"shares": {}})
    content = _journal.read(path)
    assert [event["event"] for event in content.events] == ["shift", "shift", "committed"]
    assert content.damage == [f"{path} line 3 is not a journal line (torn or edited)"]
    assert content.events[-1]["seq"] == 3


def test_every_torn_length_of_the_last_line_leaves_the_earlier_events(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 2)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        _journal.append(path, "promoted", "r1", {})
        events = _journal.read(path).events
        assert events[0]["data"] == {"n": 0}, f"cut at {length}"
        assert events[-1]["event"] == "promoted", f"cut at {length}"


def test_an_event_is_one_line_of_json_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    _journal.append(path, "failed", None, {"message": "two\nlines \u2028 and 5 %"})
    assert len(path.read_bytes().splitlines()) == 1
    assert _journal.read(path).damage == []
    assert json.loads(path.read_text())["data"]["message"] == "two\nlines \u2028 and 5 %"


def test_an_edited_or_removed_last_line_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 3)
    whole = path.read_text()
    lost = [f"{path} does not have the last line that was written here (edited or lost)"]
    path.write_text(whole.replace('"n": 2', '"n": 7'))
    assert _journal.read(path).damage == lost
    path.write_text("".join(whole.splitlines(keepends=True)[:2]))
    assert _journal.read(path).damage == lost
    path.unlink()
    assert _journal.read(path).damage == lost
    path.write_text(whole)
    assert _journal.read(path).damage == []


class TestRotation:
    """A journal that has grown goes on in a new file, with the state and the chain carried over."""

    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(_journal, "SEGMENT_LIMIT", 2000)
        path = tmp_path / "journal.jsonl"
        for number in range(60):
            color = "blue" if number % 2 else "green"
            _journal.append(path, "release_started", f"r{number}", {"version": f"v{number}", "color": color})
            _journal.append(path, "promoted", f"r{number}", {})
        return path

    def test_the_state_is_that_of_all_events_and_the_chain_is_whole(self, path: Path) -> None:
        state = _state.derive(_journal.read(path).events)
        assert state["stable"] == "blue"
        assert state["colors"]["green"]["version"] == "v58"
        assert len(state["history"]) == _state.HISTORY_LENGTH
        assert state["operations"][-1] == "r59"
        assert _journal.damage(path) == []
        assert [event["seq"] for event in _journal.read(path).events][-1] > 120, "snapshots count too"

    def test_its_size_is_bounded(self, path: Path) -> None:
        assert len(_journal.segments(path)) == _journal.SEGMENTS_KEPT
        assert _journal.read(path).events[0]["event"] == "snapshot"

    def test_where_the_line_that_holds_the_state_is_lost_the_segment_before_stands_for_it(self, path: Path) -> None:
        before = _state.derive(_journal.read(path).events)
        first, *rest = path.read_text().splitlines(keepends=True)
        path.write_text("".join([first.replace('"event"', '"evxnt"'), *rest]))
        assert _state.derive(_journal.read(path).events) == before
        assert _journal.damage(path) != []

    def test_but_not_where_more_is_lost_that_may_have_changed_it(self, path: Path) -> None:
        for _ in range(2):
            _journal.append(path, "shift", "r60", {})
        path.write_text("".join(path.read_text().splitlines(keepends=True)[-1:]))
        assert _journal.read(path).events[0]["seq"] > 120, "nothing of the segment before"

    def test_an_edit_in_an_old_segment_is_found(self, path: Path) -> None:
        old = _journal.segments(path)[-1]
        lines = old.read_text().splitlines(keepends=True)
        old.write_text("".join([*lines[:-1], lines[-1].replace('"at": "2', '"at": "3')]))
        assert _journal.damage(path) == [f"{path} does not follow from the segment before (edited or lost)"]

    def test_a_rotation_that_was_killed_half_way_costs_nothing(self, path: Path) -> None:
        before = _state.derive(_journal.read(path).events)
        (path.parent / f"{path.stem}-999999999{path.suffix}").hardlink_to(path)
        (path.parent / f".{path.name}.new").write_text('{"seq": 1, "ev')
        assert _journal.damage(path) == []
        assert _state.derive(_journal.read(path).events) == before
        for _ in range(20):
            _journal.append(path, "promoted", "r59", {})
        assert _journal.damage(path) == []

    def test_a_disk_that_takes_no_new_file_does_not_stop_the_journal(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(_journal, "_rotate", full)
        for number in range(20):
            _journal.append(path, "note", "r99", {"n": number})
        assert _journal.damage(path) == []
        assert _journal.read(path).events[-1]["data"] == {"n": 19}


def test_a_note_that_the_disk_takes_not_is_a_failure_or_a_warning_as_was_asked(tmp_path: Path) -> None:
    paths = ServicePaths("shop", str(tmp_path))
    warnings: list[str] = []
    _journal.note(paths, "shift", "r1", {}, required=True, warn=warnings.append)
    assert [event["event"] for event in _journal.read(paths.journal).events] == ["shift"]
    paths.journal.unlink()
    paths.journal.mkdir()
    problem = f"service shop: {paths.journal} cannot be written: Is a directory"
    with pytest.raises(StateError, match=problem):
        _journal.note(paths, "shift", "r1", {}, required=True, warn=warnings.append)
    assert warnings == []
    _journal.note(paths, "shift", "r1", {}, required=False, warn=warnings.append)
    assert warnings == [problem]
