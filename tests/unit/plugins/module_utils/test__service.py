"""A service's page against the inventory."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, Optional

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _service
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._gate._settings import (
    policies_of,
    series_of,
    settings_of,
    thresholds_of,
)
from ansible_collections.sluice.bluegreen.plugins.module_utils._hooks import PHASES
from ansible_collections.sluice.bluegreen.plugins.module_utils._service import Inventory
from hypothesis import given
from hypothesis import strategies as st

PAGE: dict[str, Any] = {
    "image": "registry.example.com/shop",
    "hosts": {"blue": "shop_blue", "green": "shop_green"},
    "container": {"port": 8080, "publish": 8080, "env": {"LOG_LEVEL": "info"}},
    "health": {"path": "/healthz", "status": 200, "timeout": "60s"},
    "listen": {"bind": "*:80"},
    "strategy": "canary",
    "gates": {"errors": {"max_ratio": 1.5}},
}
THRESHOLD = {"name": "p99", "url": "http://p", "query": "up", "max": 1}
GROUPS = {
    "loadbalancers": ["lb1", "lb2"],
    "shop_blue": ["blue1", "blue2"],
    "shop_green": ["green1"],
    "empty": [],
    "other_blue": ["o1"],
    "other_green": ["o2"],
    "other_lbs": ["lb9"],
}


def inventory(
    groups: Optional[Mapping[str, list[str]]] = None, variables: Optional[Mapping[str, Mapping[str, Any]]] = None
) -> Inventory:
    known = variables or {}
    return Inventory({**GROUPS, **(groups or {})}, lambda host, name: known.get(host, {}).get(name), "hosts.yml")


def page(**changes: Any) -> dict[str, Any]:
    """The page with changes; ``a__b`` is the key ``a.b``, and ``None`` takes a key out."""
    changed = copy.deepcopy(PAGE)
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = changed
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is None:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
    return changed


def read(changed: Any = None, where: Optional[Inventory] = None, **options: Any) -> dict[str, Any]:
    return _service.service({"shop": PAGE if changed is None else changed}, "shop", where or inventory(), **options)


def refusal(changed: Any = None, where: Optional[Inventory] = None, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(changed, where, **options)
    return str(caught.value)


def test_a_page_is_completed_with_every_default() -> None:
    assert read(version="2.1.0") == {
        "name": "shop",
        "version": "2.1.0",
        "digest": None,
        "image": "registry.example.com/shop",
        "loadbalancers": "loadbalancers",
        "topology": "paired",
        "hosts": {"blue": "shop_blue", "green": "shop_green"},
        "servers": [
            {"name": "blue1", "color": "blue", "address": "blue1", "capacity": 1, "port": 8080},
            {"name": "blue2", "color": "blue", "address": "blue2", "capacity": 1, "port": 8080},
            {"name": "green1", "color": "green", "address": "green1", "capacity": 1, "port": 8080},
        ],
        "container": {"port": 8080, "publish": {"blue": 8080, "green": 8080}, "env": {"LOG_LEVEL": "info"}},
        "health": {
            "tcp": False,
            "path": "/healthz",
            "status": [200],
            "response_headers": {},
            "version_header": None,
            "contains": None,
            "matches": None,
            "json": {},
            "version_json": None,
            "host_header": None,
            "port": None,
            "docker": False,
            "consecutive": 3,
            "stable_for": 0,
            "interval": 2,
            "backoff": None,
            "probe_timeout": 5,
            "timeout": 60,
        },
        "listen": {"bind": "*:80", "address": "*", "port": 80, "tls": None, "http2": False},
        "mode": "http",
        "split": {"by": "requests", "cookie": None, "header": None},
        "pins": [],
        "preview": None,
        "affinity": None,
        "limits": {"connections": None, "address": {"connections": None, "requests": None, "period": 10}},
        "balance": "roundrobin",
        "hash_type": None,
        "stages": [
            {"split": split, "dwell": 60, "timeout": 900, "on_timeout": "pause"} for split in (5.0, 25.0, 50.0, 100.0)
        ],
        "second_look": True,
        "gates": {
            "errors": {
                "max_ratio": 1.5,
                "promote_ratio": 2,
                "margin": 0.2,
                "alpha": 0.01,
                "beta": 0.05,
                "cap": 4,
                "min_errors": 5,
                "min_excess": 0.05,
                "warmup": 30,
            },
            "thresholds": [],
        },
        "hooks": {phase: [] for phase in PHASES},
        "tick": 5,
        "lease": 30,
        "deploy": {
            "source": "registry",
            "archive": "",
            "sha256": None,
            "login": None,
            "verify": None,
            "serial": "100%",
            "max_failures": 0,
            "keep_images": 3,
        },
        "build": None,
        "drain": {"timeout": 30},
        "capacity": {"max_load": 1.5},
        "retire": {"keep_warm": 0, "keep": 0, "reversible": True},
        "labels": {},
    }


def test_the_shortest_page_is_enough_and_still_gated() -> None:
    shortest = {
        "image": "shop",
        "hosts": {"blue": "shop_blue", "green": "shop_green"},
        "container": {"port": 5000},
        "health": {"path": "/"},
        "listen": {"bind": ":80"},
    }
    found = read(shortest)
    both = {"blue": 5000, "green": 5000}
    assert found["container"]["publish"] == both, "the port on the VM is the one in the container"
    assert [stage["split"] for stage in found["stages"]] == [5, 25, 50, 100]
    assert "errors" in found["gates"], "a page that says nothing of gates must not be an open gate"
    assert found["version"] is None


def test_the_error_gate_is_off_only_where_the_page_says_so() -> None:
    assert "errors" not in read(page(gates={"errors": False}))["gates"]
    assert "errors" in read(page(gates={}))["gates"]
    assert "errors" in read({**PAGE, "gates": {"errors": None}})["gates"]


def test_the_result_is_plain_json() -> None:
    found = read()
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": None}, "service shop: image: is missing; write the name of an image without a tag"),
        ({"image": "shop:1.2"}, "image: 'shop:1.2' does not fit; leave the tag out, 'shop'"),
        ({"image": "reg:5000/shop:v1"}, "leave the tag out, 'reg:5000/shop'"),
        ({"image": "shop@sha256:" + "0" * 64}, "leave the digest out"),
        ({"image": 5}, "image: 5 is a number, not a text"),
        ({"image": "Shop App"}, "image: 'Shop App' does not fit"),
        ({"hosts": None}, "hosts: is missing; name the two groups"),
        ({"hosts": ["a", "b"]}, "hosts: ['a', 'b'] is a list, not a dictionary"),
        ({"hosts__red": "x"}, "hosts.red: unknown key. Known keys: blue, green"),
        ({"hosts__green": "shop_blue"}, "hosts.green: is the same group as blue, shop_blue"),
        ({"helth": {}}, "helth: unknown key; did you mean 'health'? Known keys: tick, mode"),
        ({"container": None}, "container: is missing; say at least on which port the app listens"),
        ({"container": {}}, "container.port: is missing; write a port from 1 to 65535"),
        ({"container__port": 0}, "container.port: 0 is out of range"),
        ({"container__port": 65536}, "container.port: 65536 is out of range"),
        ({"container__port": True}, "container.port: True is not a whole number"),
        ({"container__prot": 1}, "container.prot: unknown key; did you mean 'port'?"),
        ({"container__env": {"A": True}}, "container.env.A: is a boolean, not a text"),
        ({"container__env": {"A=B": "x"}}, "container.env: 'A=B' is not a usable name"),
        ({"container__memory": "much"}, "container.memory: 'much' is not a size; write one such as 256m or 1g"),
        ({"container__labels": {}}, "container.labels: is not for here; write 'labels' on the page itself"),
        ({"health": None}, "health: is missing; a version is never trusted unseen"),
        ({"health": {}}, "health.path: is missing; write a path such as /healthz"),
        ({"health__path": "healthz"}, "health.path: 'healthz' does not fit; write a path such as /healthz"),
        ({"health__path": "/a b"}, "health.path: '/a b' does not fit"),
        ({"health__path": "/a\nserver x"}, "health.path:"),
        ({"health__status": 99}, "health.status: 99 is out of range; write an HTTP status"),
        ({"health__status": []}, "health.status: the list is empty"),
        ({"health__status": "ok"}, "health.status: 'ok' is not a whole number"),
        ({"health__timeout": "soon"}, "health.timeout: 'soon' is not a duration"),
        ({"health__timeout": 3}, "health.timeout: 3 s is too short for 3 good answers 2 s apart, which take 4 s"),
        ({"health__stable_for": "2m"}, "health.timeout: 60 s is too short to be healthy for 120 s (stable_for)"),
        ({"health__matches": "(ok"}, "health.matches: '(ok' is not a regular expression: missing )"),
        ({"health__json": ["ok"]}, "health.json: ['ok'] is a list, not a dictionary of places and values"),
        ({"health__json": {"a..b": 1}}, "health.json: 'a..b' is not a path into JSON; write names with dots"),
        ({"health__json": {"a": None}}, "health.json.a: is a NoneType; write a text, a number, true or false"),
        ({"health__json": {"a": [1]}}, "health.json.a: is a list; write a text, a number, true or false"),
        ({"health__version_json": "a["}, "health.version_json: 'a[' is not a path into JSON"),
        (
            {"health__version_json": "v", "health__version_header": "X-V"},
            "health.version_json: the version is in the header 'version_header' already",
        ),
        ({"health__docker": "perhaps"}, "health.docker: 'perhaps' is a text; write true or false"),
        ({"health__backoff": 0}, "health.backoff: 0 is out of range; it must be from 0.1 to 300 s"),
        ({"health__quorum": "80%"}, "health.quorum: is not for here; a release needs every server of the candidate"),
        ({"health__haproxy": True}, "health.haproxy: is not for here; the balancers' own view"),
        ({"health__tcp": True}, "health.path: belongs to HTTP, which 'tcp: true' does not speak"),
        ({"listen": None}, "listen: is missing; say where the balancers take the traffic"),
        ({"listen__bind": 80}, "listen.bind: 80 is a number, not a text"),
        ({"listen__bind": "80"}, "listen.bind: '80' does not fit; write an address and a port such as"),
        ({"listen__bind": "*:0"}, "listen.bind: the port 0 must be from 1 to 65535"),
        ({"listen__bind": "*:70000"}, "listen.bind: the port 70000 must be from 1 to 65535"),
        ({"listen__bind": "300.1.1.1:80"}, "listen.bind: '300.1.1.1' is not an IP address"),
        ({"listen__bind": "*:80 ssl"}, "listen.bind: '*:80 ssl' does not fit"),
        ({"listen__tls": True}, "listen.tls: True is a boolean, not a dictionary"),
        ({"strategy": "canari"}, "strategy: unknown strategy 'canari'; did you mean 'canary'?"),
        ({"strategy": [5, 50]}, "strategy: the last stage is 50 %"),
        ({"strategy": [5, {"split": 200}]}, "strategy[1].split: 200 is out of range"),
        ({"stage_defaults": {"dwel": 5}}, "stage_defaults.dwel: unknown key; did you mean 'dwell'?"),
        ({"gates__latency": {"max_slowdown": "fast"}}, "gates.latency.max_slowdown: 'fast' is not a percentage"),
        ({"gates__latency": {"promote_slowdown": 5}}, "promote_slowdown: 5 % is not above max_slowdown, 10 %"),
        ({"gates__latency": {"quantiles": ["p95"]}}, "quantiles: 'p95' does not fit; write some of p50, p90, p99"),
        ({"gates__latency": {"quantiles": "p50"}}, "quantiles: 'p50' is not a list"),
        ({"gates__latency": {"buckets": "x"}}, "gates.latency.buckets: belongs to a source of its own; add 'source: p"),
        ({"gates__latency": {"source": "prometheus"}}, "gates.latency.url: is missing"),
        ({"gates__errors": {"source": "prometheus", "url": "http://p"}}, "gates.errors.requests: is missing"),
        ({"gates__errors": {"no_data": "promote"}}, "gates.errors.no_data: 'promote' is not known"),
        ({"gates__baseline": ["blue 1"]}, "gates.baseline: 'blue 1' does not fit"),
        (
            {"gates__error": {}},
            "gates.error: unknown key; did you mean 'errors'? Known keys: errors, latency, thresholds, baseline",
        ),
        ({"gates__errors": True}, "gates.errors: True is a boolean, not a dictionary"),
        ({"gates__errors__max_ratio": 0.5}, "gates.errors.max_ratio: 0.5 is out of range; it must be from 1"),
        ({"gates__errors__max_ratio": "x"}, "gates.errors.max_ratio: 'x' is not a number"),
        ({"gates__errors__margin": "0.2%"}, "gates.errors.margin: '0.2%' is not a number of percentage points"),
        ({"gates__errors__alpha": 0}, "gates.errors.alpha: 0 is out of range"),
        ({"gates__errors__max_error_ratio": 5}, "gates.errors.max_error_ratio: 5 is out of range"),
        ({"gates__errors__min_eror": 5}, "gates.errors.min_eror: unknown key; did you mean 'min_errors'?"),
        ({"gates__thresholds": {"a": 1}}, "gates.thresholds: {'a': 1} is a dictionary, not a list of dictionaries"),
        ({"gates__thresholds": ["x"]}, "gates.thresholds[0]: 'x' is a text, not a dictionary"),
        ({"gates__thresholds": [{**THRESHOLD, "max": None}]}, "[0]: give either 'max', 'min' or 'max_ratio', not none"),
        (
            {"gates__thresholds": [{**THRESHOLD, "min": 0}]},
            "gates.thresholds[0]: give either 'max', 'min' or 'max_ratio', only one of them",
        ),
        ({"gates__thresholds": [{**THRESHOLD, "source": "datadog"}]}, "[0].source: 'datadog'"),
        ({"gates__thresholds": [{**THRESHOLD, "source": "json"}]}, "[0].path: is missing; write where the number"),
        ({"gates__thresholds": [{**THRESHOLD, "path": "a"}]}, "[0].path: is not asked of source prometheus"),
        (
            {"gates__thresholds": [{"name": "x", "source": "json", "url": "http://a", "path": "a[", "max": 1}]},
            "[0].path: 'a[' is not a path into JSON; write names with dots",
        ),
        ({"gates__thresholds": [{"name": "x", "source": "command"}]}, "[0].command: is missing; write the program"),
        ({"gates__thresholds": [{"name": "x", "source": "command", "command": "ls"}]}, "'ls' is not a list; write the"),
        ({"gates__thresholds": [{**THRESHOLD, "max": None, "max_ratio": 2}]}, "max_ratio: asks for both colors; write"),
        ({"gates__thresholds": [{**THRESHOLD, "count": 0}]}, "[0].count: 0 is out of range"),
        ({"gates__thresholds": [{**THRESHOLD, "url": "p:9090"}]}, "thresholds[0].url: does not fit; write one such"),
        (
            {"gates__thresholds": [{**THRESHOLD, "url": "http://me:hush@p:9090"}]},
            "thresholds[0].url: has a user or a password in it",
        ),
        ({"gates__thresholds": [{**THRESHOLD, "name": None}]}, "gates.thresholds[0].name: is missing"),
        ({"gates__thresholds": [THRESHOLD] * 2}, "thresholds: two are called 'p99'"),
        ({"tick": 0}, "tick: 0 is out of range"),
        ({"lease": 10}, "lease: 10 s is too short: it is renewed at every tick of 5 s"),
        ({"deploy": {"source": "ftp"}}, "deploy.source: 'ftp' is not known. Known values: registry, archive"),
        ({"deploy": {"source": "archive"}}, "deploy.archive: is missing; write where on the controller"),
        ({"deploy": {"archive": "a/{tag}-{version}.tar"}}, "deploy.archive: unknown placeholder {tag}"),
        ({"deploy": {"archive": "a/shop.tar"}}, "deploy.archive: 'a/shop.tar' does not contain {version}"),
        (
            {"deploy": {"source": "registry", "archive": "a/{version}.tar"}},
            "archive: is not used with 'source: registry'",
        ),
        ({"labels": {"sluice.bluegreen.color": "x"}}, "labels.sluice.bluegreen.color: labels that begin with"),
        ({"version": "1"}, "version: is not for here; a version is given at release time"),
        ({"loadbalancers": ["lb1"]}, "loadbalancers: ['lb1'] is a list, not a text"),
    ],
)
def test_a_page_is_refused_with_the_key_what_was_given_and_the_way_out(changes: dict[str, Any], message: str) -> None:
    assert message in refusal(page(**changes))


def test_an_empty_or_wrong_page_is_refused() -> None:
    assert "service shop: 'x' is a text, not a dictionary (page bluegreen_services.shop)" in refusal("x")
    assert "image: is missing" in refusal({})


def test_everything_that_is_wrong_with_a_page_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read(page(image="shop:1", helth={}, container__port="x", strategy=[5]))
    assert str(caught.value).startswith("service shop: 4 problems on its page (bluegreen_services.shop):\n- image: ")
    assert caught.value.details["service"] == "shop"
    keys = [problem["key"] for problem in caught.value.details["problems"]]
    assert keys == ["image", "container.port", "strategy", "helth"]


@pytest.mark.parametrize(
    "algorithm", ["leastconn", "first", "static-rr", "random", "random(2)", "source", "uri whole", "hdr(host)"]
)
def test_a_balance_that_does_not_keep_to_weights_is_refused_with_those_that_do(algorithm: str) -> None:
    text = refusal(page(balance=algorithm))
    assert f"balance: {algorithm}" in text or f"balance: '{algorithm}'" in text
    assert "roundrobin or random(1)" in text
    assert "hash_type: consistent" in text


@pytest.mark.parametrize("algorithm", ["roundrobin", "random(1)"])
def test_a_balance_that_keeps_to_weights_is_taken(algorithm: str) -> None:
    assert read(page(balance=algorithm))["balance"] == algorithm


def test_a_hash_is_taken_if_it_is_consistent() -> None:
    found = read(page(balance="hdr(X-User)", hash_type="consistent"))
    assert (found["balance"], found["hash_type"]) == ("hdr(X-User)", "consistent")
    assert "hash_type: 'map-based' is not known" in refusal(page(balance="source", hash_type="map-based"))
    assert "hash_type: belongs to a balance that hashes" in refusal(page(hash_type="consistent"))


def test_a_balance_cannot_carry_further_configuration() -> None:
    assert "balance: " in refusal(page(balance="source\n  server evil 1.2.3.4:80", hash_type="consistent"))
    assert "balance: 'bogus' is not known" in refusal(page(balance="bogus"))


def test_more_servers_than_roundrobin_holds_get_another_balance_or_are_refused() -> None:
    many = inventory({"shop_blue": [f"b{i}" for i in range(4095)]})
    assert read(where=many)["balance"] == "random(1)", "the default fits the size"
    assert "roundrobin holds at most 4095 servers, and there are 4096" in refusal(page(balance="roundrobin"), many)


@pytest.mark.parametrize(
    ("changes", "groups", "message"),
    [
        (
            {"hosts__blue": "shop_bleu"},
            {},
            "hosts.blue: the group shop_bleu is not in hosts.yml; did you mean 'shop_blue'? it must have the blue VMs",
        ),
        ({"hosts__blue": "empty"}, {}, "hosts.blue: the group empty has no hosts in hosts.yml"),
        (
            {"loadbalancers": "proxies"},
            {},
            "loadbalancers: the group proxies is not in hosts.yml; it must have the balancers",
        ),
        ({}, {"loadbalancers": []}, "loadbalancers: the group loadbalancers has no hosts in hosts.yml"),
        (
            {},
            {"shop_green": ["g1", "blue2"]},
            "hosts: in both shop_blue (blue) and shop_green (green): blue2. A VM has one color",
        ),
        ({}, {"shop_green": ["g 1"]}, "hosts.green: 'g 1' cannot be the name of a server in HAProxy"),
        (
            {"container__publish": 80},
            {"loadbalancers": ["blue1"]},
            "listen.bind: the listener and the container would both take port 80",
        ),
    ],
)
def test_an_inventory_that_does_not_fit_is_refused(
    changes: dict[str, Any], groups: dict[str, list[str]], message: str
) -> None:
    assert message in refusal(page(**changes), inventory(groups))


COLOCATED = {
    "topology": "colocated",
    "hosts": {"blue": "shop_blue", "green": "shop_blue"},
    "container__publish": {"blue": 8080, "green": 8081},
}


def test_both_colors_may_share_their_vms_on_two_ports() -> None:
    found = read(page(**COLOCATED))
    assert found["topology"] == "colocated"
    assert [(server["name"], server["color"], server["address"], server["port"]) for server in found["servers"]] == [
        ("blue1-blue", "blue", "blue1", 8080),
        ("blue2-blue", "blue", "blue2", 8080),
        ("blue1-green", "green", "blue1", 8081),
        ("blue2-green", "green", "blue2", 8081),
    ], "a VM is a server of each color, under two names and at two ports"


@pytest.mark.parametrize(
    ("changes", "groups", "message"),
    [
        ({"topology": "paired"}, {}, "hosts.green: is the same group as blue, shop_blue; a color needs VMs of its own"),
        ({"hosts__green": "shop_green"}, {}, "hosts.green: must be the same group as blue, shop_blue, with topology"),
        (
            {"container__publish": 8080},
            {},
            "container.publish: 8080 is one port for both colors, which share the VM; name two",
        ),
        ({"container__publish": None}, {}, "container.publish: is missing; name two ports of the VM"),
        (
            {"container__publish": {"blue": 8080, "green": 8080}},
            {},
            "container.publish.green: is the same port as blue, 8080, on the same VM",
        ),
        (
            {"container__publish": {"blue": 8080, "green": 80}},
            {"loadbalancers": ["blue2"]},
            "listen.bind: the listener and the container would both take port 80",
        ),
        (
            {"health__port": 9000},
            {},
            "health.port: 9000 is one port of a VM that both colors share, where one would vouch for the other; leave",
        ),
        ({"topology": "colocatde"}, {}, "topology: 'colocatde' is not known; did you mean 'colocated'?"),
    ],
)
def test_a_colocated_page_that_does_not_fit_is_refused(
    changes: dict[str, Any], groups: dict[str, list[str]], message: str
) -> None:
    assert message in refusal(page(**{**COLOCATED, **changes}), inventory(groups))


def test_services_that_share_vms_share_no_port_of_either_color() -> None:
    other = page(**COLOCATED, listen__bind="*:81")
    other["container"]["publish"] = {"blue": 9000, "green": 8080}
    with pytest.raises(InputError, match="services shop and api: both publish port 8080 on blue1, blue2; give one"):
        _service.services({"shop": PAGE, "api": other}, inventory())


def test_a_vm_may_be_a_balancer_too() -> None:
    assert read(where=inventory({"loadbalancers": ["blue1", "green1"]}))["servers"]


def test_the_address_is_bluegreen_address_before_ansible_host_before_the_name() -> None:
    variables = {
        "blue1": {"bluegreen_address": "198.18.0.21", "ansible_host": "127.0.0.1"},
        "blue2": {"ansible_host": "2001:db8::22", "bluegreen_address": ""},
    }
    found = read(where=inventory(variables=variables))
    assert [server["address"] for server in found["servers"]] == ["198.18.0.21", "2001:db8::22", "green1"]


@pytest.mark.parametrize("address", ["a b", 5, "x\nserver evil", True])
def test_an_address_that_is_none_is_refused(address: Any) -> None:
    text = refusal(where=inventory(variables={"blue1": {"bluegreen_address": address}}))
    assert "hosts.blue: blue1: its bluegreen_address" in text


def test_two_servers_at_one_address_are_refused_with_the_variable_to_set() -> None:
    text = refusal(where=inventory(variables={host: {"ansible_host": "127.0.0.1"} for host in ("blue1", "green1")}))
    assert "hosts: blue1 and green1 have the same address 127.0.0.1; set bluegreen_address of each" in text


def test_only_hosts_of_the_colors_are_asked_for_variables() -> None:
    asked = set()

    def variable(host: str, _name: str) -> None:
        asked.add(host)

    many = {"others": [f"h{i}" for i in range(10000)]}
    _service.service({"shop": PAGE}, "shop", Inventory({**GROUPS, **many}, variable))
    assert asked == {"blue1", "blue2", "green1"}


@pytest.mark.parametrize(
    ("pages", "name", "message"),
    [
        (
            {"shop": PAGE, "api": PAGE},
            "shpo",
            "service 'shpo' is not in bluegreen_services; did you mean 'shop'? Known services: shop, api",
        ),
        ({"shop": PAGE}, "", "no service was named; say which, e.g. -e service=shop. Known services: shop"),
        ({"shop": PAGE}, 5, "service 5 is not in bluegreen_services. Known services: shop"),
        (None, "shop", "bluegreen_services is not set"),
        ([], "shop", "bluegreen_services is a list; it must be a dictionary"),
        ({}, "shop", "bluegreen_services is empty"),
        ({"Shop": PAGE}, "Shop", "service 'Shop': a name begins with a small letter"),
        ({"s" * 41: PAGE}, "s" * 41, "at most 40 of them"),
        (
            {"shop": PAGE, "shop_blue": PAGE},
            "shop_blue",
            "service shop_blue: the service shop has that name in HAProxy already",
        ),
    ],
)
def test_a_service_that_is_not_there_is_refused(pages: Any, name: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        _service.service(pages, name, inventory())
    assert message in str(caught.value)


@pytest.mark.parametrize("version", [1.2, 2, True, 1.10, [1], {"a": 1}])
def test_a_version_that_is_not_a_text_is_refused_with_the_reason_and_how_to_quote(version: Any) -> None:
    text = refusal(version=version)
    assert "not as a text. It may be another version than was meant (1.10 becomes 1.1), so it is refused." in text
    assert "AWX survey" in text


def test_a_number_that_templating_has_made_a_text_of_is_refused_all_the_same() -> None:
    assert "the version came as a number, 1.2, and not as a text" in refusal(version="1.2", raw_version=1.2)


@pytest.mark.parametrize("given", ['"1.20"', "'1.20'"])
def test_quotes_around_a_version_keep_it_a_text_and_are_not_part_of_it(given: str) -> None:
    assert read(version=given, raw_version=given)["version"] == "1.20"


@pytest.mark.parametrize("given", ['"1.20', "\"1.20'", '""', "\"'1.20'\""])
def test_quotes_that_are_no_pair_around_a_version_are_refused(given: str) -> None:
    assert "cannot be a version" in refusal(version=given)


def test_null_is_a_version_that_was_not_given() -> None:
    assert read(version="", raw_version=None)["version"] is None
    assert "the version came as null, which is no version" in refusal(
        version="", raw_version=None, require_version=True
    )


def test_an_inventory_that_is_a_part_gives_a_page_without_servers() -> None:
    groups = {"loadbalancers": [], "shop_blue": ["blue1"]}
    part = _service.Inventory(groups, lambda _host, _name: None, partial=True)
    assert _service.services({"shop": PAGE}, part)[0]["servers"] == []


def test_a_raw_template_says_nothing_about_the_version() -> None:
    assert read(version="1.2", raw_version="{{ x }}")["version"] == "1.2"


@pytest.mark.parametrize("version", ["2.1.0", "v4", "_x", "2024-01-01", "A" * 128])
def test_the_tag_of_an_image_is_a_version(version: str) -> None:
    assert read(version=version)["version"] == version


@pytest.mark.parametrize("version", ["a b", "-x", ".x", "a/b", "a:b", "v1\n", "A" * 129, "ü", "{{ x }}"])
def test_what_cannot_be_a_tag_is_refused(version: str) -> None:
    assert "cannot be a version: it is the tag of an image" in refusal(version=version)


def test_a_version_is_missed_only_where_it_is_needed() -> None:
    for missing in (None, ""):
        assert "service shop: no version was given" in refusal(version=missing, require_version=True)
        assert read(version=missing)["version"] is None


def test_a_strategy_for_one_release_replaces_the_pages() -> None:
    assert [stage["split"] for stage in read(strategy="all_at_once")["stages"]] == [100]
    assert [stage["split"] for stage in read(strategy="")["stages"]] == [5, 25, 50, 100]
    assert "the strategy of this release: the last stage is 5 %" in refusal(strategy=[5])


def test_stage_defaults_are_the_services_own() -> None:
    found = read(page(stage_defaults={"dwell": "2m", "on_timeout": "rollback"}))
    assert {(stage["dwell"], stage["on_timeout"]) for stage in found["stages"]} == {(120, "rollback")}


def test_an_archive_has_its_placeholders_filled_in() -> None:
    changed = page(deploy={"archive": "images/{service}-{version}.tar"})
    deploy = read(changed, version="v2")["deploy"]
    assert (deploy["source"], deploy["archive"]) == ("archive", "images/shop-v2.tar")
    assert read(changed)["deploy"]["archive"] == "images/shop-{version}.tar"


def test_a_slow_tick_makes_the_default_lease_longer() -> None:
    assert read(page(tick="20s"))["lease"] == 120


def test_a_tcp_service_is_checked_at_no_path_of_its_own() -> None:
    health = read(page(health={"path": "/", "json": {"db[0].up": True}, "matches": "o.", "backoff": "10s"}))["health"]
    assert (health["json"], health["matches"], health["backoff"]) == ({"db[0].up": True}, "o.", 10)
    health = read(page(health={"tcp": True, "port": 9000}))["health"]
    assert (health["tcp"], health["path"], health["status"], health["port"]) == (True, "/", [], 9000)


def test_a_threshold_is_completed() -> None:
    given_one = {"name": "p99", "url": "http://prometheus:9090", "query": 'x{job="shop"}', "max": "0.5", "token": "t"}
    assert read(page(gates__thresholds=[given_one]))["gates"]["thresholds"] == [
        {
            "name": "p99",
            "source": "prometheus",
            "url": "http://prometheus:9090",
            "query": 'x{job="shop"}',
            "failures": 2,
            "timeout": 5,
            "max": 0.5,
            "token": "t",
        }
    ]


@pytest.mark.parametrize(("given_rate", "expected"), [("1%", 0.01), (0.01, 0.01), ("0.5 %", 0.005), (0, 0)])
def test_an_absolute_error_ratio_is_a_fraction(given_rate: Any, expected: float) -> None:
    assert read(page(gates__errors__max_error_ratio=given_rate))["gates"]["errors"]["max_error_ratio"] == expected


OTHER = page(hosts={"blue": "other_blue", "green": "other_green"}, listen__bind="*:81")


def test_services_apart_are_all_given_in_their_order() -> None:
    found = _service.services({"shop": PAGE, "api": OTHER}, inventory())
    assert [service["name"] for service in found] == ["shop", "api"]


@pytest.mark.parametrize(
    ("bind", "other", "clash"),
    [
        ("*:80", "*:80", True),
        ("*:80", ":80", True),
        ("*:80", "192.0.2.1:80", True),
        ("192.0.2.1:80", "0.0.0.0:80", True),
        ("192.0.2.1:80", "192.0.2.1:80", True),
        ("192.0.2.1:80", "192.0.2.2:80", False),
        ("*:80", "*:81", False),
    ],
)
def test_two_listeners_cannot_share_a_port_of_one_balancer(bind: str, other: str, clash: bool) -> None:
    pages = {"shop": page(listen__bind=bind), "api": {**OTHER, "listen": {"bind": other}}}
    if not clash:
        assert _service.services(pages, inventory())
        return
    with pytest.raises(InputError, match=r"services shop and api: both listen on port 80 .* on lb1, lb2"):
        _service.services(pages, inventory())


@pytest.mark.parametrize(
    ("bind", "preview", "message"),
    [
        ("*:8082", None, r"both listen on port 8082 \(preview.bind \*:8082 and listen.bind \*:8082\) on lb1, lb2"),
        ("*:81", "192.0.2.1:8082", "both listen on port 8082 .*; give one of them another preview.bind"),
        ("*:81", "*:80", r"both listen on port 80 .*; give one of them another listen.bind or preview.bind"),
        ("*:81", "*:8083", None),
    ],
)
def test_a_preview_shares_its_port_with_no_other_service(
    bind: str, preview: Optional[str], message: Optional[str]
) -> None:
    other = {**OTHER, "listen": {"bind": bind}, **({"preview": {"bind": preview}} if preview else {})}
    pages = {"shop": page(preview={"bind": "*:8082"}), "api": other}
    if message is None:
        assert _service.services(pages, inventory())
        return
    with pytest.raises(InputError, match=f"services shop and api: {message}"):
        _service.services(pages, inventory())


def test_a_preview_cannot_take_the_port_of_a_container() -> None:
    both = inventory({"loadbalancers": ["lb1", "o1", "blue1"]})
    own = refusal(page(preview={"bind": "*:8080"}), both)
    assert "preview.bind: the listener and the container would both take port 8080 where a VM is a balancer too" in own
    pages = {"shop": page(preview={"bind": "*:9000"}), "api": {**OTHER, "container": {"port": 9000}}}
    with pytest.raises(InputError, match="the listener of one and the container of the other take port 9000 on o1"):
        _service.services(pages, both)


def test_two_listeners_may_share_a_port_on_different_balancers() -> None:
    pages = {"shop": PAGE, "api": {**OTHER, "listen": {"bind": "*:80"}, "loadbalancers": "other_lbs"}}
    assert _service.services(pages, inventory())


def test_two_services_cannot_publish_one_port_of_a_vm() -> None:
    pages = {"shop": PAGE, "api": page(listen__bind="*:81")}
    with pytest.raises(
        InputError, match=r"services shop and api: both publish port 8080 on blue1, blue2, green1; give one"
    ):
        _service.services(pages, inventory())
    pages["api"]["container"]["publish"] = 8081
    assert _service.services(pages, inventory())


def test_a_listener_cannot_take_the_port_of_anothers_container() -> None:
    pages = {"shop": PAGE, "api": {**OTHER, "container": {"port": 80}}}
    with pytest.raises(InputError, match="the listener of one and the container of the other take port 80 on o1"):
        _service.services(pages, inventory({"loadbalancers": ["lb1", "o1"]}))


def test_a_broken_page_among_many_is_named() -> None:
    with pytest.raises(InputError, match="service api: image: is missing"):
        _service.services({"shop": PAGE, "api": {**OTHER, "image": None}}, inventory())


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=5,
)
PATHS = [
    "image",
    "loadbalancers",
    "hosts",
    "hosts__blue",
    "container",
    "container__port",
    "container__env",
    "health",
    "health__path",
    "health__status",
    "health__timeout",
    "health__tcp",
    "health__response_headers",
    "listen",
    "listen__bind",
    "balance",
    "hash_type",
    "strategy",
    "stage_defaults",
    "second_look",
    "gates",
    "gates__errors",
    "gates__errors__margin",
    "gates__latency",
    "gates__baseline",
    "gates__thresholds",
    "tick",
    "lease",
    "deploy",
    "deploy__archive",
    "labels",
    "surprise",
]


@given(st.dictionaries(st.sampled_from(PATHS), JSON, min_size=1, max_size=3))
def test_any_page_is_either_completed_or_refused_politely(changes: dict[str, Any]) -> None:
    try:
        changed = page(**dict(sorted(changes.items())))
    except (AttributeError, TypeError):
        return  # a change below something that another change has made no dictionary
    try:
        found = read(changed)
    except InputError as error:
        assert str(error).startswith("service shop: "), "a message names the service"
        return
    assert set(found) == set(read()), "the keys of the result do not depend on the page"
    json.dumps(found)


def test_the_gates_of_a_complete_service_are_what_the_judge_takes() -> None:
    every_key = {"max_ratio": 2, "margin": "0.5pp", "max_error_ratio": "1%", "min_excess": 0.1}
    gates = read(page(gates={"errors": every_key, "thresholds": [THRESHOLD]}))["gates"]
    settings = settings_of(gates, tick=5, dwell=60, timeout=900, on_timeout="pause")
    assert (settings.r0, settings.d1, settings.max_error_ratio, settings.min_excess) == (2, 0.005, 0.01, 0.001)
    assert settings_of(read(page(gates=None))["gates"]) == settings_of({"errors": {}}), "both have the same defaults"
    assert settings_of(read(page(gates={"errors": False}))["gates"]).errors is False
    assert thresholds_of(gates["thresholds"])[0].failures == 2


def test_every_way_to_ask_that_a_page_takes_the_gate_takes_too() -> None:
    asked = {"source": "prometheus", "url": "http://p", "token": "t", "no_data": "pause", "source_down": "rollback"}
    gates = read(
        page(
            gates={
                "errors": {**asked, "requests": "n", "bad": "k"},
                "latency": {**asked, "buckets": "h", "max_slowdown": "20%", "quantiles": ["p50"]},
                "thresholds": [
                    {**THRESHOLD, "max": None, "max_ratio": 2, "query": 'x{c="$color"}', "interval": "1m", "count": 3},
                    {
                        "name": "j",
                        "source": "json",
                        "url": "http://j/$color",
                        "path": "a[0].b",
                        "min": 1,
                        "delay": "30s",
                    },
                    {"name": "c", "source": "command", "command": ["./c", "$color"], "env": {"A": "b"}},
                    {"name": "d", "source": "command", "command": ["./d"], "max": 3, "total_failures": 5},
                ],
                "baseline": ["blue1", "green1"],
            }
        )
    )["gates"]
    settings = settings_of(gates)
    assert (settings.latency, settings.slowdown, settings.elsewhere) == (("p50",), 1.2, ("errors", "latency"))
    series = series_of(gates)
    assert (series["errors"].bad, series["latency"].buckets, series["latency"].token) == ("k", "h", "t")
    thresholds = thresholds_of(gates["thresholds"])
    assert [threshold.source for threshold in thresholds] == ["prometheus", "json", "command", "command"]
    assert policies_of(gates, thresholds)["latency"] == {"no_data": "pause", "source_down": "rollback"}
    assert settings_of(read(page(gates={"latency": {}}))["gates"]) == settings_of({"errors": {}, "latency": {}})


def test_a_version_may_carry_the_digest_of_its_image() -> None:
    found = read(version="2.1.0@sha256:" + "a" * 64)
    assert (found["version"], found["digest"]) == ("2.1.0", "sha256:" + "a" * 64)
    assert read(version="2.1.0")["digest"] is None


def test_a_digest_that_is_none_and_one_for_an_archive_are_refused() -> None:
    assert "'sha256:abc' is no digest; write sha256: and 64 hex digits" in refusal(version="2.1.0@sha256:abc")
    changed = page(deploy={"archive": "images/{version}.tar"})
    assert "a digest is a registry's, and its image comes from an archive" in refusal(
        changed, version="2.1.0@sha256:" + "a" * 64
    )
