"""How many are enough."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._quorum import needed


@pytest.mark.parametrize(
    ("quorum", "total", "count"),
    [
        ("100%", 7, 7),
        ("80%", 5, 4),
        ("81%", 5, 5),
        ("1%", 5, 1),
        ("50 %", 3, 2),
        ("28%", 25, 7),
        ("0.1%", 200, 1),
        (3, 5, 3),
        ("3", 3, 3),
    ],
)
def test_a_quorum_is_a_number_or_a_share_that_is_rounded_up(quorum: Any, total: int, count: int) -> None:
    assert needed(quorum, total) == count


@pytest.mark.parametrize(
    ("quorum", "message"),
    [
        (0, "quorum: 0 of 4 cannot be; write how many must be healthy, such as 3, or how many per cent"),
        (5, "quorum: 5 of 4 cannot be"),
        ("0%", "quorum: '0%' must be more than 0 % and at most 100 %"),
        ("101%", "quorum: '101%' must be more than 0 %"),
        ("most", "quorum: 'most' is neither"),
        ("-1", "quorum: '-1' is neither"),
        (0.5, "quorum: 0.5 is neither"),
        ("x%", "quorum: 'x%' is not a percentage"),
    ],
)
def test_what_cannot_be_a_quorum_is_refused(quorum: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        needed(quorum, 4)
    assert str(caught.value).startswith(message)
