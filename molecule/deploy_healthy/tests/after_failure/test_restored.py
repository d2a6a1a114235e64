# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a version that never became healthy: nothing that runs."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://blue1"]


def test_only_the_version_before_runs(host: Host) -> None:
    running = host.check_output("docker ps --filter label=sluice.bluegreen.service=shop --format '{{.Names}}'")
    assert running == "shop-blue-v1"


def test_the_version_before_answers_again(host: Host) -> None:
    answer = host.check_output("curl --silent --include http://198.18.1.21:8080/healthz").lower()
    assert answer.startswith("http/1.1 200"), answer
    assert "x-app-version: v1" in answer


def test_the_version_that_failed_can_still_be_looked_into(host: Host) -> None:
    assert host.check_output("docker inspect --format '{{.State.Status}}' shop-blue-v4") == "exited"
    assert "gunicorn" in host.run("docker logs shop-blue-v4").stderr
