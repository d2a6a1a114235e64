# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a balancer's files, without what wrote them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins import module_utils

FILE = """\
# sluice.bluegreen service=shop shares={"blue": 100.0, "green": 0.0}
frontend shop_in
    bind *:80
    default_backend shop

backend shop
    balance roundrobin
    http-check send meth GET uri /weight ver HTTP/1.1

    server blue1 198.18.2.21:8080 id 1 weight 102 check observe layer4
    server blue2 198.18.2.22:8080 id 2 weight 51 check observe layer4
    server green1 198.18.2.31:8080 id 3 weight 102 check observe layer4
    server sluice_spare abns@sluice_shop_1a2b id 4 backup send-proxy-v2

backend shop_blue
    server blue1 198.18.2.21:8080 id 1 track shop/blue1 weight 7
    server blue2 198.18.2.22:8080 id 2 track shop/blue2 weight 7

backend shop_green
    server green1 198.18.2.31:8080 id 3 track shop/green1
"""


@pytest.fixture
def observe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program, with the helper that a balancer has."""
    helper = ModuleType("sluice_bluegreen")
    helper.__path__ = list(module_utils.__path__)
    monkeypatch.setitem(sys.modules, "sluice_bluegreen", helper)
    from chaos import observe as program

    return program


def test_the_weights_are_those_of_the_service_s_own_backend(observe: Any) -> None:
    assert observe.weights_on_disk(FILE, "shop") == {"blue1": 102, "blue2": 51, "green1": 102}
    assert observe.weights_on_disk("", "shop") == {}


def test_the_shares_are_what_the_weights_give_whatever_the_first_line_says(observe: Any) -> None:
    assert observe.shares_on_disk(FILE, "shop") == {"blue": 60.0, "green": 40.0}
    settled = FILE.replace("green1 198.18.2.31:8080 id 3 weight 102", "green1 198.18.2.31:8080 id 3 weight 0")
    assert observe.shares_on_disk(settled, "shop") == {"blue": 100.0, "green": 0.0}
    assert observe.shares_on_disk("", "shop") == {"blue": 0.0, "green": 0.0}


def test_a_journal_that_is_looked_through_as_a_whole_tells_of_the_segments_before(observe: Any, tmp_path: Path) -> None:
    paths = observe.ServicePaths("shop", str(tmp_path / "lib"), str(tmp_path / "run"), str(tmp_path / "conf"))
    journal = paths.journal
    observe._journal.append(journal, "committed", "r1", {"shares": {"blue": 100.0}})
    journal.with_name(f"{journal.stem}-000000001{journal.suffix}").write_text("edited\n")
    said = [observe.look(paths, str(tmp_path / "no socket"), whole)["damage"] for whole in (False, True)]
    assert said[0] == []
    assert any("000000001" in sentence for sentence in said[1]), said[1]
