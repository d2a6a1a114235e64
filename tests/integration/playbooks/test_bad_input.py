"""What the public playbooks say to bad input: one clear message, an exit status, and nothing changed before it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from balancer_machine import Balancer
from real_ansible import Run, run
from site_files import LOCAL, OUT_OF_REACH, inventory, vm

GOOD = {"service": "shop", "version": "2.1.0"}
PAGE = " (page bluegreen_services.shop)"
# Beside the modules whose names end in _info. What is not here may act, so a new module is not taken for harmless.
READING = {
    "assert",
    "debug",
    "fail",
    "include_role",
    "include_tasks",
    "release_plan",
    "set_fact",
    "setup",
    "validate_argument_spec",
}
STATE = [Path(folder, "shop") for folder in ("/var/lib/sluice", "/run/sluice")]

NOT_IN_SERVICES = "service 'shpo' is not in bluegreen_services; did you mean 'shop'? Known services: shop"
NO_VERSION = "service shop: no version was given; say which to release, e.g. -e version=2.1.0"
NOT_A_TEXT = (
    "and not as a text. It may be another version than was meant (1.10 becomes 1.1), so it is refused. "
    "Give it as a text: "
    "-e version=1.10 on the command line, quotes around it in YAML and JSON, the answer type Text in an AWX survey, "
    'and there quotes around the answer too ("1.10")'
)
NOT_A_TAG = (
    "cannot be a version: it is the tag of an image, so it has only letters, digits, '.', '_' and '-', "
    "does not begin with "
    "'.' or '-', and has at most 128 characters"
)
KEYS = (
    "tick, mode, split, pins, preview, affinity, limits, topology, image, loadbalancers, hosts, container, health, "
    "listen, balance, hash_type, strategy, stage_defaults, second_look, gates, hooks, lease, deploy, build, drain, "
    "capacity, retire, labels"
)
CONTAINER_KEYS = (
    "port, publish, env, stop_timeout, secrets, capabilities, cap_drop, cgroup_parent, command, cpus, cpuset_cpus, "
    "cpu_shares, devices, dns_opts, dns_search_domains, dns_servers, entrypoint, etc_hosts, groups, hostname, init, "
    "ipc_mode, log_driver, log_options, memory, memory_reservation, memory_swap, mounts, network_mode, networks, "
    "oom_score_adj, pids_limit, privileged, read_only, restart_policy, runtime, security_opts, "
    "shm_size, stop_signal, sysctls, tmpfs, ulimits, user, userns_mode, volumes, working_dir"
)
WAYS = "write roundrobin or random(1), or a hash such as source with 'hash_type: consistent'"

GIVEN: dict[str, tuple[dict[str, Any], str]] = {
    "no service": ({"version": "v2"}, "no service was named; say which, e.g. -e service=shop. Known services: shop"),
    "an unknown service": ({**GOOD, "service": "shpo"}, NOT_IN_SERVICES),
    "no version": ({"service": "shop"}, NO_VERSION),
    "an empty version": ({**GOOD, "version": ""}, NO_VERSION),
    "a fraction": ({**GOOD, "version": 1.2}, f"service shop: the version came as a number, 1.2, {NOT_A_TEXT}"),
    "a whole number": ({**GOOD, "version": 2}, f"service shop: the version came as a number, 2, {NOT_A_TEXT}"),
    "a boolean": ({**GOOD, "version": True}, f"service shop: the version came as a boolean, True, {NOT_A_TEXT}"),
    "no tag": ({**GOOD, "version": "v2:latest"}, f"service shop: 'v2:latest' {NOT_A_TAG}"),
    "a template": ({**GOOD, "version": "-{{ 6 * 7 }}"}, f"service shop: '-42' {NOT_A_TAG}"),
    "a split of nothing": (
        {**GOOD, "rollout_strategy": "0,100"},
        "service shop: the strategy of this release[0]: '0' is out of range; a split must be from 0.01 to 100 %, the "
        f"candidate's share of the traffic{PAGE}",
    ),
    "an unknown strategy": (
        {**GOOD, "rollout_strategy": "canarry"},
        "service shop: the strategy of this release: unknown strategy 'canarry'; did you mean 'canary'? "
        "Known strategies: "
        f"all_at_once, canary, linear, or a list of stages such as [5, 25, 100]{PAGE}",
    ),
}

ON_THE_PAGE: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": (
        {"page__helth": {"path": "/"}},
        f"service shop: helth: unknown key; did you mean 'health'? Known keys: {KEYS}{PAGE}",
    ),
    "an unknown key further down": (
        {"page__container__prot": 8080},
        f"service shop: container.prot: unknown key; did you mean 'port'? Known keys: {CONTAINER_KEYS}{PAGE}",
    ),
    "an empty color group": (
        {"groups__shop_green": {}},
        "service shop: hosts.green: the group shop_green has no hosts in {hosts}; it must have the green "
        "VMs of the service"
        f"{PAGE}",
    ),
    "a color group that there is not": (
        {"groups__shop_green": ...},
        "service shop: hosts.green: the group shop_green is not in {hosts}; did you mean 'shop_blue'? it must have the "
        f"green VMs of the service{PAGE}",
    ),
    "overlapping color groups": (
        {"groups__shop_green": {"blue2": vm(22), "green2": vm(32)}},
        "service shop: hosts: in both shop_blue (blue) and shop_green (green): blue2. A VM has one color; "
        "take it out of "
        f"one of the groups{PAGE}",
    ),
    "one group for both colors": (
        {"page__hosts__green": "shop_blue"},
        f"service shop: hosts.green: is the same group as blue, shop_blue; a color needs VMs of its own, "
        f"or write topology: colocated{PAGE}",
    ),
    "one VM under two names": (
        {"groups__shop_green": {"green1": vm(21), "green2": vm(32)}},
        "service shop: hosts: blue1 and green1 have the same address 198.18.0.21; set bluegreen_address of each to the "
        f"address at which the balancers reach it{PAGE}",
    ),
    "a percentage out of range": (
        {"page__strategy": [5, 120]},
        "service shop: strategy[1]: 120 is out of range; a split must be from 0.01 to 100 %, the "
        "candidate's share of the "
        f"traffic{PAGE}",
    ),
    "percentages that do not rise": (
        {"page__strategy": [5, 25, 10, 100]},
        "service shop: strategy: stages must rise strictly, but stage 3 (10 %) does not rise over stage 2 "
        "(25 %): [5, 25, "
        f"10, 100]. Leave one out or put them in order{PAGE}",
    ),
    "a rollout without an end": (
        {"page__strategy": [5, 50]},
        "service shop: strategy: the last stage is 50 %, but a rollout ends with all traffic on the "
        "candidate; add a last "
        f"stage of 100: [5, 50, 100]{PAGE}",
    ),
    "a static balance": (
        {"page__balance": "static-rr"},
        f"service shop: balance: 'static-rr' takes no new weights at runtime, so no split could be set; {WAYS}{PAGE}",
    ),
    "a balance by a map": (
        {"page__balance": "source"},
        "service shop: balance: 'source' hashes by a map, for which HAProxy refuses new weights at "
        "runtime, so no split "
        f"could be set; add 'hash_type: consistent', or write roundrobin or random(1){PAGE}",
    ),
    "no group of balancers": (
        {"groups__loadbalancers": ...},
        "service shop: loadbalancers: the group loadbalancers is not in {hosts}; it must have the "
        "balancers of the service"
        f"{PAGE}",
    ),
    "several problems at once": (
        {"page__helth": {}, "page__strategy": [120]},
        "service shop: 2 problems on its page (bluegreen_services.shop):\n- strategy[0]: 120 is out of "
        "range; a split must be from 0.01 to "
        f"100 %, the candidate's share of the traffic\n- helth: unknown key; did you mean 'health'? Known keys: {KEYS}",
    ),
}


# Seen through every playbook that ends here; the others, each of which a unit test has too, with `make test-long`.
ALWAYS = {
    "an unknown service",
    "a fraction",
    "a template",
    "an empty color group",
    "one VM under two names",
    "several problems at once",
}


def cases(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in names]


def refused(done: Run, tmp_path: Path, message: str, status: int = 2) -> None:
    """``done`` failed with ``message`` on the controller, before any host was asked for anything."""
    assert done.status == status, done.output
    assert [problem.msg for problem in done.problems] == [message.replace("{hosts}", str(tmp_path / "hosts.yml"))]
    assert {one.host for one in done.done} == {"localhost"}, "a host was asked before the input was known to be good"
    unchanged(done)


def reads(module: str) -> bool:
    return module in READING or module.endswith("_info")


def unchanged(done: Run) -> None:
    assert done.changed == []
    acting = {(one.task, name) for one in done.done if not reads(name := one.action.rsplit(".", 1)[-1])}
    assert not acting, "only what reads may run"
    assert not any(path.exists() for path in STATE), "this machine is no balancer, and must not become one"


@pytest.mark.parametrize("name", cases(GIVEN))
def test_what_is_given_on_the_command_line_is_refused(tmp_path: Path, name: str) -> None:
    extra, message = GIVEN[name]
    refused(run(tmp_path, "sluice.bluegreen.release", inventory(), extra), tmp_path, message)


@pytest.mark.parametrize("name", cases(ON_THE_PAGE))
def test_what_is_wrong_on_the_page_or_in_the_inventory_is_refused(tmp_path: Path, name: str) -> None:
    spoilt, message = ON_THE_PAGE[name]
    refused(run(tmp_path, "sluice.bluegreen.release", inventory(**spoilt), GOOD), tmp_path, message)


# Release is deploy and rollout, and promote is rollout.
@pytest.mark.parametrize("playbook", [pytest.param("deploy", marks=pytest.mark.long), "rollout", "rollback"])
def test_every_playbook_of_a_service_refuses_one_that_it_does_not_know(tmp_path: Path, playbook: str) -> None:
    extra = {**GOOD, "service": "shpo"}
    refused(run(tmp_path, f"sluice.bluegreen.{playbook}", inventory(), extra), tmp_path, NOT_IN_SERVICES)


def test_a_number_is_refused_by_a_rollout_too(tmp_path: Path) -> None:
    message = f"service shop: the version came as a number, 1.1, {NOT_A_TEXT}"
    done = run(tmp_path, "sluice.bluegreen.rollout", inventory(), {"service": "shop", "version": 1.10})
    refused(done, tmp_path, message)


def test_check_mode_refuses_the_same(tmp_path: Path) -> None:
    extra, message = GIVEN["a fraction"]
    refused(run(tmp_path, "sluice.bluegreen.release", inventory(), extra, "--check", "--diff"), tmp_path, message)


def test_site_prepares_nothing_for_a_page_that_is_wrong(tmp_path: Path) -> None:
    spoilt, message = ON_THE_PAGE["a static balance"]
    refused(run(tmp_path, "sluice.bluegreen.site", inventory(**spoilt), {}), tmp_path, message)


def test_status_names_the_services_that_there_are(tmp_path: Path) -> None:
    done = run(tmp_path, "sluice.bluegreen.status", inventory(), {"service": "shpo"})
    refused(done, tmp_path, "There is no service shpo; there is shop")


class TestAHostThatIsNotThere:
    """Each of these is only known when the hosts are asked; still nothing is changed before."""

    def test_a_balancer_without_haproxy_stops_a_release(
        self, tmp_path: Path, balancers: dict[str, dict[str, Any]]
    ) -> None:
        balancers["lb2"]["haproxy_socket"] = str(tmp_path / "nowhere.sock")
        done = run(tmp_path, "sluice.bluegreen.release", inventory(groups__loadbalancers=balancers), GOOD)
        assert done.status == 2, done.output
        (problem,) = done.problems
        assert problem.host == "lb2"
        assert problem.msg == (
            f"HAProxy's socket {tmp_path}/nowhere.sock does not exist, so this is a balancer without a "
            f"running HAProxy. "
            "Run sluice.bluegreen.site, or start the service haproxy."
        )
        unchanged(done)

    def test_a_balancer_whose_haproxy_has_other_servers_stops_a_release(
        self, tmp_path: Path, balancers: dict[str, dict[str, Any]]
    ) -> None:
        site = inventory(groups__loadbalancers=balancers, groups__shop_blue={"blue1": vm(21), "blue3": vm(23)})
        done = run(tmp_path, "sluice.bluegreen.release", site, GOOD)
        assert done.status == 2, done.output
        assert [problem.msg for problem in done.problems] == [
            "service shop: HAProxy on lb1 lacks blue3 and has blue2, which the inventory does not have; bring the "
            "balancers up to the inventory with sluice.bluegreen.site. Nothing was changed"
        ]
        unchanged(done)

    def test_a_balancer_whose_haproxy_has_a_server_in_the_other_color_stops_a_release(
        self, tmp_path: Path, balancers: dict[str, dict[str, Any]]
    ) -> None:
        blue, green = {"blue1": vm(21), "blue2": vm(22), "green2": vm(32)}, {"green1": vm(31)}
        site = inventory(groups__loadbalancers=balancers, groups__shop_blue=blue, groups__shop_green=green)
        done = run(tmp_path, "sluice.bluegreen.release", site, GOOD)
        assert done.status == 2, done.output
        assert [problem.msg for problem in done.problems] == [
            "service shop: HAProxy on lb1 has green2 as green, which is blue in the inventory; bring the "
            "balancers up to the inventory with sluice.bluegreen.site. Nothing was changed"
        ]
        unchanged(done)

    def test_a_vm_that_cannot_be_reached_stops_a_release(self, tmp_path: Path, machines: dict[str, Balancer]) -> None:
        for machine in machines.values():
            machine.promoted("r1", "v1", "blue")
        green = {"green1": {**vm(31), **LOCAL}, "green2": vm(32)}
        balancers = {name: machine.entry for name, machine in machines.items()}
        site = inventory(groups__loadbalancers=balancers, groups__shop_green=green)
        done = run(tmp_path, "sluice.bluegreen.release", site, GOOD)
        assert done.status != 0, done.output
        assert [problem.host for problem in done.problems if problem.status == "unreachable"] == ["green2"]
        # What green1 says depends on whether this machine has a Docker Engine.
        words = r"shop: nothing was changed, because not every VM of green is there: (green1: .*; )?"
        wanted = words + r"green2: cannot be reached\. Mend it, or take it out of group shop_green"
        assert re.fullmatch(wanted, done.problems[-1].msg, re.DOTALL), done.problems[-1].msg
        unchanged(done)

    def test_a_balancer_that_cannot_be_reached_stops_a_release(
        self, tmp_path: Path, balancers: dict[str, dict[str, Any]]
    ) -> None:
        site = inventory(groups__loadbalancers={"lb1": balancers["lb1"], "lb2": dict(OUT_OF_REACH)})
        done = run(tmp_path, "sluice.bluegreen.release", site, GOOD)
        assert done.status != 0, done.output
        assert [(problem.host, problem.status) for problem in done.problems] == [("lb2", "unreachable")]
        assert "Connection refused" in done.problems[0].msg
        unchanged(done)

    def test_there_is_nothing_to_roll_out_promote_or_roll_back_before_a_release(
        self, tmp_path: Path, balancers: dict[str, dict[str, Any]]
    ) -> None:
        site = inventory(groups__loadbalancers=balancers)
        nothing = (
            "service shop: there is no release to roll out; put a version on the idle color with "
            "sluice.bluegreen.deploy, "
            "or do both with sluice.bluegreen.release"
        )
        expected = {
            "promote": nothing,
            "rollback": "service shop was never released, so there is nothing to go back to",
        }
        for playbook, message in expected.items():
            done = run(tmp_path, f"sluice.bluegreen.{playbook}", site, {"service": "shop"})
            assert done.status == 2, done.output
            assert [problem.msg for problem in done.problems] == [message]
            unchanged(done)

    def test_status_says_how_the_balancers_stand(self, tmp_path: Path, balancers: dict[str, dict[str, Any]]) -> None:
        done = run(tmp_path, "sluice.bluegreen.status", inventory(groups__loadbalancers=balancers), {})
        assert done.status == 0, done.output
        (said,) = done.of("shop")
        assert "shop: never released" in said.msg
        assert "lb1: committed blue 0 %, green 0 %" in said.msg
        assert "lb2: committed blue 0 %, green 0 %" in said.msg
        unchanged(done)

    @pytest.mark.parametrize("loss", ["no haproxy", "out of reach"])
    def test_status_speaks_of_the_others_and_fails_where_a_balancer_is_lost(
        self, tmp_path: Path, balancers: dict[str, dict[str, Any]], loss: str
    ) -> None:
        lost = {**balancers["lb2"], "haproxy_socket": "/nowhere.sock"} if loss == "no haproxy" else dict(OUT_OF_REACH)
        site = inventory(groups__loadbalancers={"lb1": balancers["lb1"], "lb2": lost})
        done = run(tmp_path, "sluice.bluegreen.status", site, {})
        assert done.status != 0, done.output
        assert {problem.host for problem in done.problems} == {"lb2"}
        (said,) = done.of("shop")
        assert "lb1: committed blue 0 %, green 0 %" in said.msg
        assert "lb2: could not be observed: " in said.msg
        unchanged(done)
