# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A version from a registry with a password, whose tag moved to another image while it was being deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://blue1"]


@pytest.fixture
def container(host: Host) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(host.check_output("docker inspect shop-blue-v1"))
    return found[0]


def test_the_image_is_the_one_that_the_tag_had_when_the_release_began(host: Host, container: dict[str, Any]) -> None:
    assert container["State"]["Running"]
    assert host.check_output("curl --silent http://127.0.0.1:8080/healthz") == "one", "two is where the tag is now"
    digest = container["Config"]["Labels"]["sluice.bluegreen.image"]
    assert container["Config"]["Image"] == f"127.0.0.1:5000/shop@{digest}"


def test_the_login_has_left_nothing_on_the_vm(host: Host) -> None:
    assert not host.file("/root/.docker/config.json").exists
    assert host.check_output("ls /dev/shm") == ""


def test_images_of_other_names_were_not_pruned(host: Host) -> None:
    assert host.check_output("docker images --quiet shop:v4") != ""
