"""What the module says of itself is what it takes, and what the service's page gives."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.sluice.bluegreen.plugins.module_utils import _page
from ansible_collections.sluice.bluegreen.plugins.modules import health_gate


def same(documented: dict[str, Any], spec: dict[str, Any], path: str) -> None:
    assert set(documented) == set(spec), path
    for name, option in spec.items():
        for key in ("type", "elements", "default", "required"):
            assert documented[name].get(key) == option.get(key), f"{path}.{name}: {key}"


def test_documentation_and_specification_of_the_suboptions_agree() -> None:
    documented = yaml.safe_load(health_gate.DOCUMENTATION)["options"]
    assert set(documented) == {"endpoints", "health", "version", "quorum", "docker_socket", "haproxy"}
    same(documented["endpoints"]["suboptions"], health_gate.ENDPOINT, "endpoints")
    same(documented["health"]["suboptions"], health_gate.HEALTH, "health")
    same(documented["haproxy"]["suboptions"], health_gate.HAPROXY, "haproxy")


def test_the_page_and_the_module_have_the_same_settings_and_defaults() -> None:
    completed = _page.read("shop", {"health": {"path": "/"}})[0]["health"]
    of_previews = {"request_headers", "tls"}
    spec = {name: option.get("default") for name, option in health_gate.HEALTH.items() if name not in of_previews}
    assert {name: str(value) for name, value in completed.items()} == {name: str(value) for name, value in spec.items()}
