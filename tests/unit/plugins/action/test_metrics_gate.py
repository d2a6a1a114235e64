"""What the action plugin makes of its arguments; what it does is tested with real playbooks."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.sluice.bluegreen.plugins.action import metrics_gate
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError

STUB = "ansible_collections.sluice.bluegreen.plugins.modules.metrics_gate"


def documented():
    return yaml.safe_load(importlib.import_module(STUB).DOCUMENTATION)["options"]


def shape(options, nested):
    """What specification and documentation must agree on."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "choices": option.get("choices"),
            "default": option.get("default"),
            "required": option.get("required", False),
            "aliases": option.get("aliases", []),
            "options": shape(option[nested], nested) if nested in option else None,
        }
        for name, option in options.items()
    }


def test_specification_and_documentation_agree():
    assert shape(metrics_gate.ARGUMENT_SPEC, "options") == shape(documented(), "suboptions")


def test_secrets_are_marked():
    gates = metrics_gate.ARGUMENT_SPEC["gates"]["options"]
    for gate in ("errors", "latency", "thresholds"):
        assert gates[gate]["options"]["token"]["no_log"]
        assert gates[gate]["options"]["headers"]["no_log"]
    assert gates["thresholds"]["options"]["env"]["no_log"]


def arguments(**more):
    given = dict.fromkeys(metrics_gate.ARGUMENT_SPEC)
    return {**given, "service": "shop", "candidate": "green", "stage": 2, "look": 1, "gates": {}, **more}


def test_a_stage_that_is_looked_at_again_has_a_tape_of_its_own():
    args = arguments(release_id="r1", look=2)
    assert metrics_gate.tick_arguments(args, "lb1", None, deployed=True)["tape"]["name"] == "r1-2-2"


def test_the_module_on_a_balancer_gets_what_it_needs_and_its_own_socket():
    line = {"t": 5}
    args = arguments(release_id="r1", lease=30.0, state_dir="/s", socket={"lb1": "/one.sock", "lb2": "/two.sock"})
    assert metrics_gate.tick_arguments(args, "lb2", line, deployed=False) == {
        "service": "shop",
        "release_id": "r1",
        "lease": 30.0,
        "deployed": False,
        "state_dir": "/s",
        "socket": "/two.sock",
        "tape": {"name": "r1-2", "line": line},
    }


def test_without_a_release_the_balancers_are_only_read():
    assert metrics_gate.tick_arguments(arguments(socket="/one.sock"), "lb1", None, deployed=True) == {
        "service": "shop",
        "socket": "/one.sock",
    }


def test_histograms_are_asked_for_only_where_they_are_judged():
    args = arguments(release_id="r1", gates={"latency": {}})
    assert metrics_gate.tick_arguments(args, "lb1", None, deployed=True)["latency"] is True
    elsewhere = arguments(gates={"latency": {"source": "prometheus"}})
    assert "latency" not in metrics_gate.tick_arguments(elsewhere, "lb1", None, deployed=True)


def test_each_balancer_is_asked_for_the_age_until_it_has_answered():
    asked = []

    class Balancers:
        def ask(self, questions, _seconds):
            asked.append({name: told["deployed"] for name, (_, told) in questions.items()})
            late = None if len(asked) == 1 else {"servers": {}, "deployed": None}
            return {"lb1": {"servers": {}, "deployed": 9.0}, "lb2": late}

    args, servers = arguments(release_id="r1"), {"candidate": ["g"], "stable": ["b"]}
    look = metrics_gate._Look(Balancers(), args, ["lb1", "lb2"], [], {}, servers, print)
    for _ in range(3):
        look.observe(None, 5.0, ())
    assert [told["lb1"] for told in asked] == [True, False, False]
    assert [told["lb2"] for told in asked] == [True, True, False], "the answer that was lost is asked for again"


def test_a_baseline_is_chosen_from_the_stable_color():
    servers = {"candidate": ["g1", "g2"], "stable": ["b1", "b2"]}
    args = arguments(gates={"baseline": ["b2", "g2"]}, baseline="concurrent")
    assert metrics_gate._baseline(args, servers) == ["b2"]
    for names, words in ((["x"], "names x, no server of it"), (["g1"], "names no server of the color that is stable")):
        with pytest.raises(InputError, match=words):
            metrics_gate._baseline(arguments(gates={"baseline": names}, baseline="concurrent"), servers)


def test_a_command_is_told_the_release():
    args = arguments(release_id="r1", split=5.0)
    assert metrics_gate.environment(args, {"candidate": "green", "stable": "blue"}) == {
        "SLUICE_SERVICE": "shop",
        "SLUICE_RELEASE_ID": "r1",
        "SLUICE_STAGE": "2",
        "SLUICE_SPLIT": "5.0",
        "SLUICE_CANDIDATE": "green",
        "SLUICE_STABLE": "blue",
    }


@pytest.mark.parametrize("name", ["haproxy_tick", "haproxy_split"])
def test_the_modules_options_exist(name):
    module = importlib.import_module(f"ansible_collections.sluice.bluegreen.plugins.modules.{name}")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    known = set(documentation["options"])
    fragments = Path(metrics_gate.__file__).resolve().parent.parent / "doc_fragments"
    for fragment in documentation["extends_documentation_fragment"]:
        text = (fragments / f"{fragment.split('.')[2]}.py").read_text()
        known |= set(re.findall(r"^  (\w+):$", text, re.MULTILINE))
    args = arguments(
        release_id="r1",
        lease=1.0,
        socket="/s",
        config="/f",
        config_dir="/c",
        state_dir="/s",
        run_dir="/r",
        gates={"latency": {}},
    )
    args.update(servers=[{"name": "g", "color": "green"}], back={"blue": 100.0, "green": 0.0})
    told = (
        metrics_gate.tick_arguments(args, "lb1", None, deployed=True)
        if name == "haproxy_tick"
        else metrics_gate.back_arguments(args, "lb1")
    )
    assert set(told) <= known, f"{name} has no option {set(told) - known}"


def test_the_way_back_gives_each_server_what_it_carries():
    servers = [{"name": "b1", "color": "blue", "capacity": 4.0, "port": 80}, {"name": "b2", "color": "blue"}]
    told = metrics_gate.back_arguments(arguments(servers=servers, back={"blue": 100.0, "green": 0.0}), "lb1")
    assert told["servers"] == [{"name": "b1", "color": "blue", "capacity": 4.0}, {"name": "b2", "color": "blue"}]


def test_the_way_back_is_validated_by_each_balancers_own_configuration():
    paths = {"config": {"lb1": "/one.cfg", "lb2": ""}, "config_dir": {"lb1": "/one", "lb2": "/two"}}
    args = arguments(servers=[], back={"blue": 100.0, "green": 0.0}, **paths)
    one, two = (metrics_gate.back_arguments(args, name) for name in ("lb1", "lb2"))
    assert (one["config"], one["config_dir"]) == ("/one.cfg", "/one")
    assert ("config" in two, two["config_dir"]) == (False, "/two"), "what is not said has its default there"
    tick = metrics_gate.tick_arguments(args, "lb2", None, deployed=True)
    assert ("config" in tick, tick["config_dir"]) == (False, "/two")


def test_servers_are_told_apart_by_color():
    servers = [{"name": "b", "color": "blue", "port": 80}, {"name": "g", "color": "green"}]
    assert metrics_gate.servers_by_role(servers, "green") == {"candidate": ["g"], "stable": ["b"]}
    assert metrics_gate.servers_by_role(servers, "blue") == {"candidate": ["b"], "stable": ["g"]}
    with pytest.raises(InputError, match="needs a name and a color"):
        metrics_gate.servers_by_role([{"name": "x", "color": "red"}], "green")


def test_values_become_plain():
    class Tagged(str):
        pass

    found = metrics_gate.plain({Tagged("a"): (Tagged("b"), 1, True, None, 0.5, Path("/x"))})
    assert found == {"a": ["b", 1, True, None, 0.5, "/x"]}
    assert type(found["a"][0]) is str


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"servers": {"candidate": [], "stable": ["b"]}}, "servers has none of color green"),
        ({"servers": {"candidate": ["g"], "stable": []}}, "use baseline: none"),
        ({"tick": 0.5}, "at least 1 second"),
        ({"lease": 9.0}, "a lease of 9 s does not outlast two ticks of 5 s"),
    ],
)
def test_what_cannot_work_is_refused(more, words):
    given = {"servers": {"candidate": ["g"], "stable": ["b"]}, **more}
    servers = given.pop("servers")
    args = arguments(**{"baseline": "concurrent", "gates": {}, "tick": 5.0, **given})
    with pytest.raises(InputError) as refused:
        metrics_gate._check_live(args, servers)
    assert words in str(refused.value)


def test_a_balancer_that_is_not_in_the_inventory_is_refused():
    with pytest.raises(InputError, match="balancer lb9 is not in the inventory"):
        metrics_gate._balancers(arguments(balancers=["lb1", "lb9"]), {"hostvars": {"lb1": {}}})
    with pytest.raises(InputError, match="no balancer to look at"):
        metrics_gate._balancers(arguments(), {"hostvars": {}})


def test_weights_are_whole_numbers():
    assert metrics_gate._weights({"green1": "12"}) == {"green1": 12}
    with pytest.raises(InputError, match="weights must be whole numbers"):
        metrics_gate._weights({"green1": "many"})
