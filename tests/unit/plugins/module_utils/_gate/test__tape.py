"""Tapes are checked line by line."""

from __future__ import annotations

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate import _tape

GOOD = {
    "t": 5,
    "colors": {
        "candidate": {"green1": {"errors": [10, 1], "latency": {"p50": [10, 2, 5]}}},
        "stable": {"blue1": {"errors": [90, 0], "latency": {"p50": [90, 45]}}},
    },
}


def test_what_was_written_is_read(tmp_path):
    tape = tmp_path / "tape.jsonl"
    lines = [GOOD, {"t": 10, "source_down": "refused"}, {**GOOD, "t": 15.5, "down": {"lb1": {"green1": "DOWN"}}}]
    for one in lines:
        _tape.append(tape, one)
    assert list(_tape.read(tape)) == lines
    assert len(tape.read_text().splitlines()) == 3


def test_empty_lines_are_skipped(tmp_path):
    (tmp_path / "tape").write_text(f"\n{_tape.dump(GOOD)}\n\n")
    assert list(_tape.read(tmp_path / "tape")) == [GOOD]


def broken(**server):
    return {"t": 5, "colors": {"candidate": {"green1": server}, "stable": {}}}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ([1], "an object with the number t"),
        ({"colors": {}}, "an object with the number t"),
        ({"t": True, "colors": {}}, "an object with the number t"),
        ({"t": 5}, "either source_down or colors"),
        ({"t": 5, "colors": {"green": {}}}, "either source_down or colors"),
        ({"t": 5, "colors": {"candidate": []}}, "candidate must be an object"),
        (broken(errors=[1]), "candidate server green1: errors: [1] must be whole numbers [requests, bad]"),
        (broken(errors=[1, 2]), "counts more than there were requests"),
        (broken(errors=[1.5, 0]), "must be whole numbers"),
        ({**GOOD, "before": [5]}, "before: [5] must be whole numbers [requests, bad]"),
        (broken(errors=[-1, 0]), "must be whole numbers"),
        (broken(latency={"p95": [1, 0, 0]}), "latency 'p95' is not one of p50, p90, p99"),
        (broken(latency={"p50": [1, 0]}), "[responses, slow for promotion, slow for rollback]"),
        (broken(latency=[1]), "latency must be an object"),
        ({"t": 5, "colors": {}, "down": ["green1"]}, "down must be an object"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path, line, words):
    text = line if isinstance(line, str) else _tape.json.dumps(line)
    tape = tmp_path / "tape.jsonl"
    tape.write_text(f"{_tape.dump({**GOOD, 't': 1})}\n{text}\n")
    with pytest.raises(InputError) as refused:
        list(_tape.read(tape))
    assert f"tape {tape}, line 2: " in str(refused.value)
    assert words in str(refused.value)


def test_time_must_rise(tmp_path):
    (tmp_path / "tape").write_text(f"{_tape.dump(GOOD)}\n{_tape.dump(GOOD)}\n")
    with pytest.raises(InputError, match="line 2: t is 5 after 5; it must rise"):
        list(_tape.read(tmp_path / "tape"))


def test_a_tape_that_is_not_there_or_empty_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        list(_tape.read(tmp_path / "none"))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(InputError, match="it is empty"):
        list(_tape.read(tmp_path / "empty"))
