"""Reading a dictionary that a person wrote."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._schema import Problem, Reader, plain, unknown
from hypothesis import given
from hypothesis import strategies as st


def told(reader: Reader) -> list[str]:
    return [f"{problem.key}: {problem.text}" for problem in reader.problems]


def test_unknown_keys_are_refused_with_a_guess_and_the_known_ones() -> None:
    top = Reader({"prot": 1, "port": 8080})
    top.integer("port", low=1, high=65535)
    top.boolean("tcp", False)
    top.done()
    assert told(top) == ["prot: unknown key; did you mean 'port'? Known keys: port, tcp"]


def test_a_key_that_is_like_no_other_gets_no_guess() -> None:
    assert unknown("zzz", ["port", "path"]) == ". Known keys: port, path"


def test_a_key_of_another_time_or_place_gets_words_of_its_own() -> None:
    top = Reader({"gates": {"latency": {}}}, special={"gates.latency": "is not supported by this version"})
    top.section("gates").done()
    top.done()
    assert told(top) == ["gates.latency: is not supported by this version"]


def test_everything_that_is_wrong_is_told_at_once_with_its_path() -> None:
    top = Reader({"a": {"port": "x"}, "list": [{"name": 1}, 5], "flag": "maybe"})
    top.section("a").integer("port", low=1, high=9)
    for item in top.sections("list"):
        item.text("name")
    top.boolean("flag", True)
    top.text("image", wanted="write an image")
    assert told(top) == [
        "a.port: 'x' is not a whole number; write a whole number from 1 to 9",
        "list[1]: 5 is a number, not a dictionary",
        "list[0].name: 1 is a number, not a text; put it in quotes if it is meant so",
        "flag: 'maybe' is a text; write true or false",
        "image: is missing; write an image",
    ]


def test_what_is_missing_in_something_that_is_no_dictionary_is_not_told() -> None:
    problems: list[Problem] = []
    Reader("shop", "services.shop", problems).text("image")
    assert problems == [Problem("services.shop", "'shop' is a text, not a dictionary")]


def test_what_is_missing_in_a_missing_section_is_not_told() -> None:
    top = Reader({})
    top.section("container", required="write a port").integer("port", low=1, high=2)
    assert told(top) == ["container: is missing; write a port"]


def test_an_empty_key_counts_as_left_out() -> None:
    top = Reader({"a": None, "b": None, "c": None, "d": None})
    assert (top.text("a", "x"), top.integer("b", 5, low=1, high=9), top.texts("c", pattern=".", wanted="")) == (
        "x",
        5,
        {},
    )
    top.section("d").done()
    top.done()
    assert told(top) == []


@pytest.mark.parametrize(("value", "expected"), [(5, 5), ("5", 5), (" 7 ", 7)])
def test_a_whole_number_may_be_digits_in_a_text_as_templates_give_them(value: Any, expected: int) -> None:
    assert Reader({"n": value}).integer("n", low=1, high=9) == expected


@pytest.mark.parametrize("value", [True, 5.0, 5.5, "5.5", "five", [5], 0, 10, "10", -1])
def test_what_is_no_whole_number_in_range_is_refused(value: Any) -> None:
    top = Reader({"n": value})
    top.integer("n", low=1, high=9)
    assert len(top.problems) == 1


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (False, False), ("True", True), ("no", False), ("on", True), ("False", False)]
)
def test_true_and_false_may_be_the_words_that_templates_make_of_them(value: Any, expected: bool) -> None:
    assert Reader({"flag": value}).boolean("flag", not expected) is expected


def test_texts_keep_whole_numbers_as_texts_and_refuse_what_yaml_has_changed() -> None:
    top = Reader({"env": {"A": "x", "B": 3, "C": True, "D": 1.10, "E": None, "F": [1], "G H": "x", 5: "x"}})
    assert top.texts("env", pattern="[A-Z]", wanted="use a letter") == {"A": "x", "B": "3"}
    assert [problem.key for problem in top.problems] == ["env.C", "env.D", "env.E", "env.F", "env", "env"]
    assert "True, a boolean, not a text; put it in quotes" in told(top)[0]


def test_a_secret_value_is_not_told() -> None:
    top = Reader({"env": {"PASSWORD": 12345.5}, "other": "hunter2"})
    top.texts("env", pattern=".+", wanted="", secret=True)
    top.texts("other", pattern=".+", wanted="", secret=True)
    assert told(top) == [
        "env.PASSWORD: is a number, not a text; put it in quotes, as YAML may have changed it already",
        "other: a text is not a dictionary of names and texts",
    ]


class AnsibleVaultEncryptedUnicode:
    """Looks like the one of ansible-core 2.17: no str, but gives one."""

    def __str__(self) -> str:
        return "secret"


def test_an_encrypted_text_of_an_old_ansible_core_is_a_text() -> None:
    top = Reader({"env": {"A": AnsibleVaultEncryptedUnicode()}})
    assert top.texts("env", pattern=".", wanted="") == {"A": "secret"}


class Tagged(str):
    """Looks like a text that ansible-core 2.19 has tagged."""


def test_a_tagged_text_becomes_a_plain_one() -> None:
    assert type(plain(Tagged("x"))) is str
    assert type(Reader({"a": Tagged("x")}).text("a")) is str
    assert type(Reader({"a": Tagged("x")}).choice("a", ["x"])) is str


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "i", "x"]), JSON))
def test_no_value_makes_reading_fail_in_another_way_than_a_problem(given_values: dict[str, Any]) -> None:
    top = Reader(given_values)
    assert isinstance(top.text("a", "x"), str)
    assert isinstance(top.integer("b", 1, low=1, high=9), int)
    assert isinstance(top.boolean("c", True), bool)
    assert isinstance(top.duration("d", 5), (int, float))
    assert isinstance(top.percentage("e", 5), (int, float))
    assert isinstance(top.number("f", 5), (int, float))
    assert isinstance(top.texts("g", pattern=".*", wanted=""), dict)
    top.section("h").done()
    assert isinstance(top.sections("i"), list)
    top.done()
    assert ("x" in given_values) == any(problem.key == "x" for problem in top.problems)
