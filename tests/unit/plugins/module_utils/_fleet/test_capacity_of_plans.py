"""No plan sends traffic to servers that cannot carry it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import StateError
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._balancers import Fleet
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._deploy import deploy_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollback import rollback_plan
from ansible_collections.sluice.bluegreen.plugins.module_utils._fleet._rollout import rollout_plan
from observed_fleet import NOWHERE, ON_BLUE, SERVERS, V1_ON_BLUE, event, journal, promoted


class TestCapacity:
    """Blue is stable with two servers; green has one of capacity 1, or less."""

    @staticmethod
    def fleet(events: list[dict[str, Any]], runtime: dict[str, float] = ON_BLUE, **up: bool) -> Fleet:
        colors = {"blue1": "blue", "blue2": "blue", "green1": "green"}
        servers = {n: {"color": c, "capacity": 1, "up": up.get(n, True)} for n, c in colors.items()}
        splits = {"runtime": {"shares": runtime}, "disk": {"shares": runtime}, "servers": servers}
        return Fleet("shop", {"lb1": journal(events)}, {"lb1": splits})

    def test_a_group_that_is_too_small_is_refused_before_anything_is_deployed(self) -> None:
        fleet = self.fleet(V1_ON_BLUE, green1=False)
        with pytest.raises(StateError, match=r"seen from lb1, green cannot carry 100 % .* 2 times .* add VMs"):
            deploy_plan(fleet, "v2", 1.5)
        assert deploy_plan(fleet, "v2", 2)["candidate"] == "green", "before its deployment nothing need be up"
        assert deploy_plan(fleet, "v2")["candidate"] == "green", "no limit"

    def test_the_first_release_has_nobody_to_be_compared_with(self) -> None:
        assert deploy_plan(self.fleet([], NOWHERE), "v1", 0.01)["first"]

    def test_a_rollout_needs_servers_that_are_up(self) -> None:
        deployed = [*V1_ON_BLUE, event("release_started", "r3", version="v2", color="green"), event("deployed", "r3")]
        assert rollout_plan(self.fleet(deployed), None, False, 2)["candidate"] == "green"
        with pytest.raises(StateError, match=r"green cannot carry .* none of its 1 servers is up; see to its contain"):
            rollout_plan(self.fleet(deployed, green1=False), None, False, 2)

    def test_a_promotion_is_taken_back_only_to_what_can_carry_it_unless_that_is_forced(self) -> None:
        events = [*promoted("r1", "v1", "green"), *promoted("r2", "v2", "blue")]
        with pytest.raises(StateError, match=r"green cannot carry 100 % .* with -e force=true"):
            rollback_plan(self.fleet(events), SERVERS, False, False, 1.5)
        assert rollback_plan(self.fleet(events), SERVERS, False, True, 1.5)["to"] == "green"
        assert rollback_plan(self.fleet(events), SERVERS, False, False, 2)["to"] == "green"

    def test_a_release_is_given_up_whatever_is_up(self) -> None:
        rolling = [
            *promoted("r1", "v1", "green"),
            event("release_started", "r3", version="v2", color="blue"),
            event("shift", "r3"),
        ]
        plan = rollback_plan(self.fleet(rolling, green1=False), SERVERS, True, False, 0.1)
        assert plan["to"] == "green"
