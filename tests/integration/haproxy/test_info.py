# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading modules against a running HAProxy, a stopped one, and a balancer that never had one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils import _journal
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._config import MAIN
from ansible_collections.sluice.bluegreen.plugins.modules import haproxy_config_info, haproxy_split_info
from haproxy_process import HAProxy

STABLE = {"blue": 100.0, "green": 0.0}
COLORS = {"blue": {"blue1": 9}, "green": {"green1": 9}}
WEIGHTS = {"blue1": 256, "green1": 0}


def write(haproxy: HAProxy, revision: str, name: str = "shop") -> None:
    path = haproxy.service(COLORS, WEIGHTS, STABLE, name=name)
    path.write_text(path.read_text() + f"global\n    setenv sluice_{name} {revision}\n")


def config_info(haproxy: HAProxy, *services: str) -> dict[str, Any]:
    return haproxy_config_info.run(
        {
            "config": str(haproxy.main),
            "config_dir": str(haproxy.conf_dir),
            "socket": haproxy.socket,
            "services": services,
            "state_dir": str(haproxy.folder / "lib"),
        }
    )


def split_info(folder: Path, socket: str, runtime: bool = True, **more: Any) -> dict[str, Any]:
    return haproxy_split_info.run(
        {
            "service": "shop",
            "servers": None,
            "socket": socket,
            "config_dir": str(folder),
            "state_dir": "/nonexistent",
            "run_dir": "/nonexistent",
            "runtime": runtime,
            "observe": 0,
            **more,
        }
    )


def test_what_haproxy_has_not_loaded_is_named_until_it_has(haproxy: HAProxy) -> None:
    with haproxy.main.open("a") as main:
        main.write(f"global\n    setenv sluice_{MAIN} m1\n")
    write(haproxy, "r1")
    before = config_info(haproxy)
    assert (before["running"], before["outdated"], before["haproxy"]) == (False, [], None)
    assert "without a running HAProxy" in before["problem"]

    haproxy.start()
    fresh = config_info(haproxy)
    assert (fresh["running"], fresh["problem"], fresh["outdated"]) == (True, "", [])
    assert fresh["main"]["revision"] == "m1"
    assert fresh["services"]["shop"]["revision"] == "r1"
    assert fresh["services"]["shop"]["shares"] == STABLE
    assert fresh["haproxy"]["pid"] == haproxy.processes[-1].pid

    write(haproxy, "r2")
    write(haproxy, "r1", name="cart")
    haproxy.main.write_text(haproxy.main.read_text().replace("m1", "m2"))
    (haproxy.conf_dir / "other.cfg").write_text("backend other\n")
    stale = config_info(haproxy)
    assert stale["outdated"] == [MAIN, "cart", "shop"]
    assert stale["foreign"] == [str(haproxy.conf_dir / "other.cfg")]

    write(haproxy, "r2")
    (haproxy.conf_dir / "cart.cfg").unlink()
    haproxy.reload()
    assert config_info(haproxy)["outdated"] == []


def test_a_balancer_that_never_had_haproxy_is_described_and_not_an_error(tmp_path: Path) -> None:
    info = haproxy_config_info.run(
        {
            "config": str(tmp_path / "haproxy.cfg"),
            "config_dir": str(tmp_path / "conf.d"),
            "socket": str(tmp_path / "admin.sock"),
            "services": ["shop"],
            "state_dir": str(tmp_path / "lib"),
        }
    )
    assert info["committed"] == {}
    assert (info["running"], info["services"], info["foreign"]) == (False, {}, [])
    assert info["main"]["revision"] is None


def test_the_split_of_a_service_is_read_from_disk_and_runtime(haproxy: HAProxy) -> None:
    haproxy.service(COLORS, WEIGHTS, STABLE)
    haproxy.start()
    haproxy.runtime.act(["set server shop/green1 weight 256"])
    info = split_info(haproxy.conf_dir, haproxy.socket)
    assert info["disk"]["shares"] == STABLE
    assert info["runtime"] == {"shares": {"blue": 50.0, "green": 50.0}, "weights": {"blue1": 256, "green1": 256}}
    assert info["observed"] == {"shares": {"blue": 0.0, "green": 0.0}, "requests": 0, "since": "start"}
    assert info["servers"]["green1"]["color"] == "green"
    assert info["haproxy"]["pid"] == haproxy.processes[-1].pid
    (difference,) = info["differences"]
    assert difference.startswith("Runtime leads the disk: HAProxy works with blue 50 %, green 50 %")


def test_a_balancer_without_haproxy_is_a_clear_failure_and_its_disk_can_still_be_read(tmp_path: Path) -> None:
    with pytest.raises(BalancerError, match=r"a balancer without a running HAProxy\. Run sluice\.bluegreen\.site"):
        split_info(tmp_path, str(tmp_path / "admin.sock"))
    info = split_info(tmp_path, str(tmp_path / "admin.sock"), runtime=False)
    assert info["disk"] == {
        "exists": False,
        "shares": {"blue": 0.0, "green": 0.0},
        "weights": {},
        "colors": {"blue": [], "green": []},
    }
    assert info["differences"] == [
        "There is no file of this service on the balancer: sluice.bluegreen.site has not been run for it."
    ]


def test_a_service_that_haproxy_has_not_loaded_is_a_clear_failure(haproxy: HAProxy) -> None:
    haproxy.start()
    haproxy.service(COLORS, WEIGHTS, STABLE)
    with pytest.raises(BalancerError, match=r"no backend shop with servers\. Run sluice\.bluegreen\.site"):
        split_info(haproxy.conf_dir, haproxy.socket)


def test_the_committed_split_of_a_service_whose_file_was_lost_is_found(haproxy: HAProxy) -> None:
    path = haproxy.service(COLORS, WEIGHTS, STABLE)
    haproxy.start()
    journal = haproxy.folder / "lib" / "shop" / "journal.jsonl"
    quarter = {"blue": 75.0, "green": 25.0}
    assert config_info(haproxy, "shop", "never")["committed"] == {"shop": {"shares": STABLE, "source": "disk"}}

    path.unlink()
    haproxy.runtime.act(["set server shop/green1 weight 64"])
    found = config_info(haproxy, "shop", "never")["committed"]
    assert found == {"shop": {"shares": {"blue": 80.0, "green": 20.0}, "source": "runtime"}}, "better than an outage"

    _journal.append(journal, "committed", "r1", {"shares": quarter})
    _journal.append(journal, "shift", "r1", {"shares": {"blue": 50.0, "green": 50.0}})
    assert config_info(haproxy, "shop")["committed"] == {"shop": {"shares": quarter, "source": "journal"}}
    haproxy.stop()
    assert config_info(haproxy, "shop")["committed"] == {"shop": {"shares": quarter, "source": "journal"}}
    journal.unlink()
    assert config_info(haproxy, "shop")["committed"] == {}


def test_a_file_that_was_edited_by_hand_is_told(haproxy: HAProxy) -> None:
    path = haproxy.service(COLORS, {"blue1": 256, "green1": 64}, STABLE)
    info = split_info(haproxy.conf_dir, haproxy.socket, runtime=False)
    assert info["differences"] == [
        "The file says blue 100 %, green 0 % in its first line, and its weights give blue 80 %, green 20 %: "
        "somebody edited it."
    ]
    path.write_text("backend shop\n")
    with pytest.raises(BalancerError, match=r"shop\.cfg: The first line is not"):
        split_info(haproxy.conf_dir, haproxy.socket, runtime=False)
