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

SECRET = "tr0ub4dor-and-3"


@pytest.fixture
def container(host: Host) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(host.check_output("docker inspect shop-blue-v1"))
    return found[0]


def test_the_container_says_whose_it_is(container: dict[str, Any]) -> None:
    labels = {key: value for key, value in container["Config"]["Labels"].items() if key.startswith("sluice.bluegreen.")}
    assert labels.pop("sluice.bluegreen.lab-image") == "true"
    assert labels.pop("sluice.bluegreen.image") == container["Image"], "an archive's image is known by its id"
    assert len(labels.pop("sluice.bluegreen.secrets")) == 16
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


def test_it_is_limited_as_the_page_says(container: dict[str, Any]) -> None:
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] and host["Tmpfs"] == {"/tmp": "size=16m"}
    assert host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["PidsLimit"]) == (256 * 1024 * 1024, 100)
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 4096, "Hard": 4096}]
    assert (host["LogConfig"]["Type"], host["LogConfig"]["Config"]["max-size"]) == ("json-file", "1m")
    assert container["Config"]["StopTimeout"] == 5


def test_its_user_reads_its_secret_and_cannot_change_it(host: Host) -> None:
    assert host.check_output("docker exec shop-blue-v1 id -un") == "nobody"
    assert host.check_output("docker exec shop-blue-v1 cat /run/secrets/api_key") == SECRET
    assert host.run("docker exec shop-blue-v1 sh -c 'echo x > /run/secrets/api_key'").failed


def test_the_secret_is_there_for_that_user_alone_and_in_no_setting_of_the_container(host: Host) -> None:
    folder = host.file("/var/lib/sluice/secrets")
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")
    secret = host.file("/var/lib/sluice/secrets/shop-blue-v1/api_key")
    assert (secret.user, oct(secret.mode)) == ("nobody", "0o400")
    assert SECRET not in host.check_output("docker inspect shop-blue-v1")


def test_it_answers_healthily_and_names_its_version(host: Host) -> None:
    answer = host.check_output("curl --silent --include http://198.18.1.21:8080/healthz").lower()
    assert answer.startswith("http/1.1 200"), answer
    assert "x-app-version: v1" in answer


def test_the_archive_of_the_image_is_not_kept(host: Host) -> None:
    found = host.check_output("find / -xdev -name 'image.tar' -not -path '/proc/*'")
    assert found == "", "sent, loaded, and forgotten"
