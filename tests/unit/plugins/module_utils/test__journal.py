"""The journal: a chain that shows edits, and a torn line that costs nothing but itself."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal

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
