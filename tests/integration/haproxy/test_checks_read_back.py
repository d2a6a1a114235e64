# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service's file asks its servers for is read back as its page says it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy._checks import of_file, of_page
from role_template import render

SERVERS = [
    {"name": "blue1", "color": "blue", "address": "198.18.0.21", "port": 8080},
    {"name": "blue2.example.com", "color": "blue", "address": "vm2", "port": 8080},
    {"name": "green1", "color": "green", "address": "2001:db8::1", "port": 8081},
]


@pytest.mark.parametrize("by", ["requests", "user", "vm"])
@pytest.mark.parametrize("version", ["2.2", "2.6", "3.0"])
@pytest.mark.parametrize(
    "health",
    [
        {"path": "/healthz"},
        {"path": "/healthz?a=1,2&b=%20", "status": [204, 200], "host_header": "shop.example.com", "port": None},
        {"path": "/", "status": 200, "port": 9000},
        {"tcp": True, "path": "/", "status": []},
        {"tcp": True, "port": 9000},
        {},
    ],
)
def test_the_file_of_a_service_asks_for_what_its_page_says(health: dict[str, Any], version: str, by: str) -> None:
    page = {
        "name": "shop",
        "servers": SERVERS,
        "listen": {"bind": "*:80"},
        "health": health,
        "affinity": {"cookie": "SRV"},
        "split": {"by": by},
    }
    text = render(page, {"blue": 75.0, "green": 25.0}, version)
    assert of_file(text, "shop") == of_page(page)
