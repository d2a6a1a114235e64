"""Places in a JSON document."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._json_path import MissingError, find, parse, written
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("status", ("status",)),
        ("$.status", ("status",)),
        ("checks.db[0].up", ("checks", "db", 0, "up")),
        ("[2][1]", (2, 1)),
        ("points[-1]", ("points", -1)),
        ('["a.b"].c', ("a.b", "c")),
        ('$["a b"]', ("a b",)),
        ("with-dash.and_line", ("with-dash", "and_line")),
    ],
)
def test_a_path_is_read_as_a_person_means_it(path: str, steps: tuple[Any, ...]) -> None:
    assert parse(path) == steps


@pytest.mark.parametrize("path", ["", "$", "a..b", ".a", "a.", "a[", "a[x]", "a[--1]", 'a["b]', "a b[", "$$.a", "a\n"])
def test_what_is_no_path_is_refused_with_the_way_out(path: str) -> None:
    with pytest.raises(InputError, match="is not a path into JSON; write names with dots"):
        parse(path)


def test_what_is_not_there_is_told_as_far_as_it_goes() -> None:
    document = {"a": [1, 2], "text": "abc"}
    assert (find(document, parse("a[-1]")), find(document, parse("a[0]"))) == (2, 1)
    for path in ("a[3].b", "a[-3]", "text[0]", "a.b"):
        with pytest.raises(MissingError, match=r"there is no (a\[-?3\]|text\[0\]|a\.b)"):
            find(document, parse(path))


names = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), min_size=1, max_size=6)


@settings(max_examples=50)
@given(st.lists(st.one_of(names, st.integers(-9, 9)), min_size=1))
def test_what_is_written_is_read_back(steps: list[Any]) -> None:
    assert parse(written(tuple(steps))) == tuple(steps)
