"""What a page says of the container: passed on as it is, or refused with the key and the way out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.sluice.bluegreen.plugins.module_utils import _page
from ansible_collections.sluice.bluegreen.plugins.module_utils._page_container import PASSED, read_container
from ansible_collections.sluice.bluegreen.plugins.module_utils._schema import Problem, Reader


def read(**container: Any) -> tuple[dict[str, Any], list[str]]:
    problems: list[Problem] = []
    found = read_container(Reader({"container": {"port": 8080, **container}}, "", problems, _page.SPECIAL))
    return found, [": ".join(problem) for problem in problems]


GOOD: dict[str, Any] = {
    "capabilities": ["NET_BIND_SERVICE"],
    "cap_drop": ["ALL"],
    "cgroup_parent": "apps.slice",
    "command": ["gunicorn", "app:app"],
    "cpus": 1.5,
    "cpuset_cpus": "0-1",
    "cpu_shares": 512,
    "devices": ["/dev/fuse"],
    "dns_opts": ["timeout:1"],
    "dns_search_domains": ["example.com"],
    "dns_servers": ["192.0.2.53"],
    "entrypoint": ["/init"],
    "etc_hosts": {"db": "192.0.2.7"},
    "groups": ["video"],
    "hostname": "shop",
    "init": True,
    "ipc_mode": "private",
    "log_driver": "json-file",
    "log_options": {"max-size": "10m", "max-file": "3"},
    "memory": "256m",
    "memory_reservation": "128m",
    "memory_swap": "-1",
    "mounts": [{"type": "bind", "source": "/srv/shop", "target": "/data", "read_only": True}],
    "network_mode": "shop",
    "networks": [{"name": "back", "aliases": ["shop"]}],
    "oom_score_adj": -100,
    "pids_limit": 200,
    "privileged": False,
    "read_only": True,
    "restart_policy": "unless-stopped",
    "runtime": "runc",
    "security_opts": ["no-new-privileges"],
    "shm_size": "64m",
    "stop_signal": "SIGINT",
    "sysctls": {"net.core.somaxconn": "1024"},
    "tmpfs": ["/tmp:size=16m"],
    "ulimits": ["nofile:1024:2048"],
    "user": "1000:1000",
    "userns_mode": "host",
    "volumes": ["data:/var/lib/shop:rw"],
    "working_dir": "/srv",
}


def test_every_setting_that_is_known_has_a_good_value_here_and_is_passed_on_as_it_is() -> None:
    assert set(GOOD) == set(PASSED)
    found, problems = read(**GOOD)
    assert problems == []
    assert {key: found[key] for key in PASSED} == GOOD


def test_what_the_page_leaves_out_is_left_to_the_module() -> None:
    assert read() == ({"port": 8080, "publish": {"blue": 8080, "green": 8080}, "env": {}}, [])


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"memory": "lots"}, "container.memory: 'lots' is not a size; write one such as 256m or 1g"),
        ({"memory": True}, "container.memory: True is not a size"),
        ({"cpus": "2"}, "container.cpus: '2' is not a number of processors; write one such as 1.5"),
        ({"cpus": 0}, "container.cpus: 0 is not a number of processors"),
        ({"pids_limit": "many"}, "container.pids_limit: 'many' is not a whole number; write a whole number from -1"),
        ({"volumes": "/a:/b"}, "container.volumes: '/a:/b' is a text, not a list of texts; write it as a list"),
        ({"ulimits": [1024]}, "container.ulimits: 1024 in the list is a number, not a text; put it in quotes"),
        ({"mounts": [{"source": "/a"}]}, "container.mounts: entry 0 must be a dictionary with a text 'target'"),
        ({"networks": ["back"]}, "container.networks: entry 0 must be a dictionary with a text 'name'"),
        ({"read_only": "yes"}, "container.read_only: 'yes' is a text; write true or false"),
        ({"restart_policy": False}, "container.restart_policy: it came as false, which YAML makes of no"),
        ({"restart_policy": "never"}, "container.restart_policy: 'never' is not known; write one of unless-stopped"),
        ({"restart_policy": "always"}, "container.restart_policy: write unless-stopped; with always, Docker starts"),
        ({"restart_policy": "on-failure"}, "container.restart_policy: write unless-stopped; with on-failure, Docker"),
        ({"restart_retries": 3}, "container.restart_retries: belongs to 'restart_policy: on-failure', which"),
        ({"stop_signal": "kill"}, "container.stop_signal: 'kill' is not a signal; write one such as SIGTERM"),
        ({"log_options": {"max-size": "1m"}}, "container.log_options: belongs to a log_driver; name that too"),
        ({"log_driver": "json-file", "log_options": {"a": True}}, "container.log_options: a is True, a boolean"),
        ({"network_mode": "none"}, "container.network_mode: 'none' publishes no port that the balancers could reach"),
        (
            {"network_mode": "host", "publish": 80},
            "container.publish: 80 is not the port 8080 that the app has on the VM",
        ),
        (
            {"secrets": {"../key": "x"}},
            "container.secrets: '../key' is not a usable name; it becomes the name of a file",
        ),
        ({"secrets": {"..": "x"}}, "container.secrets: '..' is not a usable name"),
        ({"secrets": {"key": "x"}, "tmpfs": ["/run/secrets:size=1m"]}, "container.tmpfs: /run/secrets is where"),
        ({"secrets": {"key": "x"}, "volumes": ["s:/run/secrets/:ro"]}, "container.volumes: /run/secrets is where"),
        ({"image": "x"}, "container.image: is not for here; write 'image' on the page itself"),
        ({"name": "x"}, "container.name: is set by the collection; leave it out"),
        ({"ports": ["80:80"]}, "container.ports: is not for here; write 'port' and 'publish'"),
        ({"state": "started"}, "container.state: is set by the collection; leave it out"),
        ({"pull": True}, "container.pull: is set by the collection; the image is there before"),
        ({"cap_add": ["ALL"]}, "container.cap_add: is called capabilities here"),
        ({"memmory": "1g"}, "container.memmory: unknown key; did you mean 'memory'?"),
    ],
)
def test_a_setting_is_refused_with_its_key_and_the_way_out(container: dict[str, Any], message: str) -> None:
    _found, problems = read(**container)
    assert any(problem.startswith(message) for problem in problems), problems


def test_the_content_of_a_secret_is_in_no_message() -> None:
    _found, problems = read(secrets={"key": 1.5, "other": ["hunter2"]})
    assert len(problems) == 2
    assert "hunter2" not in str(problems) and "1.5" not in str(problems)


def test_a_secret_may_have_many_lines_and_keeps_them() -> None:
    text = yaml.safe_load("key: |\n  -----BEGIN-----\n  abc\n")["key"]
    assert read(secrets={"tls.key": text})[0]["secrets"] == {"tls.key": "-----BEGIN-----\nabc\n"}
