# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A version on the VMs of a color, healthy, and ready to be started again by its engine."""

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


def test_the_container_says_whose_it_is(container: dict[str, Any]) -> None:
    labels = {key: value for key, value in container["Config"]["Labels"].items() if key.startswith("sluice.bluegreen.")}
    assert labels.pop("sluice.bluegreen.lab-image") == "true"
    assert labels == {
        "sluice.bluegreen.service": "shop",
        "sluice.bluegreen.color": "blue",
        "sluice.bluegreen.version": "v1",
        "sluice.bluegreen.release_id": "20260101T000000Z-v1-0001",
    }


def test_the_engine_starts_it_again_after_a_crash_or_a_boot(container: dict[str, Any]) -> None:
    assert container["State"]["Running"]
    assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_it_has_what_the_page_says(container: dict[str, Any]) -> None:
    assert "LOG_LEVEL=info" in container["Config"]["Env"]
    assert [port["HostPort"] for port in container["HostConfig"]["PortBindings"]["8080/tcp"]] == ["8080"]


def test_it_answers_healthily_and_names_its_version(host: Host) -> None:
    answer = host.check_output("curl --silent --include http://198.18.1.21:8080/healthz").lower()
    assert answer.startswith("http/1.1 200"), answer
    assert "x-app-version: v1" in answer


def test_the_archive_of_the_image_is_not_kept(host: Host) -> None:
    found = host.check_output("find / -xdev -name 'image.tar' -not -path '/proc/*'")
    assert found == "", "sent, loaded, and forgotten"
