# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancer's role refuses before it has changed anything, beside a HAProxy that serves."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._stats import server_stats
from real_ansible import ROOT, Run, run
from site_files import LOCAL

sys.path.insert(0, str(ROOT / "tests" / "integration" / "haproxy"))

from haproxy_process import HAProxy, WebServer, free_port, get, until, web_servers

PLAY = [
    {
        "hosts": "lb1",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Be a machine that the role knows",
                "ansible.builtin.set_fact": {
                    "distribution": "Debian",
                    "distribution_major_version": "12",
                    "os_family": "Debian",
                    "service_mgr": "systemd",
                    "cacheable": True,
                },
            },
            {
                "name": "Look",
                "ansible.builtin.include_role": {"name": "sluice.bluegreen.haproxy", "tasks_from": "preflight"},
            },
        ],
    }
]
NAMES = {"blue": ["blue1", "blue2"], "green": ["green1", "green2"]}
STABLE = {"blue": 100.0, "green": 0.0}


class Shop:
    """The service ``shop`` behind one HAProxy, all of it on blue; ``web``: its servers by name."""

    def __init__(self, folder: Path, haproxy: HAProxy, start: Callable[[str], WebServer]) -> None:
        self.folder = folder
        self.haproxy = haproxy
        self.web = {name: start(name) for names in NAMES.values() for name in names}
        self.ports = {name: server.port for name, server in self.web.items()}
        self.colors = {name: color for color, names in NAMES.items() for name in names}
        ports = {color: {name: self.ports[name] for name in names} for color, names in NAMES.items()}
        weights = {name: 128 if color == "blue" else 0 for name, color in self.colors.items()}
        haproxy.service(ports, weights, STABLE, check="check inter 100ms fall 1 rise 1")
        haproxy.start()

    def preflight(self, *options: str, health: dict[str, Any] | None = None, **variables: Any) -> Run:
        """What the role says of the service as it is to be written now."""
        servers = [
            {"name": name, "color": color, "address": "127.0.0.1", "port": self.ports[name]}
            for name, color in self.colors.items()
        ]
        service = {
            "name": "shop",
            "listen": {"bind": "*:80"},
            "health": {"tcp": True, **(health or {})},
            "servers": servers,
        }
        entry = {
            **LOCAL,
            "haproxy_socket": self.haproxy.socket,
            "haproxy_config": str(self.haproxy.main),
            "haproxy_config_dir": str(self.haproxy.conf_dir),
            "haproxy_services": [service],
        }
        inventory = {"all": {"hosts": {"lb1": {**entry, **variables}}}}
        return run(self.folder, PLAY, inventory, {}, *options)


@pytest.fixture
def shop(tmp_path: Path, program: str) -> Iterator[Shop]:
    haproxy = HAProxy(tmp_path, program)
    with web_servers() as start:
        try:
            yield Shop(tmp_path, haproxy, start)
        finally:
            haproxy.stop()


def refusals(done: Run) -> list[str]:
    assert not [one for one in done.changed if one.action != "ansible.builtin.set_fact"], done.changed
    assert bool(done.problems) == bool(done.status), done.output
    return [one.msg for one in done.problems]


def test_a_vm_does_not_bring_the_version_of_the_idle_color_to_the_one_that_serves(shop: Shop) -> None:
    assert refusals(shop.preflight()) == [], "as it is, nothing is in the way"
    shop.colors["green2"] = "blue"
    assert refusals(shop.preflight("--check")) == [
        "Nothing was changed on lb1: service shop: green2 would come from green to blue, which has 100 % of the "
        "traffic, and get some of it with whatever version runs there; take it out of the inventory, run "
        "sluice.bluegreen.site, remove its container, and only then put it into the group of blue"
    ]
    shop.colors.update(green2="green", blue2="green")
    assert refusals(shop.preflight()) == [], "whoever leaves the color that serves brings nothing to it"
    assert set(get(shop.haproxy.listen, 20)) == {"blue1", "blue2"}


WAY_OUT = (
    "; put health, container.port and container.publish of the page back, release a version that answers to both "
    "pages, and change it then; or write it all the same with -e haproxy_force=true"
)
NO_ANSWER = (
    "Nothing was changed on lb1: servers that serve now do not answer what their page asks for now, and HAProxy would "
    "call them down: service shop: "
)


def test_a_check_that_the_version_that_serves_would_not_pass_is_refused(shop: Shop) -> None:
    """Blue answers 404 at the new path, and green, which does not serve, is not asked."""
    for name in ("blue1", "blue2"):
        shop.web[name].status = 404
    new = {"tcp": False, "path": "/livez"}
    began = time.monotonic()
    (refused,) = refusals(shop.preflight(health=new))
    assert refused.startswith(f"{NO_ANSWER}2 of 2 not healthy within 5 s: blue1 http://127.0.0.1:"), refused
    assert "/livez: status 404, expected 200" in refused and refused.endswith(WAY_OUT)
    assert time.monotonic() - began < 20, "it is a look, not a wait"
    (checked,) = refusals(shop.preflight("--check", health=new))
    assert "2 of 2 not healthy when probed once: blue1" in checked
    assert refusals(shop.preflight(health=new, haproxy_force=True)) == [], "for those who know"


def test_a_check_that_all_pass_goes_on_and_so_does_one_of_whom_haproxy_calls_down(shop: Shop) -> None:
    new = {"tcp": False, "path": "/livez"}
    assert refusals(shop.preflight(health=new)) == []
    blue2 = shop.web["blue2"]
    blue2.shutdown()
    blue2.server_close()
    until("HAProxy calls blue2 down", lambda: not server_stats(shop.haproxy.runtime, "shop")["blue2"].up)
    done = shop.preflight(health=new)
    assert refusals(done) == [], "who is down already keeps nobody"
    (look,) = done.of("Ask those that serve what their new page asks for")
    assert list(look.result["results"][0]["endpoints"]) == ["blue1"]


def test_a_port_at_which_the_version_that_serves_does_not_listen_is_refused(shop: Shop) -> None:
    shop.ports["blue2"] = free_port()
    (refused,) = refusals(shop.preflight())
    place = f"tcp://127.0.0.1:{shop.ports['blue2']}"
    assert refused.startswith(f"{NO_ANSWER}1 of 1 not healthy within 5 s: blue2 {place}: "), refused
    assert refused.endswith(WAY_OUT)


def test_nobody_is_asked_where_nothing_changes(shop: Shop) -> None:
    for name in ("blue1", "blue2"):
        shop.web[name].status = None
    done = shop.preflight()
    assert refusals(done) == []
    assert done.of("Ask those that serve what their new page asks for") == [], "no module runs for it"


def test_before_the_first_installation_there_is_nobody_to_ask(shop: Shop, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    done = shop.preflight("--check", haproxy_socket=nowhere, haproxy_config=nowhere, haproxy_config_dir=nowhere)
    assert refusals(done) == []
    assert done.of("Ask those that serve what their new page asks for") == []
