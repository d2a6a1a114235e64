"""Durations and percentages as people write them."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _units
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from hypothesis import given
from hypothesis import strategies as st

JUNK = [None, True, False, "", " ", "abc", "5x", "1:30", "5 5", "--5", "1e3", [], {}, [5], float("nan"), float("inf")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (90, 90), (1.5, 1.5), ("90", 90), ("90s", 90), ("2m", 120), ("1h", 3600), ("1h30m", 5400),  ("500ms", 0.5),
        ("1d", 86400), (" 2 M ", 120), ("1h 30 m", 5400), ("0", 0), (0, 0), ("1.5m", 90), (".5s", 0.5),
    ],
)  # fmt: skip
def test_a_duration_is_read_into_seconds(text: Any, expected: float) -> None:
    assert _units.seconds(text) == expected


@pytest.mark.parametrize("whole", [60, "60", "1m", 60.0, "60.0s"])
def test_whole_seconds_are_an_integer_so_that_templates_do_not_render_60_0(whole: Any) -> None:
    assert str(_units.seconds(whole)) == "60"


@pytest.mark.parametrize("junk", [*JUNK, "5%", "5pp", "1m30", 10**400, "9" * 400])
def test_what_is_no_duration_is_refused_by_name_and_with_the_way_out(junk: Any) -> None:
    with pytest.raises(InputError, match=r"^health\.timeout: .* is not a duration; write seconds"):
        _units.seconds(junk, "health.timeout")


@pytest.mark.parametrize("junk", [-1, "-1", -0.001])
def test_a_negative_duration_is_refused(junk: Any) -> None:
    with pytest.raises(InputError, match="negative"):
        _units.seconds(junk)


@pytest.mark.parametrize(
    ("text", "expected"), [(5, 5.0), ("5", 5.0), ("5%", 5.0), ("0.5 %", 0.5), (-3, -3.0), ("12.5", 12.5)]
)
def test_a_percentage_is_read_into_per_cent(text: Any, expected: float) -> None:
    found = _units.percent(text)
    assert found == expected
    assert isinstance(found, float), "a split is compared and rendered as a float everywhere"


@pytest.mark.parametrize("junk", [*JUNK, "5pp", "5s", "9" * 400, 10**400])
def test_what_is_no_percentage_is_refused(junk: Any) -> None:
    with pytest.raises(InputError, match=r"^step: .* is not a percentage"):
        _units.percent(junk, "step")


@pytest.mark.parametrize(("text", "expected"), [(0.2, 0.2), ("0.2", 0.2), ("0.2pp", 0.2), ("1 pp", 1.0)])
def test_points_are_percentage_points(text: Any, expected: float) -> None:
    assert _units.points(text) == expected


def test_points_with_a_per_cent_sign_are_refused_since_one_would_have_to_guess_of_what() -> None:
    with pytest.raises(InputError, match="percentage points such as"):
        _units.points("0.2%", "margin")


@pytest.mark.parametrize(
    ("text", "mib"), [("512 MiB", 512), ("2GiB", 2048), ("1.5 GiB", 1536), (" 1 TiB ", 1048576), ("0 MiB", 0)]
)
def test_a_size_is_read_into_whole_mebibytes(text: str, mib: int) -> None:
    assert _units.mebibytes(text) == mib


@pytest.mark.parametrize("junk", [*JUNK, 512, "512", "2 GB", "2 gib", "-1 GiB", "2 GiB 512 MiB"])
def test_what_is_no_size_is_refused_with_the_way_out(junk: Any) -> None:
    with pytest.raises(InputError, match=r"^memory: .* is not a size; write a size with its unit"):
        _units.mebibytes(junk, "memory")


def test_half_a_mebibyte_is_refused() -> None:
    with pytest.raises(InputError, match="not a whole number of MiB"):
        _units.mebibytes("0.5 MiB")


def test_a_message_without_a_name_begins_with_the_value() -> None:
    with pytest.raises(InputError, match=r"^'x' is not a duration"):
        _units.seconds("x", "")


def test_a_long_value_is_cut_in_a_message() -> None:
    assert len(_units.shown("x" * 500)) == 80


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_a_number_of_seconds_stays_what_it_is(number: float) -> None:
    assert math.isclose(_units.seconds(number), number, abs_tol=1e-9)


@given(st.integers(0, 300), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_units_add_up(days: int, hours: int, minutes: int, secs: int) -> None:
    assert _units.seconds(f"{days}d{hours}h{minutes}m{secs}s") == ((days * 24 + hours) * 60 + minutes) * 60 + secs


@given(st.text(max_size=12))
def test_any_text_is_either_read_or_refused_politely(text: str) -> None:
    for read in (_units.seconds, _units.percent, _units.points, _units.mebibytes):
        with contextlib.suppress(InputError):
            assert math.isfinite(read(text))
