"""``service_info`` as a playbook runs it; ``SLUICE_ANSIBLE_BIN`` is the folder of another ansible-core's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("SLUICE_ANSIBLE_BIN") or Path(sys.executable).parent)

PAGE: dict[str, Any] = {
    "image": "registry.example.com/shop",
    "hosts": {"blue": "shop_blue", "green": "shop_green"},
    "container": {"port": 8080, "publish": "{{ 8000 + 80 }}", "env": {"GREETING": "{{ greeting }}"}},
    "health": {"path": "/healthz"},
    "listen": {"bind": "*:80"},
    "gates": {
        "thresholds": [{"name": "p99", "url": "http://p:9090", "query": 'max(x{job="{{ greeting }}"})', "max": 1}]
    },
}
INVENTORY: dict[str, Any] = {
    "all": {
        "vars": {"net": "198.18.0", "greeting": "hello", "bluegreen_services": {"shop": PAGE}},
        "children": {
            "loadbalancers": {"hosts": {"lb1": {}}},
            "shop_blue": {"hosts": {"blue1": {"bluegreen_address": "{{ net }}.21"}}},
            "shop_green": {"hosts": {"green1": {"ansible_host": "198.18.0.31"}, "green2": {}}},
        },
    }
}
# Every host of the inventory is out of reach: the tasks must not try to reach one.
PLAY = [
    {
        "hosts": "loadbalancers",
        "gather_facts": False,
        "tasks": [
            {
                "sluice.bluegreen.service_info": {
                    "service": "{{ service | default('') }}",
                    "version": "{{ version | default('') }}",
                    "strategy": "{{ strategy | default(omit) }}",
                    "require_version": True,
                },
                "register": "page",
            },
            {"ansible.builtin.set_fact": {"kept": "{{ page.service }}"}},
            {"ansible.builtin.debug": {"var": "kept"}},
        ],
    }
]
ALL = [{"hosts": "lb1", "gather_facts": False, "tasks": [{"sluice.bluegreen.service_info": {}, "register": "page"}]}]


def run(
    tmp_path: Path, extra: Optional[dict[str, Any]] = None, inventory: Any = None, play: Any = PLAY, *options: str
) -> list[dict[str, Any]]:
    """The results of the tasks of a play, as a callback gets them."""
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump(INVENTORY if inventory is None else inventory, sort_keys=False), encoding="utf-8"
    )
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "task_results",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
    }
    command = [str(BIN / "ansible-playbook"), "-i", "hosts.yml", "play.yml", "-e", json.dumps(extra or {}), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, check=False, timeout=120)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    return [json.loads(line.removeprefix("RESULT ")) for line in lines]


def message(tmp_path: Path, extra: dict[str, Any], **changes: Any) -> str:
    results = run(tmp_path, extra, **changes)
    assert results[-1].get("failed"), f"it should have failed: {results[-1]}"
    assert len(results) == 1, "nothing may have happened before"
    return str(results[0]["msg"])


@pytest.mark.parametrize("options", [(), ("--check", "--diff")])
def test_a_page_is_read_templated_and_completed_without_reaching_a_host(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    extra = {"service": "shop", "version": "2.1.0", "strategy": [5, {"split": 100, "dwell": "2m"}]}
    results = run(tmp_path, extra, None, PLAY, *options)
    assert results[0]["changed"] is False
    kept = results[-1]["kept"]
    assert kept["version"] == "2.1.0"
    publish = {"blue": 8080, "green": 8080}
    assert kept["container"] == {"port": 8080, "publish": publish, "env": {"GREETING": "hello"}}
    assert [(server["name"], server["address"]) for server in kept["servers"]] == [
        ("blue1", "198.18.0.21"),
        ("green1", "198.18.0.31"),
        ("green2", "green2"),
    ]
    assert [(stage["split"], stage["dwell"]) for stage in kept["stages"]] == [(5.0, 60), (100.0, 120)]
    assert kept["health"]["port"] is None, "none survives templating"
    assert kept["gates"]["thresholds"][0]["query"] == 'max(x{job="hello"})'


def test_a_strategy_can_be_written_on_the_command_line(tmp_path: Path) -> None:
    results = run(tmp_path, {"service": "shop"}, None, PLAY, "-e", "version=v2", "-e", "strategy=10,100")
    assert [stage["split"] for stage in results[-1]["kept"]["stages"]] == [10, 100]


def test_a_version_that_looks_like_a_number_is_one_if_it_is_written_as_a_text(tmp_path: Path) -> None:
    assert run(tmp_path, {"service": "shop", "version": "1.10"})[-1]["kept"]["version"] == "1.10"
    assert run(tmp_path, {"service": "shop"}, None, PLAY, "-e", "version=1.10")[-1]["kept"]["version"] == "1.10"


def changed_inventory(**changes: Any) -> dict[str, Any]:
    inventory: dict[str, Any] = json.loads(json.dumps(INVENTORY))
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = inventory["all"]
        for parent in parents:
            at = at[parent]
        at[last] = value
    return inventory


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"vars__bluegreen_services__shop__image": "{{ nowhere }}"}, "bluegreen_services.shop cannot be read: "),
        ({"vars__bluegreen_services": {}}, "bluegreen_services is empty"),
        ({"vars": {}}, "bluegreen_services is not set"),
    ],
)
def test_pages_that_cannot_be_read_fail_with_one_clear_message(
    tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    found = message(tmp_path, {"service": "shop", "version": "v2"}, inventory=changed_inventory(**changes))
    assert text in found


def test_a_broken_page_of_another_service_is_no_matter(tmp_path: Path) -> None:
    inventory = changed_inventory(vars__bluegreen_services__api={"image": "{{ nowhere }}"})
    assert run(tmp_path, {"service": "shop", "version": "v2"}, inventory)[-1]["kept"]["name"] == "shop"


def test_without_a_name_all_services_are_read_and_compared(tmp_path: Path) -> None:
    assert [service["name"] for service in run(tmp_path, play=ALL)[0]["services"]] == ["shop"]
    inventory = changed_inventory(vars__bluegreen_services__api=PAGE)
    assert "services shop and api: both listen on port 80" in message(tmp_path, {}, inventory=inventory, play=ALL)


def test_the_pages_may_be_a_template_themselves(tmp_path: Path) -> None:
    inventory = changed_inventory(vars__bluegreen_services="{{ {'shop': page_of_shop} }}", vars__page_of_shop=PAGE)
    assert run(tmp_path, {"service": "shop", "version": "v2"}, inventory)[-1]["kept"]["name"] == "shop"


def test_only_the_hosts_of_the_service_are_looked_at(tmp_path: Path) -> None:
    """Whatever is in the inventory beside them costs a small service nothing."""
    hosts = {
        name: {"bluegreen_address": f"{{{{ lookup('ansible.builtin.pipe', 'touch {name}; echo 198.18.0.9') }}}}"}
        for name in ("green1", "other1")
    }
    inventory = changed_inventory(
        children__shop_green={"hosts": {"green1": hosts["green1"]}},
        children__others={"hosts": {"other1": hosts["other1"]}},
    )
    results = run(tmp_path, {"service": "shop", "version": "v2"}, inventory)
    assert results[-1]["kept"]["servers"][1]["address"] == "198.18.0.9"
    assert [path.name for path in map(tmp_path.joinpath, hosts) if path.exists()] == ["green1"]
