# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the balancer's role: what they hand on, and how they fail."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.filter.haproxy_problems import haproxy_problems
from ansible_collections.sluice.bluegreen.plugins.filter.split_weights import split_weights

SERVERS = [{"name": "blue1", "color": "blue", "port": 1}, {"name": "green1", "color": "green", "port": 1}]


def test_servers_get_the_weights_of_the_split() -> None:
    assert split_weights(SERVERS, {"blue": 75, "green": "25"}) == {"blue1": 255, "green1": 85}


def test_an_impossible_split_fails_with_the_reason() -> None:
    with pytest.raises(AnsibleFilterError, match="color green has no servers and cannot get 5 %"):
        split_weights(SERVERS[:1], {"blue": 95, "green": 5})


@pytest.mark.parametrize(
    ("servers", "shares"), [("x", {}), ([{}], {"blue": 0, "green": 0}), (SERVERS, {"blue": "many"})]
)
def test_input_of_another_shape_fails_with_what_is_wanted(servers: object, shares: dict[str, object]) -> None:
    with pytest.raises(AnsibleFilterError, match="wants a list of servers with name and color"):
        split_weights(servers, shares)  # type: ignore[arg-type]


def test_problems_need_a_list_of_services() -> None:
    assert haproxy_problems([]) == []
    with pytest.raises(AnsibleFilterError, match="wants a list of services"):
        haproxy_problems({"shop": {}})  # type: ignore[arg-type]
