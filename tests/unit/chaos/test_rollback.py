# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a rollback took, from what two balancers saw."""

from __future__ import annotations

import pytest

from chaos import rollback

Sample = dict[str, float]


def sample(at: float, requests: int, weight: int, tape: int) -> Sample:
    return {"at": at, "requests": requests, "weight": weight, "tape": tape}


def seen(late: float = 0.0) -> list[Sample]:
    """Ticks at 10, 11 and 12; the one at 12 decides, its own line is written at 13."""
    return [
        sample(9.0, 0, 100, 0),
        sample(10.0, 5, 100, 50),
        sample(11.0, 9, 100, 100),
        sample(12.0, 9, 100, 150),
        sample(12.3, 14, 100, 150),
        sample(12.4 + late, 14, 0, 150),
        sample(13.0, 14, 0, 200),
    ]


def test_it_begins_with_the_look_that_decided_and_ends_when_no_balancer_gives_the_candidate_anything() -> None:
    assert rollback.seconds_of({"lb1": seen(), "lb2": seen(late=0.3)}) == pytest.approx(0.7)


def test_a_request_that_came_after_the_weights_were_gone_counts() -> None:
    found = [*seen()[:-1], sample(12.9, 15, 0, 150), sample(13.0, 15, 0, 200)]
    assert rollback.seconds_of({"lb1": found}) == pytest.approx(0.9)


def test_the_balancer_that_was_asked_first_is_where_it_begins() -> None:
    earlier = [sample(11.9, 9, 100, 150) if one["at"] == 12.0 else one for one in seen()]
    assert rollback.seconds_of({"lb1": seen(), "lb2": earlier}) == pytest.approx(0.5)


@pytest.mark.parametrize(("found", "said"), [(seen()[:2], "fewer than two lines"), (seen()[:5], "still has a weight")])
def test_what_did_not_go_back_is_not_measured(found: list[Sample], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rollback.seconds_of({"lb1": found})
