"""Tapes that never fill a disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _tapes
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError

LINE = {"tick": 1}
SIZE = len(json.dumps(LINE)) + 1


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.jsonl"))


def recorded(folder: Path, count: int) -> None:
    """``count`` tapes of a line, an older one first."""
    for number in range(count):
        _tapes.append(folder, f"r{number}", LINE)
        os.utime(folder / f"r{number}.jsonl", (number, number))


def test_a_line_is_added_to_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "tapes"
    for tick in (1, 2):
        _tapes.append(folder, "r1-1", {"tick": tick})
    assert [json.loads(line) for line in (folder / "r1-1.jsonl").read_text().splitlines()] == [{"tick": 1}, {"tick": 2}]


def test_the_oldest_go_before_a_new_one_begins(tmp_path: Path) -> None:
    recorded(tmp_path, 5)
    _tapes.append(tmp_path, "new", LINE, limit=2 * SIZE)
    assert names(tmp_path) == ["new", "r3", "r4"]


def test_one_that_is_being_written_takes_none_away(tmp_path: Path) -> None:
    recorded(tmp_path, 3)
    _tapes.append(tmp_path, "r0", LINE, limit=SIZE)
    assert names(tmp_path) == ["r0", "r1", "r2"]


def test_what_is_no_tape_stays(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    (tmp_path / "notes.txt").write_text("mine")
    _tapes.append(tmp_path, "new", LINE, limit=0)
    assert (names(tmp_path), (tmp_path / "notes.txt").exists()) == (["new"], True)


@pytest.mark.parametrize("name", ["", "../r1", "a/b", "r 1"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="use letters, digits"):
        _tapes.append(tmp_path / "tapes", name, LINE)
    assert list(tmp_path.iterdir()) == []
